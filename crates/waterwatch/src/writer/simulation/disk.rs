//! A disk that holds what was committed, for certain, and the memory over it.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use waterwatch_core::alarm::{Event, Kind};
use waterwatch_core::settings::ScopeSays;
use waterwatch_core::silence::Gap;
use waterwatch_core::{Station, StationId};

use super::book::Book;
use super::machine::Machine;
use crate::station_says::StationSays;
use crate::store::stations::{Slot, Stations};
use crate::store::{AlarmKey, Alarms, Batch, Board, Contests, Lives, Store, StoreError, Tokens};

/// What happens at a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::writer) enum Fault {
    #[default]
    None,
    Full,
    /// Its outcome is unknown; whether it was recorded.
    Unknown(bool),
}

/// The store. What is in its memory is on the disk: a commit is both or
/// neither.
#[derive(Debug, Default)]
pub(in crate::writer) struct Disk {
    stations: Stations,
    alarms: Alarms,
    lives: Lives,
    contests: Contests,
    tokens: Tokens,
    /// What people say; whether they did lately, for whoever checks.
    pub(in crate::writer) book: Book,
    pub(in crate::writer) was_said: bool,
    /// What was raised, by the sequence of its event.
    raised: BTreeSet<(AlarmKey, i64)>,
    sequence: i64,
    alive_ms: Option<i64>,
    gaps: Vec<Gap>,
    /// Something is in the ledger; was, when it was opened.
    has_ledger: bool,
    had_ledger: bool,
    /// What the next commit meets.
    pub(in crate::writer) fault: Fault,
    /// Nothing can be read that is not in memory.
    pub(in crate::writer) is_unreadable: bool,
    /// What was committed last, for whoever checks.
    pub(in crate::writer) committed: Vec<Event>,
    /// What it is part of, which sees each commit.
    machine: Option<Rc<Machine>>,
}

impl Disk {
    pub(super) fn of(machine: Rc<Machine>) -> Disk {
        Disk { machine: Some(machine), ..Disk::default() }
    }

    fn is_readable(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.is_unreadable, "no such disk");
        Ok(())
    }

    /// A station that an older server left behind.
    pub(in crate::writer) fn leave(&mut self, id: StationId, station: Station) {
        self.stations.add(id, station);
    }

    fn record(&mut self, batch: &Batch) {
        let reports: u32 = batch.changes.iter().map(|change| change.reports).sum();
        assert_eq!(reports as usize, batch.reports);
        let events = i64::try_from(batch.events.len()).unwrap();
        assert_eq!(batch.sequence, self.sequence + i64::from(reports) + events, "no number is left out");
        for (id, slot) in &batch.forgotten {
            assert_eq!(self.stations.remove(*id), *slot);
        }
        for change in &batch.changes {
            match change.slot {
                Some(slot) => self.stations.set(slot, change.station),
                None => drop(self.stations.add(change.id, change.station)),
            }
        }
        for (_, alarm) in &batch.alarms {
            if let Some(alarm) = alarm {
                alarm.check();
            }
        }
        self.alarms.apply(batch);
        self.lives.apply(&batch.lives);
        self.contests.apply(&batch.contests);
        self.tokens.apply(&batch.tokens);
        self.book.write(&batch.said);
        self.was_said |= !batch.said.is_empty();
        self.sequence = batch.sequence;
        let is_back = self.alive_ms.is_some_and(|alive_ms| batch.received_at_ms < alive_ms);
        if batch.is_alive || is_back || !batch.events.is_empty() || !batch.changes.is_empty() {
            self.alive_ms = Some(batch.received_at_ms);
        }
        for event in &batch.events {
            if let (Kind::Raised, Some(point)) = (event.kind, event.point) {
                self.raised.insert(((event.source.clone(), point), event.sequence));
            }
            if matches!(event.kind, Kind::Blind | Kind::ClockJumped) {
                let lasted_ms = event.until_ms.unwrap() - event.event_time_ms;
                assert!(lasted_ms >= 0 || event.kind == Kind::ClockJumped, "{event:?}");
                self.gaps.push(Gap { sequence: event.sequence, lasted_ms });
            }
        }
        self.has_ledger |= !batch.events.is_empty();
        self.committed.extend_from_slice(&batch.events);
    }
}

impl Store for Disk {
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

    fn tokens(&self) -> Option<&Tokens> {
        Some(&self.tokens)
    }

    fn sequence(&self) -> i64 {
        self.sequence
    }

    fn alive_until_ms(&self) -> Option<i64> {
        self.alive_ms
    }

    fn gaps(&self, gaps_max: usize) -> Vec<Gap> {
        self.gaps[self.gaps.len().saturating_sub(gaps_max)..].to_vec()
    }

    fn knew_no_alarms(&self) -> bool {
        !self.had_ledger
    }

    fn listener(&mut self, _address: &str) -> anyhow::Result<u16> {
        Ok(1)
    }

    fn has_occurred(&self, alarm: &AlarmKey, occurrence: i64) -> anyhow::Result<bool> {
        self.is_readable()?;
        Ok(self.raised.contains(&(alarm.clone(), occurrence)))
    }

    fn station_says(&self, id: StationId) -> anyhow::Result<StationSays> {
        self.is_readable()?;
        Ok(self.book.stations.get(&id).cloned().unwrap_or_default())
    }

    fn area_says(&self, name: &str) -> anyhow::Result<ScopeSays> {
        self.is_readable()?;
        Ok(self.book.areas.get(name).cloned().unwrap_or_default())
    }

    fn fleet_says(&self) -> anyhow::Result<ScopeSays> {
        self.is_readable()?;
        Ok(self.book.fleet.clone())
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let machine = self.machine.clone();
        if let Some(machine) = &machine {
            machine.before_commit(self);
        }
        let (told, is_recorded) = match self.fault {
            Fault::None => (Ok(()), true),
            Fault::Full => (Err(StoreError::Unavailable("full".to_owned())), false),
            Fault::Unknown(is_recorded) => {
                self.fault = Fault::None;
                (Err(StoreError::OutcomeUnknown("the sync failed".to_owned())), is_recorded)
            }
        };
        if is_recorded {
            self.record(batch);
        }
        if let Some(machine) = machine {
            machine.after_commit(self, batch, &told, is_recorded);
        }
        told
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        self.had_ledger = self.has_ledger;
        // The places are others after each reading.
        let before = std::mem::take(&mut self.stations);
        for slot in (0..before.places()).rev().map(Slot::new).filter(|slot| !before.is_vacant(*slot)) {
            let (id, station) = *before.at(slot);
            self.stations.add(id, station);
        }
        Ok(())
    }
}
