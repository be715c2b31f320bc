//! Rows that nobody can read, after somebody's hand or a mistake. One of them must not
//! keep the server from starting: then no alarm of any station reaches anybody. It is as
//! if it were not there, and said so; an alarm whose facts it had is raised afresh.

use std::fmt;

use super::alarms::AlarmKey;

/// So many are named in the log each time, at most.
const NAMED_MAX: usize = 20;

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which row of which table, and why: `in alarm, the row of source 7 and point …`.
    pub why: Box<str>,
    /// The alarm whose facts it had, if that much of it can be read.
    pub alarm: Option<AlarmKey>,
}

impl Unreadable {
    /// One that has no alarm's facts.
    pub(super) fn of(why: impl fmt::Display) -> Unreadable {
        Unreadable { why: why.to_string().into(), alarm: None }
    }

    /// Says in the log what was read.
    pub(super) fn complain(all: &[Unreadable]) {
        for Unreadable { why, alarm } in all.iter().take(NAMED_MAX) {
            match alarm {
                Some(_) => tracing::error!("{why}; so the alarm is raised afresh, and its row replaced"),
                None => tracing::error!("{why}; it is as if that were not there, and is left as it is"),
            }
        }
        if all.len() > NAMED_MAX {
            tracing::error!(rows = all.len(), "more rows cannot be read than are named here");
        }
    }
}
