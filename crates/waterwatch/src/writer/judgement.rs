//! The alarms' part of a draft: their facts after the batch, and who reports as
//! each station, on copies.

use hashbrown::HashMap;
use waterwatch_core::alarm::{Alarm, Input, Ledger, Rejected, State, Subject};
use waterwatch_core::{Contest, Origin, Settings, StationId};

use super::quota::Quota;
use crate::store::{AlarmKey, Batch, Store};

/// Where in the batch the facts of an alarm are, if it changed them.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    places: HashMap<AlarmKey, usize>,
    /// The same for what is remembered of who reports as a station.
    contests: HashMap<StationId, usize>,
    /// Of all batches.
    quota: Quota,
}

impl Judgement {
    /// Begins a batch; whether the one before was recorded.
    pub(super) fn begin(&mut self, was_recorded: bool) {
        self.places.clear();
        self.contests.clear();
        self.quota.begin(was_recorded);
    }

    /// Whether the batch changed what is remembered of who reports as this
    /// station.
    pub(super) fn is_contest_new(&self, id: StationId) -> bool {
        // For nearly all batches it is empty.
        !self.contests.is_empty() && self.contests.contains_key(&id)
    }

    /// What is remembered of who reports as a station.
    pub(super) fn contest<'a, S: Store>(
        &self,
        store: &'a S,
        batch: &'a Batch,
        id: StationId,
    ) -> Option<&'a Contest> {
        match self.contests.get(&id) {
            Some(&place) => batch.contests[place].1.as_ref(),
            None => store.contests().get(id),
        }
    }

    /// Remembers something else.
    pub(super) fn remember(&mut self, batch: &mut Batch, id: StationId, contest: Option<Contest>) {
        match self.contests.get(&id) {
            Some(&place) => batch.contests[place].1 = contest,
            None => {
                self.contests.insert(id, batch.contests.len());
                batch.contests.push((id, contest));
            }
        }
    }

    /// Writes that reports of a station come from elsewhere than before, unless
    /// so much was written of that lately.
    pub(super) fn moved<S: Store>(
        &mut self,
        store: &S,
        batch: &mut Batch,
        subject: &Subject,
        before: Origin,
    ) {
        let key = (subject.source.clone(), subject.point);
        let Batch { alarms, events, sequence, .. } = batch;
        let alarm = match self.places.get(&key) {
            Some(&place) => alarms[place].1.as_ref(),
            None => store.alarms().get(&key),
        };
        let Some(stands_for) = self.quota.take(&key, subject.received_at_ms) else { return };
        let state = alarm.map_or(State::Normal, Alarm::state);
        let count = (stands_for > 1).then_some(stands_for);
        Ledger { sequence, events }.origin_changed(subject, state, before, count);
    }

    /// Whether the batch has changed this alarm.
    pub(super) fn has(&self, key: &AlarmKey) -> bool {
        self.places.contains_key(key)
    }

    /// The facts of an alarm as they are after what is decided so far.
    pub(super) fn current<'a, S: Store>(
        &self,
        store: &'a S,
        batch: &'a Batch,
        key: &AlarmKey,
    ) -> Option<&'a Alarm> {
        match self.places.get(key) {
            Some(&place) => batch.alarms[place].1.as_ref(),
            None => store.alarms().get(key),
        }
    }

    /// Its facts are these after the batch.
    pub(super) fn set(&mut self, batch: &mut Batch, key: AlarmKey, after: Option<Alarm>) {
        match self.places.get(&key) {
            Some(&place) => batch.alarms[place].1 = after,
            None => {
                self.places.insert(key.clone(), batch.alarms.len());
                batch.alarms.push((key, after));
            }
        }
    }

    /// Steps one alarm; what follows is in `batch`.
    pub(super) fn step<S: Store>(
        &mut self,
        store: &S,
        batch: &mut Batch,
        settings: &Settings,
        subject: &Subject,
        input: Input<'_>,
    ) -> Result<(), Rejected> {
        let key = (subject.source.clone(), subject.point);
        let Batch { alarms, events, sequence, .. } = batch;
        let before = match self.places.get(&key) {
            Some(&place) => alarms[place].1.as_ref(),
            None => store.alarms().get(&key),
        };
        if before.is_none() && matches!(input, Input::Contact(false) | Input::Time) {
            return Ok(());
        }
        let written = events.len();
        let mut ledger = Ledger { sequence, events };
        let after = Alarm::step(
            before,
            input,
            settings.of_source(&subject.source).point(subject.point),
            subject,
            &mut ledger,
        )?;
        if after.as_ref() == before {
            return Ok(());
        }
        if let [event] = &mut events[written..]
            && event.kind.is_passing()
        {
            match self.quota.take(&key, subject.received_at_ms) {
                Some(stands_for) => event.count = (stands_for > 1).then_some(stands_for),
                None => {
                    events.pop();
                    *sequence -= 1;
                }
            }
        }
        self.set(batch, key, after);
        Ok(())
    }
}
