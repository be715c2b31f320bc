//! One report: what a station says of its two contacts.

use std::fmt;

use crate::station::StationId;

/// A station's report. One that exists is valid; printing it gives the line
/// that the wire parser takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who reports.
    pub station_id: StationId,
    /// The first alarm contact: on or off.
    pub alarm1: bool,
    /// The second alarm contact: on or off.
    pub alarm2: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.station_id, u8::from(self.alarm1), u8::from(self.alarm2))
    }
}
