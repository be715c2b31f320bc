//! Silent stations that send, and are refused.

use std::collections::HashSet;
use std::sync::Arc;

use waterwatch_core::alarm::{AlarmSource, Kind, Ledger, Point, Subject};
use waterwatch_core::{Origin, StationId};

use super::draft::Draft;
use super::watch::Watch;
use crate::refused::Refused;
use crate::store::{Batch, Store};

/// What the reason of an entry begins with that says so.
const SENDING: &str = "sending, but refused: ";

/// Which silent stations send what is refused, as far as it is told.
#[derive(Debug, Default)]
pub(super) struct Sending {
    refused: Arc<Refused>,
    /// Stations that were refused of late and are not looked at yet.
    news: Vec<StationId>,
    /// When they were last asked for; steady.
    asked_ms: i64,
    /// Silent stations of which it is told. Not kept over a start, which tells it
    /// once more.
    told: HashSet<StationId>,
}

impl Sending {
    pub(super) fn of(refused: Arc<Refused>) -> Sending {
        Sending { refused, ..Sending::default() }
    }

    /// Asks what is new, no oftener than each turn without a report: whoever floods
    /// the server with refused lines does not keep the writer busy.
    pub(super) fn turn(&mut self, steady_ms: i64) {
        if self.news.is_empty() && steady_ms - self.asked_ms >= Watch::TURN_MS {
            self.asked_ms = steady_ms;
            self.news = self.refused.take_news();
            self.news.sort_unstable();
            self.news.dedup();
        }
    }

    /// Whether somebody is to be looked at.
    pub(super) fn is_due(&self) -> bool {
        !self.news.is_empty()
    }

    /// Why the station, which last reported with this sequence, only seems silent.
    pub(super) fn why(&self, id: StationId, sequence: i64) -> Option<String> {
        let last = self.refused.since(id, sequence)?;
        Some(format!("{SENDING}{}", last.refusal))
    }

    /// A station is forgotten, and with it what was told of its silence.
    pub(super) fn forget(&mut self, id: StationId) {
        self.told.remove(&id);
    }

    pub(super) fn recorded(&mut self, batch: &Batch) {
        self.refused.recorded(batch.sequence);
        for event in &batch.events {
            if event.kind == Kind::HeardAgain {
                for id in event.stations.iter().flatten() {
                    self.told.remove(id);
                }
            }
            let (AlarmSource::Station(id), Some(Point::Comms)) = (&event.source, event.point) else {
                continue;
            };
            if event.reason.as_ref().is_some_and(|reason| reason.starts_with(SENDING)) {
                self.told.insert(*id);
            } else if matches!(event.kind, Kind::Returned | Kind::OffWhileHidden) {
                self.told.remove(id);
            }
        }
        // Whoever is not silent is told of once it is.
        self.news.retain(|id| !self.told.contains(id));
    }
}

impl Draft {
    /// Says of silent stations that they send, and are refused, once a silence.
    pub(super) fn tell_refused<S: Store>(&mut self, store: &S, watch: &mut Watch) {
        let mut news = std::mem::take(&mut watch.sending.news);
        news.retain(|id| {
            let comms = (AlarmSource::Station(*id), Point::Comms);
            let is_silent = store.alarms().get(&comms).is_some_and(|alarm| alarm.contact);
            let sequence = store.find(*id).map_or(0, |(_, station)| station.sequence);
            let Some(reason) = watch.sending.why(*id, sequence) else { return false };
            let is_heard = self.hears(store, *id);
            if !is_silent || is_heard || self.is_forgotten(*id) || watch.sending.told.contains(id) {
                return false;
            }
            let subject = self.subject(comms.0.clone(), comms.1, Origin::default(), None);
            let subject = Subject { reason: Some(reason.into()), ..subject };
            let silence = self.current(store, &comms).cloned().unwrap_or_default();
            let Batch { sequence, events, .. } = &mut self.batch;
            Ledger { sequence, events }.sends_refused(&subject, &silence);
            true
        });
        watch.sending.news = news;
    }

    /// Whether the batch has a report of a station.
    fn hears<S: Store>(&self, store: &S, id: StationId) -> bool {
        store.find(id).is_some_and(|(slot, _)| self.has_report_of(slot))
    }
}
