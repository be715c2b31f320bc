//! What operators of the simulated world do, and what they are told.

use std::time::Duration;

use tokio::sync::oneshot::{Receiver, error::TryRecvError};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point};
use waterwatch_core::settings::{Said, ScopeSays};
use waterwatch_core::token::{Digest, Rights, Role};

use super::disk::Fault;
use super::truth::Truth;
use super::{HOUR_MS, MINUTE_MS, World};
use crate::command::{Command, NotDone, Outcome, What};
use crate::lane::{Awaited, Requests};
use crate::station_says::StationSays;
use crate::store::{AlarmKey, Store, Tokens};
use crate::writer::clock::Clock;

/// How long an operator waits, in milliseconds.
const WAITS_MS: u64 = 10_000;

/// Commands under way.
#[derive(Debug, Default)]
pub(super) struct Operators {
    /// On their way to the writer.
    asked: Requests,
    /// Of which nothing is known yet.
    wait: Vec<(Vec<Command>, Receiver<Vec<Outcome>>)>,
    /// How many there were: each signs with a name of its own.
    commands: usize,
}

impl Operators {
    fn ask(&mut self, commands: Vec<Command>) {
        let (awaited, outcomes) = Awaited::new(commands.clone());
        self.wait.push((commands, outcomes));
        if let Err(awaited) = self.asked.push(awaited) {
            awaited.answer_not_done(NotDone::Busy);
        }
    }

    /// Those that the next turn takes.
    pub(super) fn take(&mut self) -> Vec<Awaited> {
        self.asked.take()
    }

    /// Whoever is told something by now believes it.
    pub(super) fn hear(&mut self, truth: &mut Truth) {
        self.wait.retain_mut(|(commands, outcomes)| {
            let outcomes = match outcomes.try_recv() {
                Ok(outcomes) => outcomes,
                Err(TryRecvError::Closed) => vec![Outcome::Unknown; commands.len()],
                Err(TryRecvError::Empty) => return true,
            };
            assert_eq!(commands.len(), outcomes.len(), "an outcome for each");
            for (command, outcome) in commands.iter().zip(outcomes) {
                truth.told(command, outcome);
            }
            false
        });
    }

    /// The server is gone: the lane answers for it.
    pub(super) fn hang_up(&mut self, truth: &mut Truth) {
        self.asked.take_all().for_each(|awaited| awaited.answer_not_done(NotDone::Stopping));
        self.hear(truth);
        assert!(self.wait.is_empty(), "everybody hears something");
    }
}

impl World {
    /// Some of them at once, now and then.
    pub(super) fn operate(&mut self) {
        if self.server.is_none() {
            return;
        }
        for _ in 0..self.rng.choice([1, 1, 1, 2, 8]).unwrap() {
            let waits = Duration::from_millis(self.rng.u64(0..WAITS_MS));
            let deadline = self.machine.instant() + waits;
            // Some list several.
            let count = if self.rng.u8(..) < 25 { self.rng.usize(2..12) } else { 1 };
            let commands = (0..count).map(|_| {
                let what = self.wish();
                self.operators.commands += 1;
                let by = format!("operator {}", self.operators.commands).into();
                Command { what, by, deadline }
            });
            let commands = commands.collect();
            self.operators.ask(commands);
        }
        // A command wakes the server, if it can be woken.
        let turn_ms = self.now_ms().max(self.held_until_ms);
        let fault = (self.rng.u8(..) < 10).then(|| Fault::Unknown(self.rng.bool()));
        if let Some(server) = &mut self.server {
            server.turn_ms = server.turn_ms.min(turn_ms);
            if let Some(fault) = fault {
                server.recorder.store.fault = fault;
            }
        }
    }

    fn wish(&mut self) -> What {
        if self.settles && self.rng.u8(..) < 60 {
            return self.wish_for_settings();
        }
        if self.rng.u8(..) < 90 {
            return self.wish_for_a_station();
        }
        if self.rng.u8(..) < 30 {
            return self.wish_for_a_token();
        }
        let mut alarms: Vec<(AlarmKey, Alarm)> =
            self.disk().alarms().iter().map(|(key, alarm)| (key, Alarm::clone(alarm))).collect();
        alarms.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (alarm, facts) = match self.rng.choice(alarms) {
            Some((key, alarm)) if self.rng.u8(..) > 20 => (key, alarm),
            _ => {
                let id = StationId::new(self.rng.i64(0..40)).unwrap();
                let point = self.rng.choice(Point::ALL.iter().copied()).unwrap();
                ((AlarmSource::Station(id), point), Alarm::default())
            }
        };
        // Also an end that has passed.
        let until_ms = self.machine.now().wall_ms + self.rng.i64(-MINUTE_MS..8 * HOUR_MS);
        let reason = "a pump is changed".into();
        match (self.rng.u8(0..11), facts.occurrence) {
            // Of the one that is open, of another one, or of none.
            (10, open) => {
                let other = Some(self.rng.i64(0..1_000));
                let occurrence = self.rng.choice([None, other, open.map(|open| open.sequence)]).unwrap();
                What::Note { alarm, occurrence, text: "the float hangs".into() }
            }
            (0, _) => What::Shelve { alarm, until_ms, reason },
            (1, _) => What::Unshelve { alarm },
            (2, _) => What::TakeOutOfService { alarm, until_ms, reason },
            (3, _) => What::ReturnToService { alarm },
            // Also one that is no longer open, or that somebody else has.
            (4, _) => What::Acknowledge { alarm, occurrence: self.rng.i64(0..1_000) },
            (_, Some(open)) => What::Acknowledge { alarm, occurrence: open.sequence },
            (_, None) if facts.hidden.shelf.is_some() => What::Unshelve { alarm },
            (_, None) => What::ReturnToService { alarm },
        }
    }

    /// What is said anew, of stations, areas and the fleet; also of stations that
    /// are never heard. Now and then nothing at all.
    fn wish_for_settings(&mut self) -> What {
        let mut judged = ScopeSays::default();
        let rng = &mut self.rng;
        let choices: [(&str, &[i64]); 5] = [
            ("period_s", &[60, 120, 300]),
            ("grace_s", &[60, 120, 600]),
            ("points.alarm1.enabled", &[0, 1]),
            ("points.comms.enabled", &[0, 1]),
            ("points.alarm2.on_delay_s", &[0, 300]),
        ];
        for (field, values) in choices {
            if rng.u8(0..3) == 0 {
                let value = values[rng.usize(0..values.len())];
                judged.say(field, Said::Number(value)).unwrap();
            }
        }
        let area = format!("carrier {}", rng.u8(0..4));
        match rng.u8(0..10) {
            0 => What::SetFleet { says: Box::new(judged), if_said: None },
            1..3 => What::SetArea { area: area.into(), says: Box::new(judged), if_said: None },
            _ => {
                let mut says = StationSays::default().judged_by(judged);
                if rng.bool() {
                    says.say("area", Said::Text(&area)).unwrap();
                }
                if rng.u8(0..4) == 0 {
                    let by_ms = self.machine.now().wall_ms + rng.i64(-HOUR_MS..9 * HOUR_MS);
                    says.say("expected_by", Said::Number(by_ms)).unwrap();
                }
                What::SetStation {
                    station: StationId::new(rng.i64(0..44)).unwrap(),
                    says: Box::new(says),
                    if_said: None,
                }
            }
        }
    }

    /// Some names are taken, and the last admin is to be revoked as well.
    fn wish_for_a_token(&mut self) -> What {
        let known = self.disk().tokens().map(Tokens::all).unwrap_or_default();
        let known = self.rng.choice(known).filter(|_| self.rng.bool());
        if let Some(token) = known {
            return What::RevokeToken { name: token.name.clone() };
        }
        let name = format!("token {}", self.rng.u8(0..30)).into();
        let role = self.rng.choice([Role::Viewer, Role::Operator, Role::Admin]).unwrap();
        let mut digest = [0; 32];
        digest[0] = self.rng.u8(..);
        What::AddToken { name, role, rights: Rights::default(), digest: Digest(digest) }
    }

    /// Pauses, visits, retirements, and what is forgotten; also of stations that are never heard.
    fn wish_for_a_station(&mut self) -> What {
        let station = StationId::new(self.rng.i64(0..40)).unwrap();
        let now_ms = self.machine.now().wall_ms;
        let lasts_ms = self.rng.i64(-MINUTE_MS..9 * HOUR_MS);
        let until_ms = now_ms + lasts_ms;
        match self.rng.u8(0..9) {
            8 => What::Forget { station, if_said: None },
            0..2 => What::Pause { station, until_ms, reason: "it is winter".into() },
            2 => What::Resume { station },
            3..5 => {
                let reason = self.rng.bool().then(|| "a pump is changed".into());
                What::BeginVisit { station, until_ms, reason }
            }
            5 => What::EndVisit { station },
            _ => What::Retire { station, reason: "it is sold".into() },
        }
    }
}
