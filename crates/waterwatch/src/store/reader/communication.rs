//! Whether stations are heard: the communication state of each, and what its
//! points are worth. Derived from what is recorded; never kept.

use waterwatch_core::alarm::{AlarmSource, Point, State};
use waterwatch_core::settings::StationSettings;

use super::{LastContact, ServerRows};

/// How a station is heard, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comms {
    /// Not within its period and grace: the server has said so.
    Silent,
    /// Not within its period; or nobody is there to say that it is silent.
    Late,
    /// Never, as far as is known.
    New,
    /// Within its period.
    Up,
    /// Its silence raises nothing until a time that a person named.
    Paused,
    /// It is no more.
    Retired,
}

impl Comms {
    /// All of them, in their order.
    pub const ALL: [Comms; 6] =
        [Comms::Silent, Comms::Late, Comms::New, Comms::Up, Comms::Paused, Comms::Retired];

    /// Its name, for people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Comms::Silent => "silent",
            Comms::Late => "late",
            Comms::New => "new",
            Comms::Up => "up",
            Comms::Paused => "paused",
            Comms::Retired => "retired",
        }
    }

    /// How a station is heard, whatever people have said of it, whose last
    /// contact this is. `is_silent`: the contact of its
    /// `comms` alarm is on.
    #[must_use]
    pub fn of(contact: &LastContact, is_silent: bool, settings: &StationSettings, now_ms: i64) -> Comms {
        Comms::heard(contact.received_at_ms, is_silent, settings.period_ms, now_ms)
    }

    /// The same of a station that was last heard then; `None`: never, or nobody
    /// knows when.
    #[must_use]
    pub fn heard(received_at_ms: Option<i64>, is_silent: bool, period_ms: i64, now_ms: i64) -> Comms {
        if is_silent {
            return Comms::Silent;
        }
        let Some(received_at_ms) = received_at_ms else { return Comms::New };
        // Whole seconds, so that a report that is on its way makes nobody late.
        // One that lies ahead was made before the clock was set back: how long
        // ago that is, nobody knows.
        let age_s = now_ms.saturating_sub(received_at_ms).saturating_abs() / 1_000;
        if age_s > period_ms / 1_000 { Comms::Late } else { Comms::Up }
    }

    /// The same, with what people have said of it: that it was retired, before
    /// that it is paused.
    #[must_use]
    pub fn said(self, contact: &LastContact, is_paused: bool) -> Comms {
        self.unless(contact.retired().is_some(), is_paused)
    }

    /// The same, unless it is retired, or is paused.
    #[must_use]
    pub fn unless(self, is_retired: bool, is_paused: bool) -> Comms {
        match (is_retired, is_paused) {
            (true, _) => Comms::Retired,
            (false, true) => Comms::Paused,
            (false, false) => self,
        }
    }

    /// What the contacts of a station are worth that is heard like that.
    #[must_use]
    pub fn quality(self) -> Quality {
        match self {
            Comms::Up => Quality::Good,
            // Of these it is not said how they are heard.
            Comms::Late | Comms::Silent | Comms::Paused | Comms::Retired => Quality::Stale,
            Comms::New => Quality::Never,
        }
    }
}

/// The worst state among a station's alarms as it may be said: `None` if it is
/// not known. `is_judged`: each of its contacts that is on has an alarm, or
/// needs none.
#[must_use]
pub fn state_if_known(worst: State, is_judged: bool, was_heard: bool) -> Option<State> {
    let is_known = is_judged && (was_heard || worst != State::Normal);
    // What needs an answer does so, whatever else is not known.
    (is_known || worst.rank() < State::Shelved.rank()).then_some(worst)
}

/// What a point is worth, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quality {
    /// Nothing was ever heard of it.
    Never,
    /// It was so when it was last heard of. Never counted as normal.
    Stale,
    /// It is so.
    Good,
}

impl Quality {
    /// All of them, in their order.
    pub const ALL: [Quality; 3] = [Quality::Never, Quality::Stale, Quality::Good];

    /// Its name, for people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Quality::Never => "never",
            Quality::Stale => "stale",
            Quality::Good => "good",
        }
    }

    /// Of one point. `comms` is its station's communication state, if it is a
    /// station's and that is known. What the server itself judges, such as
    /// silence, is as good as the server is alive.
    #[must_use]
    pub fn of(source: &AlarmSource, point: Point, comms: Option<Comms>, is_alive: bool) -> Quality {
        let own = if is_alive { Quality::Good } else { Quality::Stale };
        match (source, point, comms) {
            (AlarmSource::Station(_), _, None | Some(Comms::New)) => Quality::Never,
            (AlarmSource::Station(_), Point::Alarm1 | Point::Alarm2, Some(comms)) => comms.quality(),
            (
                AlarmSource::Station(_),
                Point::Comms | Point::Identity | Point::NewStations | Point::OnCall,
                Some(_),
            )
            | (AlarmSource::Area(_) | AlarmSource::Server, _, _) => own,
        }
    }
}

impl ServerRows {
    /// A server says at least each 30 s that it is alive; one that has not for
    /// so long is gone, or cannot store.
    pub const ALIVE_WITHIN_MS: i64 = 90_000;

    /// Whether a server is alive, as far as can be seen.
    #[must_use]
    pub fn is_alive(&self, now_ms: i64) -> bool {
        self.alive_until_ms
            .is_some_and(|until_ms| now_ms.saturating_sub(until_ms).saturating_abs() <= Self::ALIVE_WITHIN_MS)
    }
}
