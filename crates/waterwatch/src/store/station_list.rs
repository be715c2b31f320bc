//! Many stations in few bytes: a version, then for each, in order, how much
//! larger its id is than the one before, seven bits a byte (LEB128), the lowest
//! first.

use waterwatch_core::StationId;

const VERSION: u8 = 1;

/// The stations as they are stored; they are in order.
#[must_use]
pub fn encode(stations: &[StationId]) -> Vec<u8> {
    debug_assert!(stations.is_sorted());
    let mut bytes = Vec::with_capacity(1 + 2 * stations.len());
    bytes.push(VERSION);
    let mut before = 0;
    for id in stations {
        let mut step = (id.get() - before).cast_unsigned();
        before = id.get();
        while step >= 0x80 {
            bytes.push(step.to_le_bytes()[0] | 0x80);
            step >>= 7;
        }
        bytes.push(step.to_le_bytes()[0]);
    }
    bytes
}

/// The stations in these bytes; `None` if no server wrote them.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Box<[StationId]>> {
    let mut stations = Vec::with_capacity(bytes.len());
    let mut steps = Steps::of(bytes)?;
    while !steps.rest.is_empty() {
        stations.push(steps.next()?);
    }
    Some(stations.into())
}

/// Whether a station is in these bytes, of which no more is read than is needed;
/// `None` if no server wrote what is read.
#[must_use]
pub fn contains(bytes: &[u8], station: StationId) -> Option<bool> {
    let mut steps = Steps::of(bytes)?;
    while !steps.rest.is_empty() {
        let next = steps.next()?;
        if next >= station {
            return Some(next == station);
        }
    }
    Some(false)
}

/// The stations in bytes, one after the other.
struct Steps<'a> {
    rest: &'a [u8],
    before: i64,
}

impl<'a> Steps<'a> {
    fn of(bytes: &'a [u8]) -> Option<Steps<'a>> {
        let (&VERSION, rest) = bytes.split_first()? else { return None };
        Some(Steps { rest, before: 0 })
    }

    fn next(&mut self) -> Option<StationId> {
        let mut step = 0_u64;
        let mut shift = 0;
        loop {
            let (&byte, after) = self.rest.split_first()?;
            self.rest = after;
            // Nine bytes have the 63 bits of the largest id.
            if shift > 56 {
                return None;
            }
            step |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        self.before = self.before.checked_add(i64::try_from(step).ok()?)?;
        StationId::new(self.before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(mut numbers in prop::collection::vec(0..=i64::MAX, 0..50), near in 0_i64..1_000) {
            numbers.extend(near..near + 20);
            let mut stations: Vec<StationId> = numbers.into_iter().filter_map(StationId::new).collect();
            stations.sort_unstable();
            stations.dedup();
            let bytes = encode(&stations);
            for &id in &stations {
                prop_assert_eq!(contains(&bytes, id), Some(true));
            }
            for number in near - 3..near + 25 {
                let Some(id) = StationId::new(number) else { continue };
                prop_assert_eq!(contains(&bytes, id), Some(stations.contains(&id)));
            }
            prop_assert_eq!(decode(&bytes), Some(stations.into()));
        }

        #[test]
        fn nothing_that_is_read_harms(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some(stations) = decode(&bytes) {
                prop_assert!(stations.is_sorted());
            }
        }
    }

    #[test]
    fn neighbours_take_a_byte_each_and_what_no_server_wrote_is_refused() {
        let stations: Vec<StationId> = (1_000..2_000).filter_map(StationId::new).collect();
        assert_eq!(encode(&stations).len(), 1_002);
        assert_eq!(decode(&[VERSION]).as_deref(), Some(&[][..]));
        let largest = encode(&[StationId::MAX]);
        assert_eq!(decode(&largest).as_deref(), Some(&[StationId::MAX][..]));
        for wrong in [
            &[][..],
            &[2, 1],
            &[VERSION, 0x80],
            &[&largest[..], &[1]].concat(),
            &[&[VERSION][..], &[0xff; 9], &[1]].concat(),
        ] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }
}
