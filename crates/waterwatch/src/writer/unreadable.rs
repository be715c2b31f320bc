//! Alarms whose facts cannot be read: each is raised afresh, so that somebody looks. What
//! was known of it (an acknowledgement, a shelf) is lost, and nobody is to believe that it
//! was normal.

use waterwatch_core::alarm::{Alarm, AlarmSource, Input, Ledger, PointSettings, Subject};
use waterwatch_core::silence::Now;
use waterwatch_core::{Origin, Settings};

use super::draft::Draft;
use super::identity::is_contact_on;
use super::watch::Watch;
use crate::store::{AlarmKey, Batch, Store};

impl Draft {
    /// Decides what follows from facts that cannot be read, all in one batch: there are
    /// few, or the database is beyond help.
    pub(super) fn raise_unreadable<S: Store>(&mut self, store: &S, watch: &Watch, now: Now) {
        self.begin(store, watch, now, false);
        for row in store.unreadable() {
            let Some(key) = row.alarm.as_ref().filter(|key| store.alarms().get(key).is_none()) else {
                continue;
            };
            if matches!(key.0, AlarmSource::Station(id) if store.lives().is_retired(id)) {
                // It concerns nobody any more, and its row goes.
                self.judgement.set(&mut self.batch, key.clone(), None);
                continue;
            }
            self.raise_afresh(watch.settings(), key, &row.why);
            // It returns as any other if nothing is on, and waits for its
            // acknowledgement if it is of those that do.
            if !is_contact_on(store, watch, key) {
                let subject = self.subject(key.0.clone(), key.1, Origin::default(), None);
                self.step(store, watch.settings(), &subject, Input::Contact(false));
            }
        }
        self.remark_visits(store);
    }

    fn raise_afresh(&mut self, settings: &Settings, key: &AlarmKey, why: &str) {
        // A delay may have been over: it is not waited for again.
        let holds = *settings.of_source(&key.0).point(key.1);
        let holds = PointSettings { on_delay_ms: 0, ..holds };
        let subject = self.subject(key.0.clone(), key.1, Origin::default(), None);
        let subject = Subject { reason: Some(why.to_owned().into()), ..subject };
        let Batch { events, sequence, .. } = &mut self.batch;
        let mut ledger = Ledger { sequence, events };
        // Only what an operator wants is ever rejected.
        if let Ok(after) = Alarm::step(None, Input::Contact(true), &holds, &subject, &mut ledger) {
            self.judgement.set(&mut self.batch, key.clone(), after);
        }
    }
}
