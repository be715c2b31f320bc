//! One report: what a station says of its two contacts, and where it came
//! from.

use core::net::{IpAddr, Ipv6Addr};
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

/// Where a report came from. Without the peer's port, which is another one
/// for each connection and tells nobody apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The number of the listener that heard it, as the store gave it; 0 if
    /// it is not known.
    pub listener: u16,
    /// The peer's address as the 16 bytes of IPv6, an IPv4 address mapped
    /// into it (RFC 4291, 2.5.5.2); all zero if it is not known.
    pub peer: [u8; 16],
}

impl Origin {
    /// What was heard by the listener with this number from this address.
    #[must_use]
    pub fn of(listener: u16, address: IpAddr) -> Origin {
        let peer = match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Origin { listener, peer: peer.octets() }
    }

    /// The peer's address, if it is known.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.is_known().then(|| Ipv6Addr::from(self.peer).to_canonical())
    }

    /// Whether it is known where that is.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.peer != [0; 16]
    }

    /// Two of them in words that differ: by their addresses, or where those are
    /// the same, by the numbers of the listeners.
    #[must_use]
    pub fn told_apart(one: &Origin, other: &Origin) -> (String, String) {
        let in_words = |origin: &Origin| {
            if one.peer == other.peer {
                format!("{origin} (listener {})", origin.listener)
            } else {
                origin.to_string()
            }
        };
        (in_words(one), in_words(other))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(address) => address.fmt(f),
            None => f.write_str("an unknown address"),
        }
    }
}
