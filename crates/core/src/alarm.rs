//! An alarm's life, after ISA-18.2 and IEC 62682.
//!
//! What is kept are independent *facts*: the contact and the condition that
//! follows it, the occurrence with its acknowledgement, entries that hide the
//! alarm for a while. The [`State`] is derived from them, never kept. One
//! [`Alarm::step`] takes one input to the facts after it, and writes what
//! happened into the [`Ledger`]: nothing changes that has no entry there.
//!
//! `docs/alarms.md` has the table of all facts and inputs; a test holds it
//! against this file.

mod facts;
mod input;
mod ledger;
mod settings;
mod step;
pub(crate) mod words;

pub use facts::{Acknowledgement, Alarm, Aside, Chatter, Chattering, Hidden, Occurrence, OnWhileHidden};
pub(crate) use input::fit;
pub use input::{Input, NAME_CHARS_MAX, Order, REASON_CHARS_MAX, Rejected, name, note, reason};
pub use ledger::{Event, Ledger, Subject};
pub use settings::{PointSettings, Priority};
pub use words::{AlarmSource, Kind, Point, State};

#[cfg(test)]
mod tests;
