//! The journal's bytes: what one commit recorded of reports that said nothing
//! new, as one value.
//!
//! | what | bytes |
//! | --- | --- |
//! | version | one: 1 |
//! | how many reports the commit had | a number |
//! | for each station: flags | one, as below |
//! | its id, as the difference to the one before | a signed number |
//! | how many of its reports were in the commit, if more than one | a number |
//! | the sequence of the last, as the difference to the one after the last of the station before, if there is one | a signed number |
//! | how far before the last the first was, if it opened a span and is not the last | a number |
//! | where the last came from, if it is another origin than of the station before: the listener | a number |
//! | and the peer's address | 4 or 16 |
//!
//! Numbers are LEB128, seven bits a byte, the lowest first; signed ones are
//! zigzag. A station behind a gateway takes three bytes.

use thiserror::Error;
use waterwatch_core::{Novelty, OpenSpan, Origin, Span, Station, StationId};

use super::Change;
use super::peer::IPV4_MAPPED;

const VERSION: u8 = 1;

/// The flags. Bit 7 is for a time that the station itself gives, once the
/// wire has one; a journal that has it is refused by this version.
mod flag {
    pub const ALARM1: u8 = 1;
    pub const ALARM2: u8 = 1 << 1;
    pub const OPENS_SPAN: u8 = 1 << 2;
    pub const ORIGIN: u8 = 1 << 3;
    pub const IPV6: u8 = 1 << 4;
    pub const REPORTS: u8 = 1 << 5;
    pub const SEQUENCE: u8 = 1 << 6;
    pub const KNOWN: u8 = ALARM1 | ALARM2 | OPENS_SPAN | ORIGIN | IPV6 | REPORTS | SEQUENCE;
}

/// What one commit recorded of one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which station.
    pub id: StationId,
    /// The first contact, as it was before.
    pub alarm1: bool,
    /// The second contact, as it was before.
    pub alarm2: bool,
    /// The sequence of the first of them, if that opened a new span.
    pub opens_span: Option<i64>,
    /// How many of its reports were in the commit.
    pub reports: u32,
    /// The commit sequence of the last.
    pub sequence: i64,
    /// Where the last came from.
    pub origin: Origin,
}

impl Entry {
    /// What is journaled of a change that says nothing new.
    #[must_use]
    pub fn of(change: &Change) -> Entry {
        debug_assert!(change.novelty < Novelty::Changes);
        Entry {
            id: change.id,
            alarm1: change.station.alarm1,
            alarm2: change.station.alarm2,
            opens_span: (change.novelty == Novelty::Resumes).then_some(change.station.span.sequence),
            reports: change.reports,
            sequence: change.station.sequence,
            origin: change.station.origin,
        }
    }

    /// The station after it, taken at `received_at_ms`, and the span that it
    /// ended. `None` if what is known has it already: nothing is counted
    /// twice, and nothing goes back in time.
    #[must_use]
    pub fn after(&self, before: &Station, received_at_ms: i64) -> Option<(Station, Option<Span>)> {
        if self.sequence <= before.sequence {
            return None;
        }
        let reports = i64::from(self.reports);
        let (span, over) = match self.opens_span {
            Some(sequence) => {
                (OpenSpan { sequence, since_ms: received_at_ms, reports }, before.span_until_now())
            }
            None => (OpenSpan { reports: before.span.reports + reports, ..before.span }, None),
        };
        let after = Station {
            alarm1: self.alarm1,
            alarm2: self.alarm2,
            received_at_ms,
            sequence: self.sequence,
            reports: before.reports + reports,
            origin: self.origin,
            span,
        };
        Some((after, over))
    }
}

/// Why a journal cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// A newer program wrote it.
    #[error("its version is {0}, and this program knows {VERSION}")]
    Version(u8),
    /// It is none.
    #[error("it is damaged")]
    Damaged,
}

/// Writes one commit, entry by entry.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    before: Before,
}

impl<'a> Writer<'a> {
    /// Begins a commit of so many reports whose last has this sequence.
    pub fn begin(bytes: &'a mut Vec<u8>, reports: usize, sequence: i64) -> Writer<'a> {
        bytes.clear();
        bytes.push(VERSION);
        let reports = reports as u64;
        put(bytes, reports);
        Writer { bytes, before: Before::the_first(reports, sequence) }
    }

    /// Adds a station.
    pub fn push(&mut self, entry: &Entry) {
        let sequence_step = entry.sequence.wrapping_sub(self.before.sequence.wrapping_add(1));
        let origin_is_new = entry.origin != self.before.origin;
        let is_ipv4 = entry.origin.peer.starts_with(&IPV4_MAPPED);
        let mut flags = 0;
        for (flag, is_set) in [
            (flag::ALARM1, entry.alarm1),
            (flag::ALARM2, entry.alarm2),
            (flag::OPENS_SPAN, entry.opens_span.is_some()),
            (flag::ORIGIN, origin_is_new),
            (flag::IPV6, origin_is_new && !is_ipv4),
            (flag::REPORTS, entry.reports != 1),
            (flag::SEQUENCE, sequence_step != 0),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        self.bytes.push(flags);
        put(self.bytes, zigzag(entry.id.get().wrapping_sub(self.before.id)));
        if entry.reports != 1 {
            put(self.bytes, u64::from(entry.reports));
        }
        if sequence_step != 0 {
            put(self.bytes, zigzag(sequence_step));
        }
        if let Some(first) = entry.opens_span
            && entry.reports != 1
        {
            put(self.bytes, entry.sequence.wrapping_sub(first).cast_unsigned());
        }
        if origin_is_new {
            put(self.bytes, u64::from(entry.origin.listener));
            let peer = &entry.origin.peer;
            self.bytes.extend_from_slice(if is_ipv4 { &peer[IPV4_MAPPED.len()..] } else { peer });
        }
        self.before = Before { id: entry.id.get(), sequence: entry.sequence, origin: entry.origin };
    }
}

/// Reads one commit, whose last report has the sequence `sequence`.
///
/// # Errors
/// If it is not one. The iterator ends after its first error.
pub fn read(bytes: &[u8], sequence: i64) -> Result<Entries<'_>, Damage> {
    let (&version, mut rest) = bytes.split_first().ok_or(Damage::Damaged)?;
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    let reports = take(&mut rest).ok_or(Damage::Damaged)?;
    Ok(Entries { rest, before: Before::the_first(reports, sequence) })
}

/// The stations of one commit.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    before: Before,
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, Damage>;

    fn next(&mut self) -> Option<Result<Entry, Damage>> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.rest = &[];
        }
        Some(entry.ok_or(Damage::Damaged))
    }
}

impl Entries<'_> {
    fn entry(&mut self) -> Option<Entry> {
        let (&flags, rest) = self.rest.split_first()?;
        self.rest = rest;
        let is_set = |flag| flags & flag != 0;
        if flags & !flag::KNOWN != 0 {
            return None;
        }
        let id = self.before.id.wrapping_add(unzigzag(take(&mut self.rest)?));
        let reports = if is_set(flag::REPORTS) { u32::try_from(take(&mut self.rest)?).ok()? } else { 1 };
        let step = if is_set(flag::SEQUENCE) { unzigzag(take(&mut self.rest)?) } else { 0 };
        let sequence = self.before.sequence.wrapping_add(1).wrapping_add(step);
        let to_first = match is_set(flag::OPENS_SPAN) && reports != 1 {
            true => take(&mut self.rest)?.cast_signed(),
            false => 0,
        };
        let origin = if is_set(flag::ORIGIN) { self.origin(is_set(flag::IPV6))? } else { self.before.origin };
        self.before = Before { id, sequence, origin };
        Some(Entry {
            id: StationId::new(id)?,
            alarm1: is_set(flag::ALARM1),
            alarm2: is_set(flag::ALARM2),
            opens_span: is_set(flag::OPENS_SPAN).then(|| sequence.wrapping_sub(to_first)),
            reports,
            sequence,
            origin,
        })
    }

    fn origin(&mut self, is_ipv6: bool) -> Option<Origin> {
        let listener = u16::try_from(take(&mut self.rest)?).ok()?;
        let mut peer = [0; 16];
        let begin = if is_ipv6 { 0 } else { IPV4_MAPPED.len() };
        peer[..begin].copy_from_slice(&IPV4_MAPPED[..begin]);
        let (address, rest) = self.rest.split_at_checked(peer.len() - begin)?;
        peer[begin..].copy_from_slice(address);
        self.rest = rest;
        Some(Origin { listener, peer })
    }
}

/// What an entry is told apart from.
#[derive(Clone, Copy, Debug)]
struct Before {
    id: i64,
    sequence: i64,
    origin: Origin,
}

impl Before {
    fn the_first(reports: u64, sequence: i64) -> Before {
        Before { id: 0, sequence: sequence.wrapping_sub(reports.cast_signed()), origin: Origin::default() }
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    // Ten bytes of seven bits hold any number.
    for place in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let origin =
            (any::<u16>(), any::<[u8; 16]>(), any::<bool>()).prop_map(|(listener, mut peer, ipv4)| {
                if ipv4 {
                    peer[..12].copy_from_slice(&IPV4_MAPPED);
                }
                Origin { listener, peer }
            });
        let numbers = (0..=i64::MAX, 0..1_000_000_i64, 1..=u32::MAX, 0..3_i64);
        (numbers, any::<[bool; 4]>(), origin).prop_map(|((id, near, reports, step), bits, origin)| Entry {
            id: StationId::new(if bits[3] { near } else { id }).unwrap(),
            alarm1: bits[0],
            alarm2: bits[1],
            opens_span: bits[2].then(|| if bits[3] || reports == 1 { near + step } else { near }),
            reports: if bits[3] { 1 } else { reports },
            sequence: near + step,
            origin,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in prop::collection::vec(entry(), 0..50), reports in 0..1_000_usize, sequence: i64) {
            let mut bytes = vec![7];
            let mut writer = Writer::begin(&mut bytes, reports, sequence);
            entries.iter().for_each(|entry| writer.push(entry));
            let read: Result<Vec<Entry>, Damage> = read(&bytes, sequence).unwrap().collect();
            prop_assert_eq!(read, Ok(entries));
        }

        #[test]
        fn whatever_is_there_is_read_or_refused(bytes: Vec<u8>, sequence: i64) {
            if let Ok(entries) = read(&bytes, sequence) {
                // It ends, and after an error at once.
                let entries: Vec<_> = entries.collect();
                prop_assert!(entries.len() <= bytes.len());
                let errors = entries.iter().position(Result::is_err);
                prop_assert!(errors.is_none_or(|place| place == entries.len() - 1));
            }
        }
    }

    /// The disk bytes of a report rest on it.
    #[test]
    fn a_station_behind_a_gateway_takes_three_bytes() {
        let mut bytes = Vec::new();
        let mut peer = [0; 16];
        peer[..12].copy_from_slice(&IPV4_MAPPED);
        let origin = Origin { listener: 1, peer };
        let entry = |number: i64| Entry {
            id: StationId::new(1_000_000 + 64 * number).unwrap(),
            alarm1: false,
            alarm2: false,
            opens_span: None,
            reports: 1,
            sequence: 900_000_000 + number,
            origin,
        };
        let mut writer = Writer::begin(&mut bytes, 1_000, 900_000_999);
        (0..1_000).for_each(|number| writer.push(&entry(number)));
        assert_eq!(bytes.len(), 1 + 2 + (1 + 3 + 1 + 4) + 999 * 3);
    }

    #[test]
    fn a_piece_and_a_newer_version_are_refused() {
        let mut bytes = Vec::new();
        let origin = Origin { listener: 300, peer: [1; 16] };
        let id = StationId::MAX;
        let entry = Entry {
            id,
            alarm1: true,
            alarm2: false,
            opens_span: Some(7),
            reports: 300,
            sequence: 77,
            origin,
        };
        Writer::begin(&mut bytes, 1, 99).push(&entry);
        for length in 3..bytes.len() {
            let piece: Vec<_> = read(&bytes[..length], 99).unwrap().collect();
            assert_eq!(piece, [Err(Damage::Damaged)], "{length} bytes");
        }
        bytes[2] |= 1 << 7;
        assert_eq!(read(&bytes, 99).unwrap().next(), Some(Err(Damage::Damaged)));
        bytes[0] = 2;
        assert_eq!(read(&bytes, 99).unwrap_err(), Damage::Version(2));
        assert_eq!(read(&[], 99).unwrap_err(), Damage::Damaged);
    }
}
