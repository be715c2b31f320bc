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
        let place = self.places.get(&key).copied();
        let before = match place {
            Some(place) => alarms[place].1.as_ref(),
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
        match place {
            Some(place) => alarms[place].1 = after,
            None => {
                self.places.insert(key.clone(), alarms.len());
                alarms.push((key, after));
            }
        }
        Ok(())
    }
}
