//! Scripts that a supervisor could read, and a naive second telling.

mod model;
mod scripts;

use super::*;
use crate::silence::Now;
use crate::station::{Novelty, StationId};

const PERIOD_MS: i64 = 60_000;
const GRACE_MS: i64 = 120_000;

/// The device that is called so; without an end, for there may be any number.
fn device(letter: char) -> Origin {
    let mut peer = [0; 16];
    peer[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, u8::try_from(letter).unwrap() - b'A' + 1]);
    Origin { listener: 1, peer }
}

/// A station, and what is remembered of who reports as it.
struct Life {
    clock: ListeningClock,
    station: Option<Station>,
    contest: Option<Contest>,
    sequence: i64,
}

impl Life {
    fn new() -> Life {
        let clock = ListeningClock::start(Now { wall_ms: 0, steady_ms: 0 }, 0, &[], 0);
        Life { clock, station: None, contest: None, sequence: 0 }
    }

    /// One more report; `None` if it is the first of all.
    fn hear(&mut self, at_ms: i64, origin: Origin, [alarm1, alarm2]: [bool; 2]) -> Option<Heard> {
        self.sequence += 1;
        let report = Report { station_id: StationId::MAX, alarm1, alarm2 };
        let at = Moment { received_at_ms: at_ms, sequence: self.sequence };
        let before = self.station;
        let (after, novelty) = Station::hear(before.as_ref(), report, origin, at_ms, self.sequence);
        self.station = Some(after);
        let before = before?;
        let hearing = Hearing { clock: &self.clock, period_ms: PERIOD_MS, grace_ms: GRACE_MS };
        let contest = self.contest.as_ref();
        let heard = Contest::hear(contest, &before, report, origin, at, hearing);
        let says_nothing_new = novelty <= Novelty::Resumes && before.origin == origin && contest.is_none();
        let nothing = Heard { contest: None, contacts: [alarm1, alarm2], moved_from: None, sign: None };
        assert!(!says_nothing_new || heard == nothing, "it need not be looked at: {heard:?}");
        self.contest.clone_from(&heard.contest);
        Some(heard)
    }
}
