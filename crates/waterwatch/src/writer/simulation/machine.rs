//! The machine under the server: its clocks and the room on its disk, and the
//! truth that looks on at each commit.

use std::cell::{Cell, RefCell, RefMut};
use std::time::{Duration, Instant};

use waterwatch_core::silence::Now;
use waterwatch_core::{Origin, Report, Settings, StationSettings};

use super::disk::{Disk, Fault};
use super::truth::{Slack, Truth};
use crate::store::{Batch, StoreError};
use crate::writer::clock::Clock;

/// Shared by the world, the server's clock and its disk.
#[derive(Debug)]
pub(in crate::writer) struct Machine {
    began: Instant,
    now_ms: Cell<i64>,
    wall_ahead_ms: Cell<i64>,
    steady_ahead_ms: Cell<i64>,
    full_until_ms: Cell<i64>,
    /// The last commit of this server found no room.
    was_full: Cell<bool>,
    fleet: Cell<StationSettings>,
    /// What stations sent, until it is stored.
    sent: RefCell<Vec<(Report, Origin)>>,
    truth: RefCell<Truth>,
}

impl Machine {
    pub(super) fn new(wall_ms: i64, steady_ms: i64) -> Machine {
        Machine {
            began: Instant::now(),
            now_ms: Cell::new(0),
            wall_ahead_ms: Cell::new(wall_ms),
            steady_ahead_ms: Cell::new(steady_ms),
            full_until_ms: Cell::new(0),
            was_full: Cell::new(false),
            fleet: Cell::default(),
            sent: RefCell::default(),
            truth: RefCell::default(),
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    /// Time goes on.
    pub(super) fn pass(&self, now_ms: i64) {
        self.now_ms.set(self.now_ms().max(now_ms));
        self.truth().pass(self.now_ms());
    }

    pub(super) fn wall_jumps(&self, by_ms: i64) {
        self.wall_ahead_ms.set(self.wall_ahead_ms.get() + by_ms);
    }

    /// It boots: the steady clock begins anew.
    pub(super) fn boots(&self, steady_ms: i64) {
        self.steady_ahead_ms.set(steady_ms - self.now_ms());
    }

    pub(super) fn is_full_for(&self, for_ms: i64) {
        self.full_until_ms.set(self.full_until_ms.get().max(self.now_ms() + for_ms));
    }

    pub(super) fn starts(&self, fleet: StationSettings, settings: Settings) {
        self.fleet.set(fleet);
        self.was_full.set(false);
        self.truth().starts(settings);
    }

    /// These are what the next turn hears.
    pub(super) fn hears(&self, reports: &[(Report, Origin)]) {
        self.sent.replace(reports.to_vec());
    }

    pub(super) fn truth(&self) -> RefMut<'_, Truth> {
        self.truth.borrow_mut()
    }

    pub(super) fn take_truth(&self) -> Truth {
        self.truth.take()
    }

    /// What a commit meets just now.
    pub(super) fn before_commit(&self, disk: &mut Disk) {
        if self.now_ms() < self.full_until_ms.get() {
            disk.fault = Fault::Full;
        } else if disk.fault == Fault::Full {
            disk.fault = Fault::None;
        }
    }

    pub(super) fn after_commit(
        &self,
        disk: &mut Disk,
        batch: &Batch,
        told: &Result<(), StoreError>,
        is_recorded: bool,
    ) {
        let mut truth = self.truth();
        if is_recorded {
            // What was found at a start is a batch without reports.
            let sent = if batch.reports > 0 { self.sent.take() } else { Vec::new() };
            assert_eq!(sent.len(), batch.reports, "each report that was sent is in the batch");
            truth.committed(&sent, batch, disk, &self.fleet.get());
        }
        match told {
            Ok(()) => {
                if self.was_full.take() {
                    // Until the next turn it counts as blind.
                    truth.deaf_until(0, Slack { early_ms: 0, late_ms: 600 });
                }
            }
            Err(StoreError::Unavailable(_)) => {
                let slack = match self.was_full.replace(true) {
                    true => Slack::default(),
                    false => Slack { early_ms: 3_000, late_ms: 1_500 },
                };
                truth.deaf_until(self.full_until_ms.get(), slack);
            }
            Err(_) => truth.deaf_until(0, Slack { early_ms: 3_000, late_ms: 1_500 }),
        }
    }
}

impl Clock for std::rc::Rc<Machine> {
    fn now(&self) -> Now {
        let now_ms = self.now_ms();
        Now { wall_ms: now_ms + self.wall_ahead_ms.get(), steady_ms: now_ms + self.steady_ahead_ms.get() }
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now_ms().cast_unsigned())
    }

    fn sleep(&self, duration: Duration) {
        self.pass(self.now_ms() + i64::try_from(duration.as_millis()).unwrap());
    }
}
