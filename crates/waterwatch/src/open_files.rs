//! How many files this process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;

/// File descriptors that are left to everything but connections: the
/// database, its log and index, those who look at it, the listeners, standard
/// streams, the runtime.
const RESERVED: u64 = 128;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Of stations.
    pub stations: usize,
    /// Of those who speak HTTP: where files are few, a quarter of them.
    pub http: usize,
}

/// How many connections the limits allow, and the open files of the system, after
/// asking for as many as it gives.
#[must_use]
pub fn shares(limits: &Limits) -> Shares {
    share(limits, raise())
}

fn share(limits: &Limits, files: Option<u64>) -> Shares {
    let files = files
        .map_or(usize::MAX, |files| usize::try_from(files.saturating_sub(RESERVED)).unwrap_or(usize::MAX));
    let http = limits.http_connections_max.min(files / 4).max(1);
    Shares { stations: limits.connections_max.min(files.saturating_sub(http)).max(1), http }
}

/// Asks for as many open files as the system gives (`RLIMIT_NOFILE`), and
/// says how many that are; `None` is no limit.
#[must_use]
pub fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stations_and_http_share_the_open_files() {
        let limits = Limits { connections_max: 1_000, http_connections_max: 100, ..Limits::default() };
        let of = |files| share(&limits, files);
        assert_eq!(of(None), Shares { stations: 1_000, http: 100 });
        assert_eq!(of(Some(128 + 600)), Shares { stations: 500, http: 100 });
        assert_eq!(of(Some(128 + 200)), Shares { stations: 150, http: 50 });
        assert_eq!(of(Some(64)), Shares { stations: 1, http: 1 });
    }
}
