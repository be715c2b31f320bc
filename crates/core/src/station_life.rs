//! What people have said of a station as a whole: that somebody is there, and
//! that it was retired.
//!
//! One [`StationLife::step`] takes one input to what holds after it, and writes
//! what happened into the [`Ledger`], as an alarm does. Most stations have
//! nothing of the kind, and nothing is kept of them.

use crate::alarm::{self, Kind, Ledger, Rejected};
use crate::report::Origin;
use crate::station::StationId;

/// What people have said of a station, and what still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StationLife {
    /// Somebody is there.
    pub visit: Option<Visit>,
    /// It is no more: its silence is not judged.
    pub retired: Option<Retired>,
}

/// A technician at a station. Its alarms go on as ever, and those that are
/// raised say that somebody is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Visit {
    /// Since when, in milliseconds UTC.
    pub since_ms: i64,
    /// Until when at the latest, in milliseconds UTC.
    pub until_ms: i64,
    /// Who.
    pub by: Box<str>,
    /// What for, if that was said.
    pub reason: Option<Box<str>>,
}

/// That a station was retired.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Retired {
    /// When, in milliseconds UTC.
    pub at_ms: i64,
    /// Who did it.
    pub by: Box<str>,
    /// Why.
    pub reason: Box<str>,
}

/// What can happen to a station as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// It has reported.
    Heard,
    /// Time has passed.
    Time,
    /// Somebody is there, or says anew until when.
    BeginVisit {
        /// Until when, in milliseconds UTC.
        until_ms: i64,
        /// Who.
        by: &'a str,
        /// What for, if they say so.
        reason: Option<&'a str>,
    },
    /// They are gone again.
    EndVisit {
        /// Who says so.
        by: &'a str,
    },
    /// It was retired by mistake.
    EndRetirement {
        /// Who says so.
        by: &'a str,
    },
    /// It is no more.
    Retire {
        /// Who says so.
        by: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// It is forgotten: nothing of it is kept.
    Forget {
        /// Who says so.
        by: &'a str,
    },
}

/// Which station is stepped, when, and because of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which station.
    pub station: StationId,
    /// When, in milliseconds UTC.
    pub now_ms: i64,
    /// Where the report came from; unknown if it is none.
    pub origin: Origin,
    /// The sequence of the report that is the cause.
    pub cause: Option<i64>,
}

impl Visit {
    /// How long one may last: a shift. Whoever stays longer says so again.
    pub const LONGEST_MS: i64 = 8 * 3_600_000;

    /// Whether it lasts still, also if nobody has written its end yet.
    #[must_use]
    pub fn lasts(&self, now_ms: i64) -> bool {
        now_ms < self.until_ms
    }

    /// What an alarm says that is raised meanwhile.
    #[must_use]
    pub fn remark(&self) -> String {
        format!("{REMARK}{}", self.by)
    }
}

const REMARK: &str = "during the visit of ";

/// The reason of an entry without the [remark](Visit::remark) that somebody was
/// there, and that by itself.
#[must_use]
pub fn without_remark(reason: &str) -> (Option<&str>, Option<&str>) {
    match reason.rfind(REMARK) {
        Some(0) => (None, Some(reason)),
        Some(place) => match reason[..place].strip_suffix(JOINT) {
            Some(rest) => (Some(rest), Some(&reason[place..])),
            None => (Some(reason), None),
        },
        None => (Some(reason), None),
    }
}

/// The reason of an entry with the remark.
#[must_use]
pub fn with_remark(reason: Option<&str>, visit: &Visit) -> String {
    let remark = visit.remark();
    reason.map_or_else(|| remark.clone(), |reason| format!("{reason}{JOINT}{remark}"))
}

const JOINT: &str = ", ";

impl StationLife {
    /// What holds after one input; `None` if nothing is to be kept. What
    /// happened is in the ledger. A visit whose time is over by then ends
    /// first.
    ///
    /// # Errors
    /// If a person's input does not fit what holds: that stays as it is, and so
    /// does the ledger.
    pub fn step(
        before: Option<&StationLife>,
        input: Input<'_>,
        moment: &Moment,
        ledger: &mut Ledger<'_>,
    ) -> Result<Option<StationLife>, Rejected> {
        let (sequence, written) = (*ledger.sequence, ledger.events.len());
        let mut step = Step { life: before.cloned().unwrap_or_default(), moment, ledger: &mut *ledger };
        step.time();
        let taken = step.take(input);
        let life = step.life;
        if let Err(rejected) = taken {
            *ledger.sequence = sequence;
            ledger.events.truncate(written);
            return Err(rejected);
        }
        Ok((life != StationLife::default()).then_some(life))
    }

    /// When time alone changes something, in milliseconds UTC.
    #[must_use]
    pub fn due_ms(&self) -> Option<i64> {
        self.visit.as_ref().map(|visit| visit.until_ms)
    }

    /// The visit that lasts now.
    #[must_use]
    pub fn visit_at(&self, now_ms: i64) -> Option<&Visit> {
        self.visit.as_ref().filter(|visit| visit.lasts(now_ms))
    }
}

/// One step under way.
struct Step<'a, 'l> {
    life: StationLife,
    moment: &'a Moment,
    ledger: &'a mut Ledger<'l>,
}

impl Step<'_, '_> {
    fn take(&mut self, input: Input<'_>) -> Result<(), Rejected> {
        match input {
            Input::Time => Ok(()),
            Input::Heard => {
                if self.life.retired.take().is_some() {
                    let reason = Some("heard again after it was retired");
                    self.tell(Kind::RetirementEnded, None, reason, None);
                }
                Ok(())
            }
            Input::BeginVisit { until_ms, by, reason } => self.begin_visit(until_ms, by, reason),
            Input::EndVisit { by } => {
                let by = alarm::name(by)?;
                if self.life.visit.is_none() {
                    return Err(Rejected::NotVisited);
                }
                self.end_visit(Some(by), None);
                Ok(())
            }
            Input::EndRetirement { by } => {
                let by = alarm::name(by)?;
                if self.life.retired.take().is_some() {
                    self.tell(Kind::RetirementEnded, Some(by), None, None);
                }
                Ok(())
            }
            Input::Retire { by, reason } => self.retire(by, reason),
            Input::Forget { by } => {
                let by = alarm::name(by)?;
                self.end_visit(Some(by), Some("the station is forgotten"));
                self.life.retired = None;
                self.tell(Kind::Forgotten, Some(by), None, None);
                Ok(())
            }
        }
    }

    fn time(&mut self) {
        let now_ms = self.moment.now_ms;
        if let Some(visit) = self.life.visit.as_ref().filter(|visit| !visit.lasts(now_ms)) {
            let reason = format!("the time of {} was over", visit.by);
            self.end_visit(None, Some(&reason));
        }
    }

    fn begin_visit(&mut self, until_ms: i64, by: &str, reason: Option<&str>) -> Result<(), Rejected> {
        let now_ms = self.moment.now_ms;
        let (by, reason) = (alarm::name(by)?, reason.map(alarm::reason).transpose()?);
        if until_ms <= now_ms {
            return Err(Rejected::EndHasPassed);
        }
        if until_ms > now_ms.saturating_add(Visit::LONGEST_MS) {
            return Err(Rejected::EndTooFar { max_ms: Visit::LONGEST_MS });
        }
        let before = self.life.visit.as_ref();
        let since_ms = match before.filter(|before| *before.by == *by) {
            Some(before) => before.since_ms,
            None => now_ms,
        };
        let visit = Visit { since_ms, until_ms, by: by.into(), reason: reason.map(Into::into) };
        if before == Some(&visit) {
            // Said twice.
            return Ok(());
        }
        if before.is_some_and(|before| *before.by != *by) {
            self.end_visit(Some(by), Some("somebody else is there now"));
        }
        self.life.visit = Some(visit);
        self.tell(Kind::VisitBegan, Some(by), reason, Some(until_ms));
        Ok(())
    }

    fn end_visit(&mut self, by: Option<&str>, reason: Option<&str>) {
        if self.life.visit.take().is_some() {
            self.tell(Kind::VisitEnded, by, reason, None);
        }
    }

    fn retire(&mut self, by: &str, reason: &str) -> Result<(), Rejected> {
        let (by, reason) = (alarm::name(by)?, alarm::reason(reason)?);
        if let Some(Retired { by, at_ms, .. }) = &self.life.retired {
            return Err(Rejected::AlreadyRetired { by: by.clone(), at_ms: *at_ms });
        }
        self.end_visit(Some(by), Some("the station is retired"));
        let at_ms = self.moment.now_ms;
        self.life.retired = Some(Retired { at_ms, by: by.into(), reason: reason.into() });
        self.tell(Kind::Retired, Some(by), Some(reason), None);
        Ok(())
    }

    fn tell(&mut self, kind: Kind, by: Option<&str>, reason: Option<&str>, until_ms: Option<i64>) {
        self.ledger.of_station(self.moment, kind, by, reason, until_ms);
    }
}

#[cfg(test)]
mod tests;
