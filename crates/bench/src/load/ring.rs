//! The reports of one connection's stations, ready to be sent again and again.

use super::Shape;
use crate::protocol::Protocol;

/// One report in so many has an alarm that has changed: alarms are rare, and
/// a server may treat a change otherwise than a repetition. A prime, so that
/// it comes round to every station.
const CHANGE_EVERY: u64 = 997;

/// A write takes as much as it can get up to about this much; more does not
/// fit into a socket anyway.
const WRITE_BYTES: usize = 64 * 1_024;

/// Which stations of a load report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stations {
    /// Those that are measured.
    Measured,
    /// Those that only warm the server up.
    WarmUp,
}

/// Reports of equal length in the order in which the stations send them.
/// Equal, so that bytes and reports convert into each other without looking.
pub(super) struct Ring {
    bytes: Vec<u8>,
    report_bytes: usize,
    alarm1_from_end: usize,
    /// Reports until each station has reported once. The ring may hold them
    /// several times, so that a write need not stop at its end.
    stations: usize,
    /// Bytes sent since the beginning; its remainder is the place in `bytes`.
    sent: u64,
    /// The report that the next change comes with.
    changes_at: u64,
}

/// Multiplied by it, and taken modulo their number, stations come in an order
/// in which no neighbours are near each other. A prime that divides no number
/// of stations that anybody measures, so that each comes once.
const SHUFFLE: u64 = 611_953;

impl Ring {
    /// The stations of connection `place`: `place`, `place + N`, … of the
    /// measured ones or of those that follow them for the warm-up. Both rings
    /// are equally long, so that one can take over from the other.
    pub(super) fn new(protocol: Protocol, shape: Shape, place: u32, which: Stations) -> Ring {
        let base = shape.first_id();
        let of_connection = |first: u32, count: u32| -> Vec<u64> {
            (place..count.max(place + 1))
                .step_by(shape.connections as usize)
                .map(|station| {
                    let station = u64::from(station % count);
                    let count = u64::from(count);
                    let station = if shape.shuffled { station * SHUFFLE % count } else { station };
                    base + u64::from(first) + station
                })
                .collect()
        };
        let measured = of_connection(0, shape.stations);
        let report_bytes = protocol.report(base, 1).len();
        let wanted = (shape.in_flight as usize * report_bytes).min(WRITE_BYTES).div_ceil(report_bytes);
        let wanted = if protocol == Protocol::Mqtt { shape.in_flight as usize } else { wanted };
        let reports = measured.len() * wanted.div_ceil(measured.len());
        let stations = match which {
            Stations::Measured => measured,
            Stations::WarmUp => of_connection(shape.stations, shape.warm_up_stations),
        };
        let bytes = stations
            .iter()
            .cycle()
            .zip(0..reports)
            .flat_map(|(&station, place)| {
                // Only MQTT looks at it, and its rings are short enough.
                let packet = u16::try_from(place + 1).unwrap_or(u16::MAX);
                protocol.report(station, packet)
            })
            .collect();
        Ring {
            bytes,
            report_bytes,
            alarm1_from_end: protocol.alarm1_from_end(),
            stations: stations.len(),
            sent: 0,
            changes_at: CHANGE_EVERY - 1,
        }
    }

    /// How many reports lie ready.
    pub(super) fn reports(&self) -> usize {
        self.bytes.len() / self.report_bytes
    }

    /// How many stations report in turn.
    pub(super) fn stations(&self) -> u64 {
        self.stations as u64
    }

    /// Takes over from `before`, which must be at the end of a report.
    pub(super) fn follow(&mut self, before: &Ring) {
        assert!(before.is_at_report_end() && self.bytes.len() == before.bytes.len(), "rings that fit");
        self.sent = before.sent;
        self.changes_at = before.changes_at;
    }

    /// Whether no report is half sent.
    pub(super) fn is_at_report_end(&self) -> bool {
        self.sent.is_multiple_of(self.report_bytes as u64)
    }

    /// The bytes to write next: those of all reports before number `report`,
    /// as far as they lie in one piece.
    pub(super) fn unsent(&mut self, report: u64) -> &[u8] {
        while self.changes_at < report {
            self.change(self.changes_at);
            self.changes_at += CHANGE_EVERY;
        }
        let length = self.bytes.len();
        let begin = index(self.sent % length as u64);
        let wanted = index((report * self.report_bytes as u64).saturating_sub(self.sent));
        &self.bytes[begin..length.min(begin + wanted)]
    }

    /// That many of the bytes were written.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Reports that have been written to their end.
    pub(super) fn reports_sent(&self) -> u64 {
        self.sent / self.report_bytes as u64
    }

    /// The first alarm of this report's station goes on or off, wherever the
    /// ring has the station: it stays so until its next change.
    fn change(&mut self, report: u64) {
        let place = index(report % self.reports() as u64) % self.stations;
        let alarm1 = self.report_bytes - self.alarm1_from_end;
        for report in self.bytes.chunks_exact_mut(self.report_bytes).skip(place).step_by(self.stations) {
            report[alarm1] ^= b'0' ^ b'1';
        }
    }
}

fn index(value: u64) -> usize {
    usize::try_from(value).expect("less than the ring's length")
}

#[cfg(test)]
mod tests {
    use waterwatch_core::wire;

    use super::*;

    const SHAPE: Shape =
        Shape { connections: 4, in_flight: 3, stations: 10, warm_up_stations: 0, shuffled: false };

    fn lines(shape: Shape, place: u32, which: Stations) -> Ring {
        Ring::new(Protocol::Lines, shape, place, which)
    }

    /// Sends up to report number `report`, in pieces of at most `piece` bytes.
    fn send(ring: &mut Ring, report: u64, piece: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while !ring.unsent(report).is_empty() {
            let bytes = ring.unsent(report);
            let bytes = &bytes[..bytes.len().min(piece)];
            sent.extend_from_slice(bytes);
            let length = bytes.len();
            ring.advance(length);
        }
        sent
    }

    #[test]
    fn a_connection_reports_every_nth_station_in_turn() {
        let mut ring = lines(SHAPE, 1, Stations::Measured);
        assert_eq!(send(&mut ring, 4, 5), b"11 0 0\n15 0 0\n19 0 0\n11 0 0\n");
        assert_eq!(ring.reports_sent(), 4);
    }

    #[test]
    fn the_measured_stations_take_over_from_those_of_the_warm_up() {
        let shape = Shape { warm_up_stations: 5, ..SHAPE };
        let mut warm_up = lines(shape, 1, Stations::WarmUp);
        assert_eq!(send(&mut warm_up, 2, 5), b"111 0 0\n111 0 0\n");
        let mut measured = lines(shape, 1, Stations::Measured);
        measured.follow(&warm_up);
        assert_eq!(send(&mut measured, 4, 5), b"109 0 0\n101 0 0\n");
    }

    #[test]
    fn messages_in_flight_have_identifiers_of_their_own() {
        let shape =
            Shape { connections: 1, in_flight: 100, stations: 3, warm_up_stations: 0, shuffled: false };
        let ring = Ring::new(Protocol::Mqtt, shape, 0, Stations::Measured);
        assert!(ring.reports() >= 100);
        let ids: std::collections::BTreeSet<&[u8]> =
            ring.bytes.chunks(ring.report_bytes).map(|report| &report[8..10]).collect();
        assert_eq!(ids.len(), ring.reports());
    }

    #[test]
    fn shuffled_stations_are_the_same_in_another_order() {
        let stations = |shuffled| {
            let shape =
                Shape { connections: 1, in_flight: 1, stations: 1_000, warm_up_stations: 0, shuffled };
            let mut ring = Ring::new(Protocol::Lines, shape, 0, Stations::Measured);
            let bytes = send(&mut ring, 900, 1_000_000);
            let lines = String::from_utf8(bytes).unwrap();
            lines.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (ordered, mut shuffled) = (stations(false), stations(true));
        assert!(ordered.is_sorted() && !shuffled.is_sorted());
        shuffled.sort();
        shuffled.dedup();
        assert_eq!(shuffled.len(), 900);
    }

    #[test]
    fn an_alarm_changes_now_and_then_and_stays_as_it_is() {
        for in_flight in [1_u32, 500] {
            let shape =
                Shape { connections: 1, in_flight, stations: 7, warm_up_stations: 0, shuffled: false };
            let mut ring = lines(shape, 0, Stations::Measured);
            let windows = (1..=100_000).step_by(in_flight as usize).skip(1).chain([100_000]);
            let bytes: Vec<u8> = windows.flat_map(|report| send(&mut ring, report, 1_000)).collect();
            let mut alarms = [false; 7];
            let (mut reports, mut changes) = (0, 0);
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                let report = wire::parse(line.strip_suffix(b"\n").unwrap()).unwrap();
                let station = usize::try_from(report.station_id.get() - 10).unwrap();
                assert_eq!(station, reports % 7);
                changes += u32::from(alarms[station] != report.alarm1);
                alarms[station] = report.alarm1;
                reports += 1;
            }
            assert_eq!(reports, 100_000);
            assert!((95..=100).contains(&changes), "{changes} with {in_flight} in flight");
        }
    }
}
