//! How many files this process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;

/// File descriptors that are left to everything but connections: the
/// database, its log and index, those who look at it, the listeners, standard
/// streams, the runtime.
const RESERVED: u64 = 128;

/// The same limits, with as many connections as the open files of the system leave
/// room for, after asking for as many as it gives. Once, at a start: somebody may
/// want fewer files later on.
#[must_use]
pub fn within(limits: &Limits) -> Limits {
    let within = share(limits, raise());
    if within.connections_max < limits.connections_max {
        tracing::info!(
            connections_max = within.connections_max,
            "connections are limited by the open files that the system allows"
        );
    }
    within
}

/// Where files are few, those who speak HTTP have a quarter of them.
fn share(limits: &Limits, files: Option<u64>) -> Limits {
    let files = files
        .map_or(usize::MAX, |files| usize::try_from(files.saturating_sub(RESERVED)).unwrap_or(usize::MAX));
    let http = limits.http_connections_max.min(files / 4).max(1);
    let stations = limits.connections_max.min(files.saturating_sub(http)).max(1);
    Limits { connections_max: stations, http_connections_max: http, ..limits.clone() }
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
        let of = |files| {
            let limits = Limits { connections_max: 1_000, http_connections_max: 100, ..Limits::default() };
            let Limits { connections_max, http_connections_max, .. } = share(&limits, files);
            (connections_max, http_connections_max)
        };
        assert_eq!(of(None), (1_000, 100));
        assert_eq!(of(Some(128 + 600)), (500, 100));
        assert_eq!(of(Some(128 + 200)), (150, 50));
        assert_eq!(of(Some(64)), (1, 1));
    }
}
