//! Words in a query: of those there are, with an error that lists them.

use std::fmt;
use std::str::FromStr;

use waterwatch_core::alarm::{Kind, Priority, State};
use waterwatch_core::wire::Refusal;

use crate::shown::text::names;
use crate::store::reader::communication::{Comms, Quality};

/// A word of those that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<T>(pub(super) T);

/// Why a line is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(pub(super) &'static str);

/// What has a name in queries.
pub(super) trait Named: Copy + 'static {
    /// All of them, with their names.
    fn all() -> impl Iterator<Item = (Self, &'static str)>;
}

/// A word that there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoSuchWord(String);

impl fmt::Display for NoSuchWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: Named> FromStr for Word<T> {
    type Err = NoSuchWord;

    fn from_str(text: &str) -> Result<Word<T>, NoSuchWord> {
        let found = T::all().find(|(_, name)| *name == text);
        found.map(|(word, _)| Word(word)).ok_or_else(|| {
            NoSuchWord(format!(
                "it must be of {}, with commas between several",
                names(T::all().map(|(_, name)| name))
            ))
        })
    }
}

impl Named for State {
    fn all() -> impl Iterator<Item = (State, &'static str)> {
        State::ALL.iter().map(|state| (*state, state.name()))
    }
}

impl Named for Priority {
    fn all() -> impl Iterator<Item = (Priority, &'static str)> {
        Priority::ALL.iter().map(|priority| (*priority, priority.name()))
    }
}

impl Named for Kind {
    fn all() -> impl Iterator<Item = (Kind, &'static str)> {
        Kind::ALL.iter().map(|kind| (*kind, kind.name()))
    }
}

impl Named for Code {
    fn all() -> impl Iterator<Item = (Code, &'static str)> {
        Refusal::CODES.into_iter().map(|code| (Code(code), code))
    }
}

impl Named for Comms {
    fn all() -> impl Iterator<Item = (Comms, &'static str)> {
        Comms::ALL.into_iter().map(|comms| (comms, comms.name()))
    }
}

impl Named for Quality {
    fn all() -> impl Iterator<Item = (Quality, &'static str)> {
        Quality::ALL.into_iter().map(|quality| (quality, quality.name()))
    }
}
