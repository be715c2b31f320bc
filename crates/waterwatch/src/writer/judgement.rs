//! The alarms' part of a draft: their facts after the batch, on copies.

use hashbrown::HashMap;
use waterwatch_core::Settings;
use waterwatch_core::alarm::{Alarm, Input, Ledger, Rejected, Subject};

use super::quota::Quota;
use crate::store::{AlarmKey, Batch, Store};

/// Where in the batch the facts of an alarm are, if it changed them.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    places: HashMap<AlarmKey, usize>,
    /// Of all batches.
    quota: Quota,
}

impl Judgement {
    pub(super) fn clear(&mut self) {
        self.places.clear();
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
