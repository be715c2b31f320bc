//! What is recorded anew in the ledger, read once and given to all who follow it:
//! hundreds of open pages cost one reading of each entry.
//!
//! Nobody waits for who follows. Who does not keep up with what is given here reads
//! from the ledger by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use waterwatch_core::alarm::{AlarmSource, Event, Point};

use super::following::frame;
use crate::log::Seldom;
use crate::store::reader::{Asked, ReadError, Reader, Window};
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

/// What is recorded anew.
#[derive(Debug)]
pub struct Feed {
    readers: Readers,
    /// Up to where it was recorded when the server started.
    recorded_before: i64,
    last_recorded: watch::Receiver<i64>,
    told: broadcast::Sender<Arc<Told>>,
    places: Arc<Semaphore>,
}

/// An entry that is given to all.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) event: Event,
    /// The area that its station is in.
    area: Option<Box<str>>,
    /// The entry as it is sent, the same for all.
    pub(super) frame: Bytes,
}

impl Feed {
    /// Reads what is recorded after `recorded_before` by `readers`, as `last_recorded`
    /// moves, for so many at most.
    #[must_use]
    pub fn new(
        readers: Readers,
        recorded_before: i64,
        last_recorded: watch::Receiver<i64>,
        streams_max: usize,
    ) -> Feed {
        let places = Arc::new(Semaphore::new(streams_max.min(Semaphore::MAX_PERMITS)));
        Feed { readers, recorded_before, last_recorded, told: broadcast::Sender::new(KEPT_MAX), places }
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

    /// Reads and gives, until the server stops.
    pub(super) async fn run(&self, stopping: &CancellationToken) {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.give() => {}
        }
    }

    async fn give(&self) {
        let mut last_recorded = self.last_recorded.clone();
        let mut given = self.recorded_before.max(*last_recorded.borrow_and_update());
        while last_recorded.changed().await.is_ok() {
            let newest = *last_recorded.borrow_and_update();
            // Who begins to follow only now finds all of that in the ledger.
            if self.told.receiver_count() == 0 {
                given = newest;
            }
            while given < newest {
                match self.read(given).await {
                    Ok((told, is_all)) => {
                        let last = told.last().map_or(given, |last| last.event.sequence);
                        for told in told {
                            // Nobody follows any more: that is no error.
                            let _ = self.told.send(Arc::new(told));
                        }
                        given = if is_all { last.max(newest) } else { last };
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
            let page = reader.events(&asked)?;
            let is_all = page.next.is_none();
            let stations = page.events.iter().filter_map(|event| match event.source {
                AlarmSource::Station(id) => Some(id),
                AlarmSource::Area(_) | AlarmSource::Server => None,
            });
            let mut stations: Vec<_> = stations.collect();
            stations.sort_unstable();
            stations.dedup();
            let about = reader.about_these(&stations)?;
            let told = page.events.into_iter().map(|event| {
                let area = about.station(&event.source).and_then(|about| about.area.clone());
                let frame = frame(&event, &page.listeners);
                Told { event, area, frame }
            });
            Ok((told.collect(), is_all))
        };
        self.readers.read(Instant::now() + READ_WITHIN, read).await
    }
}

impl Told {
    /// Whether it is what the ledger would give to whoever asks for that.
    pub(super) fn fits(&self, asked: &Asked) -> bool {
        let Asked { source, point, kinds, area, .. } = asked;
        let Event { source: of, stations, .. } = &self.event;
        let is_of_point = point.is_none_or(|point| self.event.point == Some(point));
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
        let is_of_kind = kinds.is_empty() || kinds.contains(&self.event.kind);
        is_of_point && is_of_source && is_of_area && is_of_kind
    }
}
