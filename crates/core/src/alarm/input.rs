//! What can happen to an alarm, and why an operator's input may not.

use thiserror::Error;

/// What can happen to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// A report says that the contact is on or off.
    Contact(bool),
    /// Time has passed: whatever is due now happens.
    Time,
    /// The clock on the wall has jumped: what counts from a moment on goes
    /// along. What was ordered until a time on the wall stays.
    ClockJump {
        /// By how much, in milliseconds; negative if it was set back.
        by_ms: i64,
    },
    /// An operator answers an occurrence.
    Acknowledge {
        /// The sequence of the event that raised it.
        occurrence: i64,
        /// Who.
        by: &'a str,
    },
    /// An operator puts it aside, or says anew until when.
    Shelve(Order<'a>),
    /// An operator takes it back.
    Unshelve {
        /// Who.
        by: &'a str,
    },
    /// Somebody works on it, or says anew until when.
    TakeOutOfService(Order<'a>),
    /// The work is done.
    ReturnToService {
        /// Who.
        by: &'a str,
    },
    /// Another alarm stands for it.
    Suppress {
        /// The occurrence of that alarm.
        occurrence: i64,
    },
    /// The other alarm stands for it no more.
    Unsuppress,
    /// Its station is retired: whatever is open is closed.
    Retire {
        /// Who.
        by: &'a str,
        /// Why.
        reason: &'a str,
    },
}

/// An operator's word on how long something is to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order<'a> {
    /// When it ends, in milliseconds UTC.
    pub until_ms: i64,
    /// Who.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// Why an operator's input changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejected {
    /// Another occurrence than the current one was named.
    #[error("occurrence {named} is not open: {}", match current {
        Some(current) => format!("the one that is open is {current}"),
        None => "none is open now".to_owned(),
    })]
    OtherOccurrence {
        /// The one that was named.
        named: i64,
        /// The current one.
        current: Option<i64>,
    },
    /// Somebody was first.
    #[error("{by} has acknowledged it already")]
    AlreadyAcknowledged {
        /// Who.
        by: Box<str>,
        /// When, in milliseconds UTC.
        at_ms: i64,
    },
    /// An end that has passed.
    #[error("the end must lie ahead")]
    EndHasPassed,
    /// An end that is too far away.
    #[error("the end may be at most {} min away", max_ms / 60_000)]
    EndTooFar {
        /// How far it may be, in milliseconds.
        max_ms: i64,
    },
    /// A name or a reason is empty.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It is not on the shelf.
    #[error("it is not shelved")]
    NotShelved,
    /// It is in service.
    #[error("it is not out of service")]
    NotOutOfService,
}

impl Rejected {
    /// The same, if all that is recorded are events up to `sequence`: an
    /// occurrence that is only about to be raised has no name yet.
    pub(super) fn known_up_to(self, sequence: i64) -> Rejected {
        match self {
            Rejected::OtherOccurrence { named, current } => {
                Rejected::OtherOccurrence { named, current: current.filter(|current| *current <= sequence) }
            }
            other => other,
        }
    }
}
