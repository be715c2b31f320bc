//! What goes wrong with the server and its machine, and what operators do.

use std::cmp::Reverse;

use waterwatch_core::alarm::{Input, Order};

use super::disk::Fault;
use super::truth::Slack;
use super::{HOUR_MS, MINUTE_MS, Next, SECOND_MS, World};
use crate::store::Store;

impl World {
    pub(super) fn dies(&mut self, back_in_ms: i64) {
        self.server = None;
        self.held_until_ms = 0;
        self.back_ms = self.now_ms + back_in_ms;
        // It was last known to be alive half a minute ago, at worst.
        self.truth.gone_until(self.back_ms, Slack { early_ms: 2_000, late_ms: 32_000 });
        self.disk.fault = Fault::None;
        // The machine, too.
        if back_in_ms > MINUTE_MS && self.rng.bool() {
            self.steady_ahead_ms = -self.now_ms - self.rng.i64(0..HOUR_MS);
        }
    }

    pub(super) fn fault(&mut self) {
        let while_ms = self.while_ms();
        match self.rng.u8(0..10) {
            0..2 => self.full_until_ms = self.full_until_ms.max(self.now_ms + while_ms),
            2 => self.disk.fault = Fault::Unknown(self.rng.bool()),
            3..5 => self.jump(),
            5..7 => self.is_held(while_ms),
            7 => {
                // It ends in order.
                if let Some(mut server) = self.server.take() {
                    let now = self.clocks();
                    let unstored = std::mem::take(&mut server.unstored) || server.trouble;
                    server.watch.turn(now, unstored, self.disk.sequence());
                    server.draft.last(&self.disk, &mut server.watch, now);
                    self.record(&mut server, &[]);
                    self.dies(while_ms);
                }
            }
            _ if self.server.is_some() => {
                self.dies(while_ms);
                // Twice in a row, with a wall that jumps while it is away.
                if self.rng.bool() {
                    self.jump();
                }
                if self.rng.bool() {
                    self.later(while_ms + 20 * SECOND_MS, Next::Fault);
                }
            }
            _ => {}
        }
    }

    fn jump(&mut self) {
        let by_ms = match self.rng.bool() {
            true => HOUR_MS,
            false => self.rng.i64(3 * SECOND_MS..HOUR_MS),
        };
        self.wall_ahead_ms += if self.rng.bool() { by_ms } else { -by_ms };
    }

    /// A commit hangs, the process is stopped, or the machine sleeps.
    fn is_held(&mut self, for_ms: i64) {
        if let Some(server) = &mut self.server {
            self.held_until_ms = self.held_until_ms.max(self.now_ms + for_ms);
            server.turn_ms = self.held_until_ms;
            self.truth.deaf_until(server.turn_ms, Slack { early_ms: 3_000, late_ms: 600 });
            // Whatever is sent meanwhile arrives at its end.
            let agenda = std::mem::take(&mut self.agenda);
            let turn_ms = server.turn_ms;
            self.agenda = agenda
                .into_iter()
                .map(|Reverse((at_ms, next))| match next {
                    Next::Arrives(..) => Reverse((at_ms.max(turn_ms), next)),
                    _ => Reverse((at_ms, next)),
                })
                .collect();
        }
    }

    pub(super) fn operate(&mut self) {
        if self.truth.is_deaf() {
            return;
        }
        let Some(mut server) = self.server.take() else { return };
        let now = self.clocks();
        let mut alarms: Vec<_> =
            self.disk.alarms().iter().map(|(key, alarm)| (key.clone(), alarm.clone())).collect();
        alarms.sort_by(|(one, _), (other, _)| one.cmp(other));
        let unstored = std::mem::take(&mut server.unstored) || server.trouble;
        server.watch.turn(now, unstored, self.disk.sequence());
        let chosen = (!alarms.is_empty()).then(|| self.rng.usize(0..alarms.len()));
        if let Some((key, alarm)) = chosen.map(|place| alarms.swap_remove(place)) {
            let until_ms = now.wall_ms + self.rng.i64(MINUTE_MS..8 * HOUR_MS);
            let input = match (self.rng.u8(0..4), &alarm.occurrence) {
                (0, _) => Input::Shelve(Order { until_ms, by: "Ada", reason: "a pump is changed" }),
                (1, _) => Input::Unshelve { by: "Ada" },
                (_, Some(open)) => Input::Acknowledge { occurrence: open.sequence, by: "Ada" },
                (_, None) => Input::Unshelve { by: "Ada" },
            };
            // One that is rejected changes nothing, and what is to be said of
            // the server is recorded all the same.
            drop(server.draft.order(&self.disk, &server.watch, now, key, input));
            if self.record(&mut server, &[]).is_none() {
                self.dies(SECOND_MS);
                return;
            }
        }
        self.server = Some(server);
    }
}
