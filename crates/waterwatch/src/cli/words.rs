//! Words of closed sets, in capitals or not: shells complete them, and a wrong one is
//! answered with those that there are.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};
use waterwatch_core::alarm::{Kind, Point, Priority, State};
use waterwatch_core::token::{Right, Role};

use crate::shown::text::names;
use crate::store::reader::communication::{Comms, Quality};

/// Reads one of a closed set.
#[derive(Clone, Debug)]
pub(super) struct Words<T: 'static> {
    read: fn(&str) -> Result<T, String>,
    names: Vec<&'static str>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Words<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        self.read.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}

/// One of `all` by its name.
fn named<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|one| name(*one).eq_ignore_ascii_case(text.trim()))
}

/// The same; it says which there are, if that is none.
fn one_of<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Result<T, String> {
    named(all, &name, text)
        .ok_or_else(|| format!("\"{text}\" is none of {}", names(all.iter().map(|one| name(*one)))))
}

macro_rules! words {
    ($(#[$doc:meta] $function:ident: $type:ty = $all:expr, |$text:ident| $read:expr;)+) => {$(
        #[$doc]
        pub(super) fn $function() -> Words<$type> {
            let read = |$text: &str| -> Result<$type, String> { $read };
            Words { read, names: $all.iter().map(|one| one.name()).collect() }
        }
    )+};
}

words! {
    /// How urgent an alarm is.
    priority: Priority = Priority::ALL, |text| one_of(Priority::ALL, Priority::name, text);
    /// How a station is heard.
    comms: Comms = Comms::ALL, |text| one_of(&Comms::ALL, Comms::name, text);
    /// What a contact is worth.
    quality: Quality = Quality::ALL, |text| one_of(&Quality::ALL, Quality::name, text);
    /// What the owner of a token may do.
    role: Role = Role::ALL, |text| one_of(Role::ALL, Role::name, text);
    /// What it may do beyond that.
    right: Right = Right::ALL, |text| one_of(Right::ALL, Right::name, text);
    /// What a source can be in alarm about.
    point: Point = Point::ALL, |text| {
        let there_are = || names(Point::ALL.iter().map(|point| point.name()));
        named(Point::ALL, Point::name, text)
            .ok_or_else(|| format!("there is no point \"{text}\"; there are {}", there_are()))
    };
    /// The state of an alarm, by its name or its short form.
    state: State = State::ALL, |text| {
        let states = || State::ALL.iter().map(|state| format!("{} ({})", state.name(), state.short()));
        named(State::ALL, State::name, text)
            .or_else(|| named(State::ALL, State::short, text))
            .ok_or_else(|| format!("there is no state \"{text}\"; there are {}", names(states())))
    };
    /// What happens to alarms, stations and the server.
    kind: Kind = Kind::ALL, |text| {
        named(Kind::ALL, Kind::name, text)
            .ok_or_else(|| format!("nothing of the kind \"{text}\" happens; docs/alarms.md names all kinds"))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_in_capitals_or_not_and_others_are_answered_with_those_there_are() {
        assert_eq!((priority().read)("HIGH"), Ok(Priority::High));
        assert_eq!((state().read)("rtnun"), Ok(State::ReturnedUnacknowledged));
        assert_eq!((state().read)(" Shelved"), Ok(State::Shelved));
        assert_eq!((point().read)("Alarm1"), Ok(Point::Alarm1));
        assert_eq!((comms().read)("late "), Ok(Comms::Late));
        assert_eq!(
            (priority().read)("urgent").unwrap_err(),
            "\"urgent\" is none of low, medium, high and critical"
        );
        assert!((point().read)("alarm3").unwrap_err().contains("; there are alarm1, alarm2, comms, "));
        assert!((state().read)("").unwrap_err().contains("unacknowledged (UNACK), "));
    }
}
