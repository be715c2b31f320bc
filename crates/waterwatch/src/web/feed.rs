//! What is recorded anew in the ledger, read once and given to all who follow it:
//! hundreds of open pages cost one reading of each entry.
//!
//! Nobody waits for who follows. Who does not keep up with what is given here reads
//! from the ledger by itself.
//!
//! A feed that failed by a mistake of ours goes on from where it was. One that cannot
//! go on ends all streams, and takes no more: a page whose stream is cut off says so,
//! and one that hears nothing of an alarm does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use waterwatch_core::alarm::{AlarmSource, Event, Point};

use super::Web;
use super::following::frame;
use crate::live::{Live, NotShown};
use crate::log::Seldom;
use crate::mistakes;
use crate::pulse::Pulse;
use crate::store::reader::{Asked, Entry, ReadError, Reader, Window};
use crate::store::readers::{Readers, ReadersError};

/// Entries that are kept for those who are not level: some 600 bytes each, and
/// 100 KiB where one is about many stations, of which a million are some 120.
const KEPT_MAX: usize = 1_024;

/// Entries that are read at once.
const READ_MAX: usize = 128;

/// How long one reading may take.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// How long to wait until the next try where reading failed.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// How long to wait after a failure by a mistake of ours, and at most after many.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);

/// Who gave for so long without a failure is well again.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// What is recorded anew.
#[derive(Debug)]
pub struct Feed {
    readers: Readers,
    /// Up to where it was recorded when the server started.
    recorded_before: i64,
    last_recorded: watch::Receiver<i64>,
    /// Up to where it is given.
    given: AtomicI64,
    pulse: Arc<Pulse>,
    /// Whether it is too far behind to be believed.
    is_stale: watch::Sender<bool>,
    told: broadcast::Sender<Arc<Told>>,
    places: Arc<Semaphore>,
}

/// An entry that is given to all.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) entry: Entry,
    /// The area that its station is in.
    area: Option<Box<str>>,
    /// The entry as it is sent, the same for all.
    pub(super) frame: Bytes,
}

impl Feed {
    /// Reads what is recorded after `recorded_before` by `readers`, as `last_recorded`
    /// moves, for so many at most; how far it is behind is told there.
    #[must_use]
    pub fn new(
        readers: Readers,
        recorded_before: i64,
        last_recorded: watch::Receiver<i64>,
        streams_max: usize,
        pulse: Arc<Pulse>,
    ) -> Feed {
        Feed {
            readers,
            recorded_before,
            last_recorded,
            given: AtomicI64::new(recorded_before),
            pulse,
            is_stale: watch::Sender::new(false),
            told: broadcast::Sender::new(KEPT_MAX),
            places: Arc::new(Semaphore::new(streams_max.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// A place for one more who follows; `None` if there is none.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Up to where the ledger is recorded, and known to those who look at alarms.
    pub(super) fn newest(&self) -> i64 {
        self.recorded_before.max(*self.last_recorded.borrow())
    }

    /// Whether all up to this sequence is recorded, within some time.
    pub(super) async fn records(&self, sequence: i64, within: Duration) -> bool {
        let mut last_recorded = self.last_recorded.clone();
        let recorded = last_recorded.wait_for(|last| *last >= sequence);
        sequence <= self.recorded_before || timeout(within, recorded).await.is_ok_and(|found| found.is_ok())
    }

    /// What is given from now on. Who then reads the ledger to its end, and goes on
    /// with what is given, misses nothing.
    pub(super) fn follow(&self) -> broadcast::Receiver<Arc<Told>> {
        self.told.subscribe()
    }

    /// Why what it gives is not to be believed just now, if that is so.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        let is_stale = *self.is_stale.borrow();
        is_stale.then_some("the ledger cannot be followed just now; ask again in a moment; the log says more")
    }

    /// Comes back once it is not to be believed.
    pub(super) async fn until_stale(&self) {
        // An error would mean that it is gone, and us with it.
        let _ = self.is_stale.subscribe().wait_for(|is_stale| *is_stale).await;
    }

    /// Looks how far it is behind. It is no better than what it follows: while `live` is
    /// not to be believed it tells nothing, and seems to be level.
    pub(super) async fn watch_over(&self, live: &Live) {
        let mut before = Instant::now();
        loop {
            tokio::time::sleep(Pulse::TURN).await;
            let passed = before.elapsed();
            before += passed;
            self.pulse.turn(self.newest(), passed);
            let follows_none = matches!(live.trouble(), Some(NotShown::Failed | NotShown::Behind(_)));
            let is_stale = self.pulse.is_stale() || follows_none;
            self.is_stale.send_if_modified(|was_stale| std::mem::replace(was_stale, is_stale) != is_stale);
        }
    }

    /// Reads and gives, until the writer is gone.
    async fn give(&self) {
        let mut last_recorded = self.last_recorded.clone();
        loop {
            let newest = self.recorded_before.max(*last_recorded.borrow_and_update());
            // Who begins to follow only now finds all of that in the ledger.
            if self.told.receiver_count() == 0 {
                self.has_given(newest);
            }
            self.give_until(newest).await;
            if last_recorded.changed().await.is_err() {
                return;
            }
        }
    }

    async fn give_until(&self, newest: i64) {
        loop {
            let given = self.given.load(Ordering::Relaxed);
            if given >= newest {
                return;
            }
            mistakes::made_by("feed");
            match self.read(given).await {
                Ok((told, is_all)) => {
                    let last = told.last().map_or(given, |last| last.entry.sequence());
                    for told in told {
                        // Nobody follows any more: that is no error.
                        let _ = self.told.send(Arc::new(told));
                    }
                    self.has_given(if is_all { last.max(newest) } else { last });
                }
                Err(error) => {
                    static NOT_READ: Seldom = Seldom::new(Seldom::EVERY);
                    NOT_READ.say(|held_back| {
                        tracing::warn!(%error, held_back, "open pages are not told what is new for now");
                    });
                    tokio::time::sleep(READ_AGAIN).await;
                }
            }
        }
    }

    fn has_given(&self, up_to: i64) {
        self.given.store(up_to, Ordering::Relaxed);
        self.pulse.follows(up_to);
    }

    /// What was recorded after that, and whether it is all.
    async fn read(&self, after: i64) -> Result<(Vec<Told>, bool), ReadersError> {
        let asked = Asked {
            window: Window::After(after),
            entries_max: READ_MAX,
            bytes_max: Some(Asked::BYTES_MAX),
            ..Asked::default()
        };
        let read = move |reader: &Reader| -> Result<(Vec<Told>, bool), ReadError> {
            let mut page = reader.events(&asked)?;
            let is_all = page.next.is_none();
            let stations = page.events.iter().filter_map(|event| match event.source {
                AlarmSource::Station(id) => Some(id),
                AlarmSource::Area(_) | AlarmSource::Server => None,
            });
            let mut stations: Vec<_> = stations.collect();
            stations.sort_unstable();
            stations.dedup();
            let about = reader.about_these(&stations)?;
            let listeners = std::mem::take(&mut page.listeners);
            let told = page.into_entries().into_iter().map(|entry| {
                let area = match &entry {
                    Entry::Read(event) => about.station(&event.source).and_then(|about| about.area.clone()),
                    Entry::Unreadable(_) => None,
                };
                let frame = frame(&entry, &listeners);
                Told { entry, area, frame }
            });
            Ok((told.collect(), is_all))
        };
        self.readers.read(Instant::now() + READ_WITHIN, read).await
    }
}

/// Has the feed of this web read and give, until the server stops. Whoever follows knows
/// entries by their sequences, so what is given twice is told once.
pub(super) async fn keep(web: Web) {
    let stopping = web.stopping.clone();
    tokio::select! {
        () = stopping.cancelled() => {}
        () = web.feed.watch_over(&web.live) => {}
        () = give_again(&web) => {}
    }
}

/// Gives, and again after each failure. It never gives up: whatever goes wrong with what
/// is shown must not end those that hear stations.
async fn give_again(web: &Web) {
    let mut wait = AGAIN_AFTER;
    loop {
        let began = Instant::now();
        // A task of its own, so that a panic of it is an error here; ended with us.
        let mut giving = JoinSet::new();
        let of_it = web.clone();
        giving.spawn(async move { of_it.feed.give().await });
        match giving.join_next().await {
            Some(Err(error)) => {
                web.feed.pulse.fails();
                if began.elapsed() >= WELL_AFTER {
                    wait = AGAIN_AFTER;
                }
                tracing::error!(%error, again_in_ms = wait.as_millis(), "the feed of the ledger failed");
            }
            Some(Ok(())) | None => return,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(AGAIN_AFTER_MAX);
    }
}

impl Told {
    /// Whether it is what the ledger would give to whoever asks for that.
    pub(super) fn fits(&self, asked: &Asked) -> bool {
        let Asked { source, point, kinds, area, .. } = asked;
        // One that cannot be read may be about anything.
        let Entry::Read(event) = &self.entry else { return true };
        let Event { source: of, stations, .. } = event;
        let is_of_point = point.is_none_or(|point| event.point == Some(point));
        let is_of_source = source.as_ref().is_none_or(|source| {
            // What is said of many stations at once is said of each.
            let is_named = || match (source, point, stations) {
                (AlarmSource::Station(id), None | Some(Point::Comms), Some(stations)) => {
                    stations.binary_search(id).is_ok()
                }
                _ => false,
            };
            of == source || is_named()
        });
        let is_of_area = area.as_ref().is_none_or(|area| match of {
            AlarmSource::Area(name) => name == area,
            AlarmSource::Station(_) => self.area.as_ref() == Some(area),
            AlarmSource::Server => false,
        });
        let is_of_kind = kinds.is_empty() || kinds.contains(&event.kind);
        is_of_point && is_of_source && is_of_area && is_of_kind
    }
}
