//! Identity: whether one device reports as a station, or several do.
//!
//! Two devices that were given the same number overwrite each other: what one
//! says is gone with the next report of the other, and an alarm with it. That
//! is seen by where reports come from, and, where both come from one address,
//! by what they say. From then on the station is *contested* until only one is
//! heard, and meanwhile a contact is on if any of them says so.
//!
//! Nothing is kept of a station whose reports always come from the same place
//! and go on saying the same: a [`Contest`] is there only while what happened
//! lately may matter.

use std::fmt;

use crate::report::{Origin, Report};
use crate::silence::ListeningClock;
use crate::station::Station;

/// How many other origins are remembered for a station: with the last report's,
/// five devices. A network that gives a station another address for each
/// connection must not make this grow.
pub const OTHERS_MAX: usize = 4;

/// So many reports in a row that take back, a period later, what was said in
/// between are two devices: somebody who tests a contact, or a contact that
/// chatters, does not keep a station's pace for that long.
pub const REVERSALS_MIN: u32 = 4;

/// A device repeats itself after its period, give or take this part of it.
const PACE_PART: i64 = 8;

/// When a report was taken: the clock on the wall, and its sequence, by which
/// [`ListeningClock`] knows how much of the time since was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// In milliseconds UTC.
    pub received_at_ms: i64,
    /// Its place in the one order of everything.
    pub sequence: i64,
}

/// What was said, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The two alarm contacts.
    pub contacts: [bool; 2],
    /// When.
    pub at: Moment,
}

/// What speaks for several devices under one number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contest {
    /// The last word of each origin but the last report's that was heard within
    /// its deadline; the oldest first, [`OTHERS_MAX`] at most.
    pub others: Vec<(Origin, Said)>,
    /// When each contact was last said to be on, where the origins alone do not
    /// tell: by devices that share one, or by one that is no longer remembered.
    pub said_on: [Option<Moment>; 2],
    /// The report before the last, while the last took it back.
    pub before: Option<Said>,
    /// How many reports in a row took back what was said in between.
    pub reversals: u32,
    /// That the station is contested.
    pub contested: Option<Contested>,
}

/// A station that several devices report as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contested {
    /// The last sign of that.
    pub sign: Moment,
    /// Whether two of them share an origin.
    pub contradicts: bool,
}

/// What a report showed of several devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Reports come from these two in turn.
    Alternates(Origin, Origin),
    /// Those from here contradict each other.
    Contradicts(Origin),
}

/// What a report comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What is to be remembered; `None` if nothing is.
    pub contest: Option<Contest>,
    /// The contacts as they count: while the station is contested, on if any of
    /// its devices says so.
    pub contacts: [bool; 2],
    /// Where the report before came from, if that was somewhere else and the
    /// station is not contested.
    pub moved_from: Option<Origin>,
    /// What it is a sign of.
    pub sign: Option<Sign>,
}

/// How long a word counts.
#[derive(Clone, Copy, Debug)]
pub struct Hearing<'a> {
    /// The time in which reports could be heard.
    pub clock: &'a ListeningClock,
    /// How often the station reports, in milliseconds.
    pub period_ms: i64,
    /// How much later a report may come.
    pub grace_ms: i64,
}

impl Contest {
    /// One more report of a station, taken at `at`. `last` is what was known of
    /// it, and `contest` what was remembered, if anything.
    #[must_use]
    pub fn hear(
        contest: Option<&Contest>,
        last: &Station,
        report: Report,
        origin: Origin,
        at: Moment,
        hearing: Hearing<'_>,
    ) -> Heard {
        let mut after = contest.cloned().unwrap_or_default();
        let now = Said { contacts: [report.alarm1, report.alarm2], at };
        after.others.retain(|(_, said)| hearing.counts(said.at, at));
        if after.contested.is_some_and(|contested| !hearing.counts(contested.sign, at)) {
            (after.contested, after.said_on) = (None, [None; 2]);
        }
        let was_contested = after.contested.is_some();
        let has_moved = last.origin.is_known() && last.origin != origin;
        let sign = if has_moved {
            let is_back = after.comes_from(origin, last, at, hearing);
            (is_back || was_contested).then_some(Sign::Alternates(last.origin, origin))
        } else {
            let goes_back = after.goes_back(now, last, hearing);
            let is_sign = goes_back && (was_contested || after.reversals >= REVERSALS_MIN);
            is_sign.then_some(Sign::Contradicts(origin))
        };
        after.count(sign, now, last, hearing);
        let contacts = std::array::from_fn(|contact| now.contacts[contact] || after.holds(contact));
        let moved_from = (has_moved && after.contested.is_none()).then_some(last.origin);
        Heard { contest: after.or_nothing(), contacts, moved_from, sign }
    }

    /// Whether several devices report as this station.
    #[must_use]
    pub fn is_contested(&self) -> bool {
        self.contested.is_some()
    }

    /// Whether a contact counts as on although the last report may say that it
    /// is off: another device said that it is on, as of the last report.
    #[must_use]
    pub fn holds(&self, contact: usize) -> bool {
        let others_say = || self.others.iter().any(|(_, said)| said.contacts[contact]);
        self.is_contested() && (self.said_on[contact].is_some() || others_say())
    }

    /// A report comes from elsewhere than the last one. Whether that is where
    /// others came from lately.
    fn comes_from(&mut self, origin: Origin, last: &Station, at: Moment, hearing: Hearing<'_>) -> bool {
        (self.before, self.reversals) = (None, 0);
        let known = self.others.len();
        self.others.retain(|(other, _)| *other != origin);
        let is_back = self.others.len() < known;
        let last_said = Said::by(last);
        if hearing.counts(last_said.at, at) {
            self.others.push((last.origin, last_said));
        }
        if self.others.len() > OTHERS_MAX {
            // Who is forgotten must not be forgotten to have said that
            // something is on.
            let (_, forgotten) = self.others.remove(0);
            self.said(forgotten);
        }
        is_back
    }

    /// A report comes from where the last one did. Whether it takes that back,
    /// and says again what was said a period ago.
    fn goes_back(&mut self, now: Said, last: &Station, hearing: Hearing<'_>) -> bool {
        let last_said = Said::by(last);
        if now.contacts == last_said.contacts {
            (self.before, self.reversals) = (None, 0);
            return false;
        }
        let goes_back = self.before.is_some_and(|before| {
            let again = |contact: usize| {
                now.contacts[contact] == before.contacts[contact]
                    && now.contacts[contact] != last_said.contacts[contact]
            };
            (again(0) || again(1)) && hearing.is_a_period(before.at, now.at)
        });
        self.reversals = if goes_back { (self.reversals + 1).min(REVERSALS_MIN) } else { 0 };
        // Kept only from the second change in a row on: a contact that changes
        // now and then leaves nothing behind.
        let may_go_back = last.span.reports == 1 && hearing.is_within_a_period(last_said.at, now.at);
        self.before = may_go_back.then_some(last_said);
        goes_back
    }

    /// Counts a sign, if there is one, and who said that something is on.
    fn count(&mut self, sign: Option<Sign>, now: Said, last: &Station, hearing: Hearing<'_>) {
        let contradicted = self.contested.is_some_and(|contested| contested.contradicts);
        if let Some(sign) = sign {
            let contradicts = contradicted || matches!(sign, Sign::Contradicts(_));
            self.contested = Some(Contested { sign: now.at, contradicts });
        }
        if let Some(Contested { contradicts: true, .. }) = self.contested {
            if !contradicted {
                self.said(Said::by(last));
            }
            self.said(now);
        }
        for said_on in &mut self.said_on {
            *said_on = said_on.filter(|then| hearing.counts(*then, now.at));
        }
    }

    /// Somebody said this, whoever it was.
    fn said(&mut self, said: Said) {
        for (said_on, _) in self.said_on.iter_mut().zip(said.contacts).filter(|(_, on)| *on) {
            *said_on = said_on.filter(|at| at.sequence > said.at.sequence).or(Some(said.at));
        }
    }

    /// Itself, if there is something to remember.
    fn or_nothing(self) -> Option<Contest> {
        let is_something = !self.others.is_empty() || self.before.is_some() || self.contested.is_some();
        is_something.then_some(self)
    }
}

impl Said {
    /// A station's last word.
    fn by(station: &Station) -> Said {
        let Station { alarm1, alarm2, received_at_ms, sequence, .. } = *station;
        Said { contacts: [alarm1, alarm2], at: Moment { received_at_ms, sequence } }
    }
}

impl Hearing<'_> {
    /// Whether what was heard then counts now: as long as a station that was
    /// heard then is not silent.
    fn counts(self, then: Moment, now: Moment) -> bool {
        let Hearing { clock, period_ms, grace_ms } = self;
        clock.silent_at_ms(then.received_at_ms, then.sequence, period_ms, grace_ms) > self.heard_ms(now)
    }

    /// Whether one period has passed since.
    fn is_a_period(self, then: Moment, now: Moment) -> bool {
        let passed_ms = self.heard_ms(now) - self.heard_ms(then);
        (passed_ms - self.period_ms).abs() <= self.period_ms / PACE_PART
    }

    /// Whether no more than that has passed.
    fn is_within_a_period(self, then: Moment, now: Moment) -> bool {
        self.heard_ms(now) - self.heard_ms(then) <= self.period_ms + self.period_ms / PACE_PART
    }

    fn heard_ms(self, at: Moment) -> i64 {
        self.clock.heard_ms(at.received_at_ms, at.sequence)
    }
}

/// As the reason of a raise.
impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sign::Alternates(one, other) => {
                let (one, other) = Origin::told_apart(one.min(other), one.max(other));
                write!(f, "reports alternate between {one} and {other}")
            }
            Sign::Contradicts(origin) => {
                write!(f, "reports from {origin} contradict each other faster than its period")
            }
        }
    }
}

#[cfg(test)]
mod tests;
