//! The lines of one connection's stations, ready to be sent again and again.

use super::Shape;

/// One report in so many has an alarm that has changed: alarms are rare, and
/// a server may treat a change otherwise than a repetition. A prime, so that
/// it comes round to every station.
const CHANGE_EVERY: u64 = 997;

/// A write takes as much as it can get up to about this much; more does not
/// fit into a socket anyway.
const WRITE_BYTES: usize = 64 * 1_024;

/// Lines of equal length in the order in which the stations report. Equal,
/// so that bytes and reports convert into each other without looking.
pub(super) struct Ring {
    bytes: Vec<u8>,
    line_bytes: usize,
    /// Lines until each station has reported once. The ring may hold them
    /// several times, so that a write need not stop at its end.
    stations: usize,
    /// Bytes sent since the beginning; its remainder is the place in `bytes`.
    sent: u64,
    /// The report that the next change comes with.
    changes_at: u64,
}

impl Ring {
    /// The stations of connection `place`: `place`, `place + N`, … Their ids
    /// begin at a power of ten that is at least the number of stations, so
    /// that all have equally many digits.
    pub(super) fn new(place: u32, shape: Shape) -> Ring {
        let base = (0..).map(|digits| 10_u64.pow(digits)).find(|&power| power >= u64::from(shape.stations));
        let base = base.expect("a u32 is less than a power of ten");
        let lines: Vec<u8> = (place..shape.stations)
            .step_by(shape.connections as usize)
            .flat_map(|station| format!("{} 0 0\n", base + u64::from(station)).into_bytes())
            .collect();
        let line_bytes = format!("{base} 0 0\n").len();
        let stations = lines.len() / line_bytes;
        let wanted = (shape.in_flight as usize * line_bytes).min(WRITE_BYTES);
        let bytes = lines.repeat(wanted.div_ceil(lines.len()));
        Ring { bytes, line_bytes, stations, sent: 0, changes_at: CHANGE_EVERY - 1 }
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
        let wanted = index(report * self.line_bytes as u64 - self.sent);
        &self.bytes[begin..length.min(begin + wanted)]
    }

    /// That many of the bytes were written.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Reports that have been written to their end.
    pub(super) fn reports_sent(&self) -> u64 {
        self.sent / self.line_bytes as u64
    }

    /// The first alarm of this report's station goes on or off, wherever the
    /// ring has the station: it stays so until its next change.
    fn change(&mut self, report: u64) {
        let station = index(report % self.stations as u64);
        let alarm1 = self.line_bytes - 4;
        for line in self.bytes.chunks_exact_mut(self.line_bytes).skip(station).step_by(self.stations) {
            line[alarm1] ^= b'0' ^ b'1';
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
        let mut ring = Ring::new(1, Shape { connections: 4, in_flight: 3, stations: 10 });
        assert_eq!(send(&mut ring, 4, 5), b"11 0 0\n15 0 0\n19 0 0\n11 0 0\n");
        assert_eq!(ring.reports_sent(), 4);
    }

    #[test]
    fn an_alarm_changes_now_and_then_and_stays_as_it_is() {
        for in_flight in [1_u32, 500] {
            let mut ring = Ring::new(0, Shape { connections: 1, in_flight, stations: 7 });
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
