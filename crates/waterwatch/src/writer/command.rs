//! Operators' commands: deciding them, before the reports of their batch, and
//! telling what became of them.

use std::time::Instant;

use waterwatch_core::alarm::{self, Alarm, AlarmSource, Input, Ledger, Order, Point, Rejected, State};
use waterwatch_core::{Origin, StationId, station_life};

use super::draft::{Draft, Ground};
use super::tokens::NewToken;
use crate::command::{Command, Done, NotDone, Outcome, What, comms_of};
use crate::lane::Awaited;
use crate::store::{AlarmKey, Store};

/// Why a command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotObeyed {
    /// It does not fit how things stand.
    Rejected(Rejected),
    /// Whether it fits could not be found out.
    NotDone(NotDone),
}

impl From<Rejected> for NotObeyed {
    fn from(rejected: Rejected) -> NotObeyed {
        NotObeyed::Rejected(rejected)
    }
}

impl NotObeyed {
    /// It depends on what could not be read: nobody is told what may be wrong.
    pub(super) fn unread(error: &anyhow::Error) -> NotObeyed {
        tracing::error!("cannot read what a command depends on; it is not done: {error:#}");
        NotObeyed::NotDone(NotDone::NotRead)
    }
}

/// Those whose callers still wait; the others hear that nothing of theirs is done.
pub(super) fn in_time(requests: Vec<Awaited>, now: Instant) -> Vec<Awaited> {
    let mut waiting = Vec::with_capacity(requests.len());
    for awaited in requests {
        if awaited.commands.iter().any(|command| command.deadline < now) {
            awaited.answer_not_done(NotDone::TooLate);
        } else {
            waiting.push(awaited);
        }
    }
    waiting
}

/// Tells what became of each command. A batch that is not there has taken back
/// whatever one was rejected for.
pub(super) fn tell(requests: Vec<Awaited>, obeyed: Vec<Result<Done, NotObeyed>>, is_there: bool) {
    let mut outcomes = obeyed.into_iter().map(|obeyed| match obeyed {
        _ if !is_there => Outcome::NotDone(NotDone::NotStored),
        Ok(done) => Outcome::Done(done),
        Err(NotObeyed::Rejected(rejected)) => Outcome::Rejected(rejected),
        Err(NotObeyed::NotDone(why)) => Outcome::NotDone(why),
    });
    for awaited in requests {
        let its_own = outcomes.by_ref().take(awaited.commands.len()).collect();
        awaited.answer(its_own);
    }
}

impl Draft {
    /// Decides one command. One that is rejected leaves the draft as it was.
    pub(super) fn obey<S: Store>(
        &mut self,
        ground: &Ground<'_, S>,
        command: &Command,
    ) -> Result<Done, NotObeyed> {
        let store = ground.store;
        match (&command.what, command.what.station()) {
            (What::SetStation { .. }, Some(id)) => self.has_room(ground, id)?,
            // Whoever mistypes a number has paused nothing, and must hear so.
            (_, Some(id)) if !self.is_named(ground, id) && !self.is_kept(store, id) => {
                return Err(Rejected::NoSuchStation { station: id }.into());
            }
            _ => {}
        }
        let by = &*command.by;
        let order = |until_ms: &i64, reason| Order { until_ms: *until_ms, by, reason };
        let take_out = |until_ms, reason| Input::TakeOutOfService(order(until_ms, reason));
        match &command.what {
            What::Acknowledge { alarm, occurrence } => {
                Ok(self.obey_one(ground, alarm, Input::Acknowledge { occurrence: *occurrence, by })?)
            }
            What::Shelve { alarm, until_ms, reason } => {
                Ok(self.obey_one(ground, alarm, Input::Shelve(order(until_ms, reason)))?)
            }
            What::Unshelve { alarm } => Ok(self.obey_one(ground, alarm, Input::Unshelve { by })?),
            What::TakeOutOfService { alarm, until_ms, reason } => {
                Ok(self.obey_one(ground, alarm, take_out(until_ms, reason))?)
            }
            What::ReturnToService { alarm } => {
                Ok(self.obey_one(ground, alarm, Input::ReturnToService { by })?)
            }
            What::Note { alarm, occurrence, text } => self.note(ground, alarm, *occurrence, (by, text)),
            What::Pause { station, until_ms, reason } => {
                Ok(self.obey_one(ground, &comms_of(*station), take_out(until_ms, reason))?)
            }
            What::Resume { station } if self.is_retired(store, *station) => {
                self.end_retirement(store, ground.watch, *station, by)?;
                Ok(self.done())
            }
            What::Resume { station } => {
                let resumed = self.obey_one(ground, &comms_of(*station), Input::ReturnToService { by });
                Ok(resumed.map_err(|why| match why {
                    Rejected::NotOutOfService => Rejected::NotPaused,
                    why => why,
                })?)
            }
            What::BeginVisit { station, .. } if self.is_retired(store, *station) => {
                Err(Rejected::StationRetired.into())
            }
            What::BeginVisit { station, until_ms, reason } => {
                let (until_ms, reason) = (*until_ms, reason.as_deref());
                let input = station_life::Input::BeginVisit { until_ms, by, reason };
                self.live(store, *station, input, Default::default())?;
                Ok(self.done())
            }
            What::EndVisit { station } => {
                let input = station_life::Input::EndVisit { by };
                self.live(store, *station, input, Default::default())?;
                Ok(self.done())
            }
            What::SetStation { station, says, if_said } => {
                self.set_station(store, *station, says, (by, if_said.as_deref())).map(|()| self.done())
            }
            What::SetArea { area, says, if_said } => {
                self.set_area(ground, area, says, (by, if_said.as_deref())).map(|()| self.done())
            }
            What::SetFleet { says, if_said } => {
                self.set_fleet(store, says, (by, if_said.as_deref())).map(|()| self.done())
            }
            What::Retire { station, reason } => {
                self.retire(store, ground.watch.settings(), *station, (by, reason))?;
                Ok(self.done())
            }
            What::Forget { station, if_said } => {
                self.forget(ground, *station, (by, if_said.as_deref()))?;
                Ok(self.done())
            }
            What::AddToken { name, role, rights, digest } => {
                let made = NewToken { name, role: *role, rights: *rights, digest: *digest };
                self.add_token(store.tokens(), &made, Some(by))?;
                Ok(self.done())
            }
            What::RevokeToken { name } => {
                self.revoke_token(store.tokens(), name, by)?;
                Ok(self.done())
            }
        }
    }

    /// Whoever names stations that nobody has ever heard must not fill the
    /// memory with them.
    fn has_room<S: Store>(&self, ground: &Ground<'_, S>, id: StationId) -> Result<(), Rejected> {
        let &Ground { store, stations_max, watch } = ground;
        let settings = watch.settings();
        let kept = store.lives().len().max(store.alarms().len() / Point::ALL.len());
        let kept = kept.max(settings.said().len());
        if store.find(id).is_none() && !settings.is_said(id) && kept >= stations_max {
            return Err(Rejected::StationsMax { station: id, stations_max });
        }
        Ok(())
    }

    fn obey_one<S: Store>(
        &mut self,
        ground: &Ground<'_, S>,
        alarm: &AlarmKey,
        input: Input<'_>,
    ) -> Result<Done, Rejected> {
        self.is_there(ground, alarm)?;
        let store = ground.store;
        let (source, point) = alarm.clone();
        if let AlarmSource::Station(id) = source
            && self.is_retired(store, id)
        {
            return Err(Rejected::StationRetired);
        }
        let subject = self.subject(source, point, Origin::default(), None);
        self.judgement.step(store, &mut self.batch, ground.watch.settings(), &subject, input)?;
        Ok(self.done_with(store, alarm))
    }

    /// A note about an occurrence, the one that is open if none is named.
    fn note<S: Store>(
        &mut self,
        ground: &Ground<'_, S>,
        alarm: &AlarmKey,
        occurrence: Option<i64>,
        (by, text): (&str, &str),
    ) -> Result<Done, NotObeyed> {
        self.is_there(ground, alarm)?;
        let (by, text) = (alarm::name(by)?, alarm::note(text)?);
        let done = self.done_with(ground.store, alarm);
        let occurrence = match occurrence.or(done.occurrence) {
            Some(open) if done.occurrence == Some(open) && open <= ground.store.sequence() => open,
            Some(named) if has_occurred(ground.store, alarm, named)? => named,
            _ => return Err(Rejected::NoSuchOccurrence { named: occurrence }.into()),
        };
        let (source, point) = alarm.clone();
        let subject = self.subject(source, point, Origin::default(), None);
        let mut ledger = Ledger { sequence: &mut self.batch.sequence, events: &mut self.batch.events };
        ledger.note(&subject, done.state.unwrap_or(State::Normal), occurrence, (by, text));
        Ok(Done { sequence: self.batch.sequence, ..done })
    }

    /// How an alarm is after the batch so far.
    fn done_with<S: Store>(&self, store: &S, alarm: &AlarmKey) -> Done {
        let after = self.judgement.current(store, &self.batch, alarm);
        let occurrence = after.and_then(|after| after.occurrence.as_ref()).map(|open| open.sequence);
        Done { state: Some(after.map_or(State::Normal, Alarm::state)), occurrence, ..self.done() }
    }

    /// Whether there is such an alarm.
    fn is_there<S: Store>(&self, ground: &Ground<'_, S>, alarm: &AlarmKey) -> Result<(), Rejected> {
        let (source, point) = alarm.clone();
        let is_there = match &source {
            AlarmSource::Station(_) | AlarmSource::Server => true,
            // Also one that has no stations any more, while its alarm is not over.
            AlarmSource::Area(name) => {
                ground.watch.settings().area_named(name).is_some()
                    || self.judgement.current(ground.store, &self.batch, alarm).is_some()
            }
        };
        if !is_there || !Point::of(&source).contains(&point) {
            return Err(Rejected::NoSuchAlarm { of: source, point });
        }
        Ok(())
    }

    /// What is done about no alarm.
    fn done(&self) -> Done {
        Done { sequence: self.batch.sequence, state: None, occurrence: None }
    }
}

fn has_occurred<S: Store>(store: &S, alarm: &AlarmKey, occurrence: i64) -> Result<bool, NotObeyed> {
    store.has_occurred(alarm, occurrence).map_err(|error| NotObeyed::unread(&error))
}
