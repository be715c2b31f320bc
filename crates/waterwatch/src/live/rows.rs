//! The stations in columns: who has which place, and what is known of each beside
//! its last contact. Made for a million: 14 bytes each, and 8 more while settings
//! of their own or silences that they share are common.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use waterwatch_core::StationId;
use waterwatch_core::alarm::{Alarm, Point, State};

use super::classes::Classes;
use crate::store::Slot;

/// What is known of one station.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// What holds for it.
    pub(super) class: u32,
    /// The group with which it shares the facts of its silence; 0: none.
    pub(super) group: u32,
    pub(super) flags: Flags,
}

/// What follows from a station's alarms and life, in few bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u16);

/// All stations.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Those that were heard, in order, and the place of each.
    ids: Vec<StationId>,
    slots: Vec<u32>,
    /// By their places.
    flags: Vec<Flags>,
    /// The same; as long as the last that is not 0.
    classes: Vec<u32>,
    groups: Vec<u32>,
    /// Those that were never heard and of which something is known.
    unheard: BTreeMap<StationId, Row>,
}

/// The states by how much worse they are.
const WORSE_THAN_NORMAL: [State; 8] = [
    State::Normal,
    State::OutOfService,
    State::Suppressed,
    State::Shelved,
    State::Acknowledged,
    State::ReturnedUnacknowledged,
    State::Unacknowledged,
    // No alarm is.
    State::Unacknowledged,
];

impl Flags {
    /// It is configured.
    pub(super) const NAMED: Flags = Flags(1);
    /// Something is known of its life.
    pub(super) const LIVES: Flags = Flags(1 << 1);
    pub(super) const RETIRED: Flags = Flags(1 << 2);
    /// It has an alarm that shares its facts with nobody.
    pub(super) const HAS_OWN: Flags = Flags(1 << 3);
    pub(super) const PAUSED: Flags = Flags(1 << 4);
    pub(super) const SILENT: Flags = Flags(1 << 5);
    /// Its alarm says that the contact is on.
    const ON: [Flags; 2] = [Flags(1 << 6), Flags(1 << 7)];
    /// Its alarm says that the contact is on, or anything else than normal.
    const SAYS_MORE: [Flags; 2] = [Flags(1 << 8), Flags(1 << 9)];
    /// How many of its alarms are neither normal nor hidden, 0 to 4.
    const ALARMS_AT: u32 = 10;
    /// How much worse than normal its worst alarm is.
    const WORST_AT: u32 = 13;
    /// What does not follow from alarms.
    const OF_LIFE: u16 = 0b111;

    pub(super) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    #[must_use]
    pub(super) fn with(self, flag: Flags, is_set: bool) -> Flags {
        Flags(if is_set { self.0 | flag.0 } else { self.0 & !flag.0 })
    }

    /// The same with what follows from these alarms of it.
    #[must_use]
    pub(super) fn of_alarms<'a>(
        self,
        alarms: impl Iterator<Item = (Point, &'a Alarm)>,
        has_own: bool,
    ) -> Flags {
        let mut flags = Flags(self.0 & Flags::OF_LIFE).with(Flags::HAS_OWN, has_own);
        let (mut worst, mut count) = (State::Normal.rank(), 0);
        for (point, alarm) in alarms {
            let state = alarm.state();
            worst = worst.min(state.rank());
            count += u16::from(state != State::Normal && !state.is_hidden());
            match point {
                Point::Alarm1 | Point::Alarm2 => {
                    let contact = usize::from(point == Point::Alarm2);
                    let says_more = alarm.contact || state != State::Normal;
                    flags = flags
                        .with(Flags::ON[contact], alarm.contact)
                        .with(Flags::SAYS_MORE[contact], says_more);
                }
                Point::Comms => {
                    flags = flags
                        .with(Flags::SILENT, alarm.contact)
                        .with(Flags::PAUSED, alarm.hidden.service.is_some());
                }
                Point::Identity | Point::NewStations | Point::OnCall => {}
            }
        }
        let worse = u16::from(State::Normal.rank() - worst);
        Flags(flags.0 | count << Flags::ALARMS_AT | worse << Flags::WORST_AT)
    }

    /// Whether the alarm of its first or second contact says that this is on.
    pub(super) fn is_on(self, contact: usize) -> bool {
        self.has(Flags::ON[contact])
    }

    /// Whether that alarm says anything else than normal.
    pub(super) fn says_more(self, contact: usize) -> bool {
        self.has(Flags::SAYS_MORE[contact])
    }

    pub(super) fn alarms(self) -> u8 {
        self.0.to_be_bytes()[0] >> (Flags::ALARMS_AT - 8) & 0b111
    }

    pub(super) fn worst(self) -> State {
        WORSE_THAN_NORMAL[usize::from(self.0 >> Flags::WORST_AT)]
    }

    /// Whether anything is known that makes a station that was never heard one.
    pub(super) fn makes_known(self) -> bool {
        self.has(Flags::NAMED) || self.has(Flags::LIVES) || self.has(Flags::HAS_OWN)
    }
}

impl Rows {
    /// Of stations that were heard, by their places, but for those that are vacant.
    pub(super) fn of(stations: Vec<StationId>, vacant: &[Slot]) -> Rows {
        let place = |place: usize| u32::try_from(place).expect("a slot is no more");
        let mut slots: Vec<u32> = (0..stations.len()).map(place).collect();
        let flags = vec![Flags::default(); stations.len()];
        let mut ids = stations;
        if !vacant.is_empty() {
            slots.retain(|slot| vacant.binary_search(&Slot::new(*slot as usize)).is_err());
            let at = ids;
            slots.sort_unstable_by_key(|&slot| at[slot as usize]);
            ids = slots.iter().map(|&slot| at[slot as usize]).collect();
        } else if !ids.is_sorted() {
            // As they are read from the disk they are in order.
            slots.sort_unstable_by_key(|&slot| ids[slot as usize]);
            ids.sort_unstable();
        }
        Rows { ids, slots, flags, ..Rows::default() }
    }

    pub(super) fn slot(&self, id: StationId) -> Option<Slot> {
        let place = self.ids.binary_search(&id).ok()?;
        Some(Slot::new(self.slots[place] as usize))
    }

    /// What is known of a station; of one that nobody knows, what holds for all.
    pub(super) fn get(&self, id: StationId) -> Row {
        match self.slot(id) {
            Some(slot) => self.at(slot),
            None => self.unheard.get(&id).copied().unwrap_or_default(),
        }
    }

    /// Of one that was heard.
    pub(super) fn at(&self, slot: Slot) -> Row {
        let at = |column: &Vec<u32>| column.get(slot.index()).copied().unwrap_or_default();
        Row { class: at(&self.classes), group: at(&self.groups), flags: self.flags[slot.index()] }
    }

    /// What is known of one that was heard is this.
    pub(super) fn set_at(&mut self, slot: Slot, row: Row) {
        self.flags[slot.index()] = row.flags;
        put(&mut self.classes, slot, row.class, self.flags.len());
        put(&mut self.groups, slot, row.group, self.flags.len());
    }

    /// What is known of a station is this.
    pub(super) fn set(&mut self, id: StationId, row: Row) {
        if let Some(slot) = self.slot(id) {
            self.set_at(slot, row);
        } else if row == Row::default() {
            self.unheard.remove(&id);
        } else {
            self.unheard.insert(id, row);
        }
    }

    /// This station was heard for the first time.
    pub(super) fn heard(&mut self, id: StationId, slot: Slot) {
        let row = self.unheard.remove(&id).unwrap_or_default();
        if let Err(place) = self.ids.binary_search(&id) {
            self.ids.insert(place, id);
            self.slots.insert(place, u32::try_from(slot.index()).expect("a slot is no more"));
        }
        if self.flags.len() <= slot.index() {
            self.flags.resize(slot.index() + 1, Flags::default());
        }
        self.set(id, row);
    }

    /// Nothing is known of a station any more; gives what was.
    pub(super) fn forget(&mut self, id: StationId) -> Row {
        let row = self.get(id);
        self.set(id, Row::default());
        if let Ok(place) = self.ids.binary_search(&id) {
            self.ids.remove(place);
            self.slots.remove(place);
        }
        row
    }

    /// Looks at those of these ids, both included, in their order; with their places
    /// if they were heard. There may be a million of them.
    pub(super) fn look_at(
        &self,
        from: StationId,
        to: StationId,
        mut look: impl FnMut(StationId, Option<Slot>, Row) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if from > to {
            return ControlFlow::Continue(());
        }
        let mut place = self.ids.partition_point(|id| *id < from);
        for (id, row) in self.unheard.range(from..=to) {
            let end = place + self.ids[place..].partition_point(|heard| heard < id);
            self.look_at_heard(place..end, &mut look)?;
            look(*id, None, *row)?;
            place = end;
        }
        let end = place + self.ids[place..].partition_point(|id| *id <= to);
        self.look_at_heard(place..end, &mut look)
    }

    fn look_at_heard(
        &self,
        places: Range<usize>,
        look: &mut impl FnMut(StationId, Option<Slot>, Row) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for (id, slot) in self.ids[places.clone()].iter().zip(&self.slots[places]) {
            let slot = Slot::new(*slot as usize);
            look(*id, Some(slot), self.at(slot))?;
        }
        ControlFlow::Continue(())
    }
}

/// Most columns are empty in most fleets.
fn put(column: &mut Vec<u32>, slot: Slot, value: u32, length: usize) {
    if column.len() <= slot.index() {
        if value == 0 {
            return;
        }
        column.resize(length, 0);
    }
    column[slot.index()] = value;
}

const _: () = assert!(Classes::FLEET == 0, "a row that is not there has the fleet's");
