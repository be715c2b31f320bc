//! What an operator wants done, and what became of it.
//!
//! It says what, to whom, by whom and until when its caller waits. The way to
//! the writer is [`Operators`](crate::lane::Operators).

use std::time::Instant;

use thiserror::Error;
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point, Rejected, State};
use waterwatch_core::settings::ScopeSays;
use waterwatch_core::token::{Digest, Rights, Role};

use crate::said_tag::SaidTag;
use crate::station_says::StationSays;
use crate::store::AlarmKey;

/// One thing that an operator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What, and to whom.
    pub what: What,
    /// Who wants it.
    pub by: Box<str>,
    /// Until when whoever waits for the answer waits: later it is no longer
    /// decided, so that nothing happens of which they were told that it did
    /// not.
    pub deadline: Instant,
}

/// What is to be done, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Acknowledge an occurrence of an alarm.
    Acknowledge {
        /// Which alarm.
        alarm: AlarmKey,
        /// The sequence of the event that raised it.
        occurrence: i64,
    },
    /// Shelve an alarm, or say anew until when.
    Shelve {
        /// Which alarm.
        alarm: AlarmKey,
        /// When that ends, in milliseconds UTC.
        until_ms: i64,
        /// Why.
        reason: Box<str>,
    },
    /// Unshelve an alarm.
    Unshelve {
        /// Which alarm.
        alarm: AlarmKey,
    },
    /// Take an alarm out of service, or say anew until when.
    TakeOutOfService {
        /// Which alarm.
        alarm: AlarmKey,
        /// When that ends, in milliseconds UTC.
        until_ms: i64,
        /// Why.
        reason: Box<str>,
    },
    /// Return an alarm to service.
    ReturnToService {
        /// Which alarm.
        alarm: AlarmKey,
    },
    /// Remark something about an occurrence of an alarm, in up to
    /// [`REASON_CHARS_MAX`](waterwatch_core::alarm::REASON_CHARS_MAX) characters; it
    /// changes no state.
    Note {
        /// Which alarm.
        alarm: AlarmKey,
        /// The sequence of the event that raised it, now or once; `None`: the one that
        /// is open.
        occurrence: Option<i64>,
        /// What.
        text: Box<str>,
    },
    /// Pause a station, or say anew until when: its `comms` is taken out of
    /// service.
    Pause {
        /// Which station.
        station: StationId,
        /// When that ends, in milliseconds UTC.
        until_ms: i64,
        /// Why.
        reason: Box<str>,
    },
    /// End a pause; or a retirement, if it is retired.
    Resume {
        /// Which station.
        station: StationId,
    },
    /// Say that somebody is at a station, or anew until when.
    BeginVisit {
        /// Which station.
        station: StationId,
        /// When that ends at the latest, in milliseconds UTC.
        until_ms: i64,
        /// What for, if they say so.
        reason: Option<Box<str>>,
    },
    /// Say that nobody is there any more.
    EndVisit {
        /// Which station.
        station: StationId,
    },
    /// Retire a station.
    Retire {
        /// Which station.
        station: StationId,
        /// Why.
        reason: Box<str>,
    },
    /// Forget a station that nobody has named: an id that somebody invented or mistyped.
    Forget {
        /// Which station.
        station: StationId,
        /// Only if one of these is the tag of what is said of it; `None`: whatever is said.
        if_said: Option<Box<[SaidTag]>>,
    },
    /// Make a token for the HTTP API.
    AddToken {
        /// What the ledger is to call whoever has it: no token has, or had, this name.
        name: Box<str>,
        /// What it may do.
        role: Role,
        /// What it may do beyond that.
        rights: Rights,
        /// The digest of its secret. The secret itself goes to whoever asked for it,
        /// and to nobody else.
        digest: Digest,
    },
    /// Revoke a token, unless it is the last one of an admin.
    RevokeToken {
        /// Its name.
        name: Box<str>,
    },
    /// Say this of a station, in place of all that was said of it. If it is empty,
    /// nothing is said of it any more, and it is `unnamed` once it reports.
    SetStation {
        /// Which station, whether it was heard or not.
        station: StationId,
        /// What.
        says: Box<StationSays>,
        /// Only if one of these is the tag of what is said there until then; `None`:
        /// whatever is said.
        if_said: Option<Box<[SaidTag]>>,
    },
    /// Say this for the stations of an area, in place of all that was said for
    /// them.
    SetArea {
        /// Which area, whether it has stations or not.
        area: Box<str>,
        /// What.
        says: Box<ScopeSays>,
        /// Only if one of these is the tag of what is said there until then; `None`:
        /// whatever is said.
        if_said: Option<Box<[SaidTag]>>,
    },
    /// Say this for the fleet, over what the configuration says, and in place of
    /// all that was said for it.
    SetFleet {
        /// What.
        says: Box<ScopeSays>,
        /// Only if one of these is the tag of what is said there until then; `None`:
        /// whatever is said.
        if_said: Option<Box<[SaidTag]>>,
    },
}

impl What {
    /// The station that it is about, if it is one's.
    #[must_use]
    pub fn station(&self) -> Option<StationId> {
        match self {
            What::Acknowledge { alarm, .. }
            | What::Shelve { alarm, .. }
            | What::Unshelve { alarm }
            | What::TakeOutOfService { alarm, .. }
            | What::ReturnToService { alarm }
            | What::Note { alarm, .. } => match alarm.0 {
                AlarmSource::Station(id) => Some(id),
                AlarmSource::Area(_) | AlarmSource::Server => None,
            },
            What::SetArea { .. } | What::SetFleet { .. } => None,
            What::Pause { station, .. }
            | What::Resume { station }
            | What::BeginVisit { station, .. }
            | What::EndVisit { station }
            | What::SetStation { station, .. }
            | What::Retire { station, .. }
            | What::Forget { station, .. } => Some(*station),
            What::AddToken { .. } | What::RevokeToken { .. } => None,
        }
    }
}

/// The alarm that a pause hides.
#[must_use]
pub fn comms_of(station: StationId) -> AlarmKey {
    (AlarmSource::Station(station), Point::Comms)
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and durable.
    Done(Done),
    /// It does not fit what is recorded, and changed nothing.
    Rejected(Rejected),
    /// It changed nothing, and never will.
    NotDone(NotDone),
    /// The server ended before that was certain: look again.
    Unknown,
}

/// How it is after a command that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The sequence of the newest report or event once it was done.
    pub sequence: i64,
    /// The state of the alarm that it was about; `None` if it was about none.
    pub state: Option<State>,
    /// The occurrence of that alarm that is open: the sequence of the event that
    /// raised it.
    pub occurrence: Option<i64>,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotDone {
    /// Whoever waited for it waits no more.
    #[error("it was not decided in time")]
    TooLate,
    /// What it depends on could not be read: the disk failed.
    #[error("what it depends on could not be read; the log says more")]
    NotRead,
    /// It could not be recorded: no room on the disk, or the disk failed.
    #[error("it could not be recorded")]
    NotStored,
    /// So many wait that one more is not taken.
    #[error("too many others wait")]
    Busy,
    /// The server is about to end.
    #[error("the server is stopping")]
    Stopping,
}
