//! Who may still connect: connections in all, and from one address.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::{Connections, OpenConnection};

/// Counts connections against their limits.
#[derive(Debug)]
pub(super) struct Admission {
    connections_max: usize,
    /// 0: no limit.
    connections_per_address_max: usize,
    counts: Mutex<Counts>,
    connections: Connections,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    /// Empty while there is no limit on it.
    per_address: HashMap<IpAddr, usize>,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Connections(usize),
    Address(usize),
}

/// One connection's place, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    address: IpAddr,
    _open: OpenConnection,
}

impl Admission {
    pub(super) fn new(
        connections_max: usize,
        connections_per_address_max: usize,
        connections: Connections,
    ) -> Admission {
        Admission { connections_max, connections_per_address_max, counts: Mutex::default(), connections }
    }

    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let mut counts = self.counts();
        if counts.connections >= self.connections_max {
            return Err(Full::Connections(self.connections_max));
        }
        if self.connections_per_address_max > 0 {
            let from_address = counts.per_address.entry(address).or_default();
            if *from_address >= self.connections_per_address_max {
                return Err(Full::Address(self.connections_per_address_max));
            }
            *from_address += 1;
        }
        counts.connections += 1;
        Ok(Place { admission: Arc::clone(self), address, _open: self.connections.open() })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        counts.connections -= 1;
        if let Some(from_address) = counts.per_address.get_mut(&self.address) {
            *from_address -= 1;
            if *from_address == 0 {
                counts.per_address.remove(&self.address);
            }
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Full::Connections(max) => write!(f, "there are {max} already (connections_max)"),
            Full::Address(max) => {
                write!(f, "there are {max} from its address already (connections_per_address_max)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let admission = Arc::new(Admission::new(3, 2, Connections::default()));
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = admission.admit(a).unwrap();
        let _second = admission.admit(a).unwrap();
        assert_eq!(admission.admit(a).unwrap_err(), Full::Address(2));
        let _third = admission.admit(b).unwrap();
        assert_eq!(admission.admit(b).unwrap_err(), Full::Connections(3));
        drop(first);
        let _fourth = admission.admit(a).unwrap();
        assert_eq!(admission.counts().connections, 3);
    }
}
