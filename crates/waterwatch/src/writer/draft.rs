//! Deciding a batch: what reports do to the stations that are known, on
//! copies that become the state only once they are recorded.

use std::collections::HashMap;

use waterwatch_core::wire::Refusal;
use waterwatch_core::{Novelty, Report, Source, Span, Station, StationId};

use crate::lane::Verdict;
use crate::log::Seldom;
use crate::store::{Batch, Change, Slot, Store};

/// Stations that are looked for together: a million of them are in no cache,
/// and the processor waits for many of them at once only if nothing else
/// comes between.
const FOUND_TOGETHER: usize = 32;

/// The batch that is being decided, on copies. Made anew for each batch, in
/// the memory of the one before.
#[derive(Debug, Default)]
pub struct Draft {
    /// What was decided.
    pub batch: Batch,
    /// For each station that is known, where its change is in the batch, if
    /// it is there: what stands here is right only if that change is this
    /// station's.
    places: Vec<u32>,
    /// The same for stations that are new in the batch.
    new: HashMap<StationId, u32>,
}

impl Draft {
    /// Decides what connections have sent, each with where it came from;
    /// returns a verdict for each.
    pub fn decide<'a, S: Store>(
        &mut self,
        store: &S,
        now_ms: i64,
        stations_max: usize,
        submissions: impl Iterator<Item = (&'a [Report], Source)>,
    ) -> Vec<Verdict> {
        self.batch.changes.clear();
        self.batch.spans.clear();
        self.new.clear();
        self.batch.received_at_ms = now_ms;
        self.batch.sequence = store.sequence();
        let verdicts = submissions
            .map(|(reports, source)| self.hear_all(store, reports, source, stations_max))
            .collect();
        let reports = self.batch.sequence - store.sequence();
        self.batch.reports = usize::try_from(reports).expect("a batch is bounded");
        verdicts
    }

    fn hear_all<S: Store>(
        &mut self,
        store: &S,
        reports: &[Report],
        source: Source,
        stations_max: usize,
    ) -> Verdict {
        let mut refused = Verdict::new();
        for (part, reports) in reports.chunks(FOUND_TOGETHER).enumerate() {
            let mut found = [None; FOUND_TOGETHER];
            for (found, report) in found.iter_mut().zip(reports) {
                *found = store.find(report.station_id);
            }
            for (place, (&report, known)) in reports.iter().zip(found).enumerate() {
                if let Err(refusal) = self.hear(store, known, report, source, stations_max) {
                    refused.push((part * FOUND_TOGETHER + place, refusal));
                }
            }
        }
        refused
    }

    fn hear<S: Store>(
        &mut self,
        store: &S,
        known: Option<(Slot, &Station)>,
        report: Report,
        source: Source,
        stations_max: usize,
    ) -> Result<(), Refusal> {
        let id = report.station_id;
        let place = match known {
            Some((slot, _)) => self.places.get(slot.index()).copied().filter(|&place| {
                self.batch.changes.get(place as usize).is_some_and(|change| change.slot == Some(slot))
            }),
            None => self.new.get(&id).copied(),
        };
        let Batch { changes, spans, sequence, received_at_ms, .. } = &mut self.batch;
        if let Some(place) = place {
            *sequence += 1;
            changes[place as usize].hear(report, source, *received_at_ms, *sequence, |span| {
                spans.push((place, span));
            });
            return Ok(());
        }
        if known.is_none() && store.station_count() + self.new.len() >= stations_max {
            return Err(no_more_stations(id, stations_max));
        }
        *sequence += 1;
        let (station, novelty) =
            Station::hear(known.map(|(_, before)| before), report, source, *received_at_ms, *sequence);
        let place = u32::try_from(changes.len()).expect("a batch is bounded");
        if let (Some((_, before)), true) = (known, novelty > Novelty::Repeats)
            && let Some(span) = before.span_until_now()
        {
            spans.push((place, span));
        }
        changes.push(Change { id, slot: known.map(|(slot, _)| slot), station, reports: 1, novelty });
        match known {
            Some((slot, _)) => {
                if self.places.len() <= slot.index() {
                    self.places.resize(store.station_count(), 0);
                }
                self.places[slot.index()] = place;
            }
            None => drop(self.new.insert(id, place)),
        }
        Ok(())
    }
}

impl Change {
    /// One more report of the same station. `over` is told the span that it
    /// ended, if it did.
    fn hear(
        &mut self,
        report: Report,
        source: Source,
        received_at_ms: i64,
        sequence: i64,
        over: impl FnOnce(Span),
    ) {
        let before = self.station;
        let (station, novelty) = Station::hear(Some(&before), report, source, received_at_ms, sequence);
        if novelty > Novelty::Repeats
            && let Some(span) = before.span_until_now()
        {
            over(span);
        }
        self.station = station;
        self.reports += 1;
        self.novelty = self.novelty.max(novelty);
    }
}

fn no_more_stations(station_id: StationId, stations_max: usize) -> Refusal {
    static NO_MORE_STATIONS: Seldom = Seldom::new(Seldom::EVERY);
    NO_MORE_STATIONS.say(|held_back| {
        tracing::warn!(%station_id, stations_max, held_back, "refused a new station: stations_max are known");
    });
    Refusal::StationsMax { station_id, stations_max }
}
