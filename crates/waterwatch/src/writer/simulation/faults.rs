//! What goes wrong with the server and its machine.

use std::cmp::Reverse;

use super::disk::Fault;
use super::truth::Slack;
use super::{HOUR_MS, MINUTE_MS, Next, SECOND_MS, World};

impl World {
    pub(super) fn dies(&mut self, back_in_ms: i64) {
        if let Some(server) = self.server.take() {
            self.disk = server.recorder.store;
        }
        self.operators.hang_up(&mut self.machine.truth());
        self.held_until_ms = 0;
        self.back_ms = self.now_ms() + back_in_ms;
        // It was last known to be alive half a minute ago, at worst.
        let slack = Slack { early_ms: 2_000, late_ms: 32_000 };
        self.machine.truth().gone_until(self.back_ms, slack);
        self.disk.fault = Fault::None;
        // The machine, too.
        if back_in_ms > MINUTE_MS && self.rng.bool() {
            self.machine.boots(-self.rng.i64(0..HOUR_MS));
        }
    }

    pub(super) fn fault(&mut self) {
        let while_ms = self.while_ms();
        match self.rng.u8(0..10) {
            0..2 => self.machine.is_full_for(while_ms),
            2 => {
                let fault = Fault::Unknown(self.rng.bool());
                self.server.as_mut().map_or(&mut self.disk, |server| &mut server.recorder.store).fault =
                    fault;
            }
            3..5 => self.jump(),
            5..7 => self.is_held(while_ms),
            7 => {
                // It ends in order, if it can.
                if let Some(server) = &mut self.server {
                    drop(server.recorder.end());
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
        self.machine.wall_jumps(if self.rng.bool() { by_ms } else { -by_ms });
    }

    /// A commit hangs, the process is stopped, or the machine sleeps.
    fn is_held(&mut self, for_ms: i64) {
        if let Some(server) = &mut self.server {
            self.held_until_ms = self.held_until_ms.max(self.machine.now_ms() + for_ms);
            server.turn_ms = self.held_until_ms;
            self.machine.truth().deaf_until(server.turn_ms, Slack { early_ms: 3_000, late_ms: 600 });
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
}
