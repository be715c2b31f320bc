//! The writer against a store that fails as told.

mod commands;
mod expected;
mod gaps;
mod identity;
mod new_stations;
mod sending;
mod settings;
mod stations;
mod time;
mod together;
mod tokens;
mod turns;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::lane::{self, Lane};
use crate::store::stations::{Slot, Stations};
use crate::store::{Alarms, Batch, Board, Contests, Lives, StoreError};
use waterwatch_core::alarm::Event;
use waterwatch_core::{Origin, Report, Span, Station, StationId};

/// What happens at one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Full,
    Unknown,
}

/// A store in memory whose next commits fail in this order.
#[derive(Debug, Default)]
struct FaultyStore {
    durable: Arc<Mutex<Durable>>,
    stations: Stations,
    alarms: Alarms,
    lives: Lives,
    contests: Contests,
    sequence: i64,
}

#[derive(Debug, Default)]
struct Durable {
    faults: Vec<Fault>,
    stations: BTreeMap<StationId, Station>,
    alarms: Alarms,
    lives: Lives,
    contests: Contests,
    events: Vec<Event>,
    sequence: i64,
    spans: Vec<(StationId, Span)>,
    reopened: usize,
    reopen_fails: bool,
}

impl Store for FaultyStore {
    fn find(&self, id: StationId) -> Option<(Slot, &Station)> {
        self.stations.find(id)
    }

    fn station_count(&self) -> usize {
        self.stations.len()
    }

    fn places(&self) -> usize {
        self.stations.places()
    }

    fn is_vacant(&self, slot: Slot) -> bool {
        self.stations.is_vacant(slot)
    }

    fn station(&self, slot: Slot) -> (StationId, &Station) {
        let (id, station) = self.stations.at(slot);
        (*id, station)
    }

    fn board(&self) -> Arc<Board> {
        self.stations.board()
    }

    fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    fn lives(&self) -> &Lives {
        &self.lives
    }

    fn contests(&self) -> &Contests {
        &self.contests
    }

    fn sequence(&self) -> i64 {
        self.sequence
    }

    fn alive_until_ms(&self) -> Option<i64> {
        None
    }

    fn listener(&mut self, _address: &str) -> anyhow::Result<u16> {
        Ok(1)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut durable = self.durable.lock().unwrap();
        // That the server is alive is recorded when it is; only what is heard
        // and decided meets a fault.
        let is_alive_alone = batch.changes.is_empty() && batch.events.is_empty();
        let fault = (!is_alive_alone && !durable.faults.is_empty()).then(|| durable.faults.remove(0));
        match fault {
            Some(Fault::Full) => return Err(StoreError::Unavailable("full".to_owned())),
            Some(Fault::Unknown) => return Err(StoreError::OutcomeUnknown("sync failed".to_owned())),
            Some(Fault::None) | None => {}
        }
        let reports: u32 = batch.changes.iter().map(|change| change.reports).sum();
        assert_eq!(reports as usize, batch.reports);
        let events = i64::try_from(batch.events.len()).unwrap();
        assert_eq!(batch.sequence, self.sequence + i64::from(reports) + events);
        for (id, slot) in &batch.forgotten {
            assert_eq!(self.stations.remove(*id), *slot);
            durable.stations.remove(id);
        }
        for change in &batch.changes {
            let earlier = durable.stations.insert(change.id, change.station);
            assert_eq!(earlier.is_some(), change.slot.is_some(), "a station is once in a batch");
            match change.slot {
                Some(slot) => self.stations.set(slot, change.station),
                None => drop(self.stations.add(change.id, change.station)),
            }
        }
        durable
            .spans
            .extend(batch.spans.iter().map(|(place, span)| (batch.changes[*place as usize].id, *span)));
        self.alarms.apply(batch);
        self.lives.apply(&batch.lives);
        self.contests.apply(&batch.contests);
        self.sequence = batch.sequence;
        durable.alarms.apply(batch);
        durable.lives.apply(&batch.lives);
        durable.contests.apply(&batch.contests);
        durable.events.extend_from_slice(&batch.events);
        durable.sequence = batch.sequence;
        Ok(())
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        let mut durable = self.durable.lock().unwrap();
        durable.reopened += 1;
        anyhow::ensure!(!durable.reopen_fails, "no such disk");
        self.stations = Stations::default();
        for (id, station) in &durable.stations {
            self.stations.add(*id, *station);
        }
        self.alarms = durable.alarms.clone();
        self.lives = durable.lives.clone();
        self.contests = durable.contests.clone();
        self.sequence = durable.sequence;
        Ok(())
    }
}

fn report(line: &str) -> Report {
    waterwatch_core::wire::parse(line.as_bytes()).unwrap()
}

/// What a run came to.
struct Outcome {
    ended: anyhow::Result<()>,
    verdicts: Vec<Option<Verdict>>,
    hang_ups: usize,
    store: Arc<Mutex<Durable>>,
}

impl Rules {
    /// These limits, and nothing else.
    fn of(limits: &Limits) -> Rules {
        Rules { limits: limits.clone(), settled: Settled::default(), plan: CurrentPlan::default() }
    }
}

/// Runs the writer over these submissions, each sent after the verdict on
/// the one before.
fn run_over(faults: &[Fault], limits: &Limits, submissions: &[&[&str]]) -> Outcome {
    let store = FaultyStore::default();
    store.durable.lock().unwrap().faults = faults.to_vec();
    run_on(store, limits, submissions)
}

fn run_on(store: FaultyStore, limits: &Limits, submissions: &[&[&str]]) -> Outcome {
    let (lane, _, receiver) = lane::open(limits.lane_bytes_max);
    let durable = Arc::clone(&store.durable);
    let (ended, verdicts, hang_ups) = thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let hang_ups = Cell::new(0);
            let hang_up = || hang_ups.set(hang_ups.get() + 1);
            let (stopping, onlookers) = (CancellationToken::new(), Onlookers::default());
            let ended = run(receiver, store, Rules::of(limits), hang_up, &stopping, onlookers);
            (ended, hang_ups.get())
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let verdicts = runtime.block_on(async {
            let mut verdicts = Vec::new();
            for lines in submissions {
                verdicts.push(submit(&lane, lines).await);
            }
            verdicts
        });
        drop(lane);
        let (ended, hang_ups) = writer.join().unwrap();
        (ended, verdicts, hang_ups)
    });
    Outcome { ended, verdicts, hang_ups, store: durable }
}

async fn submit(lane: &Lane, lines: &[&str]) -> Option<Verdict> {
    let mut speaker = lane.speaker();
    let room = std::future::poll_fn(|context| speaker.poll_room(context, 10)).await;
    let reports = lines.iter().map(|line| report(line)).collect();
    speaker.submit(reports, Origin::default(), room).await
}

fn limits() -> Limits {
    Limits { store_retry_s: 0, stations_max: 3, ..Limits::default() }
}

fn stored(outcome: &Outcome) -> Vec<String> {
    let durable = outcome.store.lock().unwrap();
    (durable.stations.iter())
        .map(|(id, station)| {
            format!("{id} {} {} x{}", u8::from(station.alarm1), u8::from(station.alarm2), station.reports)
        })
        .collect()
}

#[test]
fn a_batch_is_recorded_and_then_told() {
    let outcome = run_over(&[], &limits(), &[&["1 0 1", "2 0 0", "1 1 1"], &["1 0 0"]]);
    assert!(outcome.ended.is_ok());
    assert_eq!(outcome.verdicts, [Some(vec![]), Some(vec![])]);
    assert_eq!(stored(&outcome), ["1 0 0 x3", "2 0 0 x1"]);
}

/// Whatever way a station's reports fall into batches.
#[test]
fn each_change_ends_a_span() {
    let lines = ["1 0 0", "1 0 0", "2 1 1", "1 1 0", "1 0 0", "2 1 1", "1 0 0"];
    for submissions in [&[&lines[..]][..], &[&lines[..3], &lines[3..]], &[&lines[..5], &lines[5..]]] {
        let outcome = run_over(&[], &limits(), submissions);
        let durable = outcome.store.lock().unwrap();
        let spans: Vec<_> = (durable.spans.iter())
            .map(|(id, span)| (id.get(), span.sequence, span.alarm1, span.reports))
            .collect();
        // Alarms that are raised are numbered in the same order.
        assert_eq!(spans, [(1, 1, false, 2), (1, 6, true, 1)], "{submissions:?}");
        let open: Vec<_> =
            durable.stations.values().map(|station| (station.span.sequence, station.span.reports)).collect();
        assert_eq!(open, [(8, 2), (3, 2)], "{submissions:?}");
    }
}

#[test]
fn stations_beyond_the_limit_are_refused_and_the_known_ones_go_on() {
    let outcome =
        run_over(&[], &limits(), &[&["1 0 0", "2 0 0", "3 0 0", "4 0 0", "1 1 0"], &["5 0 0", "2 1 1"]]);
    let refused: Vec<Vec<usize>> = outcome
        .verdicts
        .iter()
        .flatten()
        .map(|verdict| verdict.iter().map(|(place, _)| *place).collect())
        .collect();
    assert_eq!(refused, [vec![3], vec![0]]);
    assert_eq!(stored(&outcome), ["1 1 0 x2", "2 1 1 x2", "3 0 0 x1"]);
}

#[test]
fn a_batch_of_refusals_alone_is_told_without_a_commit() {
    let mut limits = limits();
    limits.stations_max = 1;
    let outcome = run_over(&[], &limits, &[&["1 0 0"], &["2 0 0"]]);
    assert_eq!(outcome.verdicts[1].as_ref().map(Vec::len), Some(1));
    assert_eq!(stored(&outcome), ["1 0 0 x1"]);
}

#[test]
fn without_room_nobody_is_answered_and_it_heals() {
    let outcome = run_over(&[Fault::Full], &limits(), &[&["1 0 1"], &["1 1 1"]]);
    assert!(outcome.ended.is_ok());
    assert_eq!(outcome.verdicts, [None, Some(vec![])]);
    assert_eq!((outcome.hang_ups, stored(&outcome)), (0, vec!["1 1 1 x1".to_owned()]));
}

#[test]
fn the_same_batch_is_tried_again_while_there_is_no_room() {
    let limits = Limits { store_retry_s: 60, ..limits() };
    let outcome = run_over(&[Fault::Full, Fault::Full], &limits, &[&["1 0 1"]]);
    assert_eq!(outcome.verdicts, [Some(vec![])]);
    assert_eq!(stored(&outcome), ["1 0 1 x1"]);
}

#[test]
fn after_an_unknown_outcome_all_hang_up_and_the_state_comes_from_the_disk() {
    let outcome = run_over(&[Fault::Unknown], &limits(), &[&["1 0 1"], &["1 1 1"]]);
    assert!(outcome.ended.is_ok());
    assert_eq!(outcome.verdicts, [None, Some(vec![])]);
    assert_eq!(outcome.hang_ups, 1);
    assert_eq!(outcome.store.lock().unwrap().reopened, 1);
    assert_eq!(stored(&outcome), ["1 1 1 x1"]);
}

#[test]
fn twice_in_a_row_ends_the_writer() {
    let outcome =
        run_over(&[Fault::Unknown, Fault::Unknown], &limits(), &[&["1 0 1"], &["1 1 1"], &["2 0 0"]]);
    assert!(outcome.ended.unwrap_err().to_string().contains("twice in a row"));
    assert_eq!(outcome.verdicts, [None, None, None]);
}

#[test]
fn a_commit_in_between_makes_it_a_first_time_again() {
    let faults = [Fault::Unknown, Fault::None, Fault::Unknown, Fault::None];
    let outcome = run_over(&faults, &limits(), &[&["1 0 1"][..]; 4]);
    assert!(outcome.ended.is_ok());
    assert_eq!(outcome.verdicts, [None, Some(vec![]), None, Some(vec![])]);
    assert_eq!(outcome.hang_ups, 2);
}

#[test]
fn a_database_that_cannot_be_opened_again_ends_the_writer() {
    let store = FaultyStore::default();
    {
        let mut durable = store.durable.lock().unwrap();
        durable.faults = vec![Fault::Unknown];
        durable.reopen_fails = true;
    }
    let outcome = run_on(store, &limits(), &[&["1 0 1"], &["1 0 1"]]);
    assert!(format!("{:#}", outcome.ended.unwrap_err()).contains("no such disk"));
    assert_eq!(outcome.verdicts, [None, None]);
    assert_eq!(outcome.hang_ups, 1);
}
