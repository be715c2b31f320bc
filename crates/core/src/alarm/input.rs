//! What can happen to an alarm, and why an operator's input may not.

use thiserror::Error;

use super::words::{AlarmSource, Point};

use crate::settings::Unfit;
use crate::station::StationId;
use crate::token::{Right, Role};

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
    /// Its station is forgotten: whatever is open is closed.
    Forget {
        /// Who.
        by: &'a str,
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

/// How long the name of whoever does something may be: a person, and the program that
/// speaks for them.
pub const NAME_CHARS_MAX: usize = 140;

/// How long a reason may be: some sentences.
pub const REASON_CHARS_MAX: usize = 500;

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
    #[error("the end may be at most {} away", in_words(*max_ms))]
    EndTooFar {
        /// How far it may be, in milliseconds.
        max_ms: i64,
    },
    /// Nobody is there.
    #[error("nobody visits it")]
    NotVisited,
    /// Somebody was first.
    #[error("{by} has retired it already")]
    AlreadyRetired {
        /// Who.
        by: Box<str>,
        /// When, in milliseconds UTC.
        at_ms: i64,
    },
    /// There is no such alarm: no such point, or no station in such an area.
    #[error("{of} has no {point}")]
    NoSuchAlarm {
        /// Whose it would be.
        of: AlarmSource,
        /// Which point.
        point: Point,
    },
    /// Nothing of its point is judged, so there is nothing to put aside.
    #[error("its point is disabled: it is not judged")]
    PointDisabled,
    /// Its station is no more.
    #[error("its station is retired")]
    StationRetired,
    /// Nobody knows such a station: there is no report of it, and nobody says anything of
    /// it.
    #[error(
        "station {station} is not known: nothing of it is recorded, and nothing is said of it (its settings)"
    )]
    NoSuchStation {
        /// Which.
        station: StationId,
    },
    /// Only what nobody has named is forgotten.
    #[error(
        "something is said of station {station}, so it is not forgotten: retire it, or say nothing of it any more first"
    )]
    StationNamed {
        /// Which.
        station: StationId,
    },
    /// One more station than may be known.
    #[error("station {station} is not known, and {stations_max} are: no more are taken")]
    StationsMax {
        /// Which.
        station: StationId,
        /// How many may be known.
        stations_max: usize,
    },
    /// A note about an occurrence that there never was; `None`: none was named, and
    /// none is open.
    #[error("{}", match named {
        Some(named) => format!("it never had an occurrence {named}"),
        None => "no occurrence is open: name the one that is meant".to_owned(),
    })]
    NoSuchOccurrence {
        /// The one that was named.
        named: Option<i64>,
    },
    /// For one more area than something may be said for.
    #[error("something is said for {areas_max} areas: no more are taken")]
    AreasMax {
        /// For how many it may be.
        areas_max: usize,
    },
    /// Somebody has said something else there since it was read.
    #[error("what is said there has changed since it was read: read it again, and change that")]
    SaidOtherwise,
    /// What is said cannot be meant.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A name or a reason is empty.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A name or a reason is too long for the ledger.
    #[error("{what} may have {chars_max} characters")]
    TooLong {
        /// Which.
        what: &'static str,
        /// How many characters it may have.
        chars_max: usize,
    },
    /// A name or a reason would disturb what it is shown in.
    #[error("{0} has characters that cannot be printed")]
    Unprintable(&'static str),
    /// A token's right is one of a higher role.
    #[error("a {role} cannot have the right {right}")]
    RightBeyondRole {
        /// Which right.
        right: Right,
        /// Which role.
        role: Role,
    },
    /// The ledger would take whoever has this name for somebody else.
    #[error("a token cannot have this name: in the ledger it would be taken for somebody else")]
    TokenNameReserved,
    /// A token has this name, or had it: the ledger knows whoever has it by that.
    #[error("the name {name} is taken by a token{}", if *is_revoked { " that was revoked" } else { "" })]
    TokenNameTaken {
        /// Which name.
        name: Box<str>,
        /// Whether that token was revoked.
        is_revoked: bool,
    },
    /// Its secret is another token's.
    #[error("another token has this secret")]
    TokenSecretTaken,
    /// One more token than there may be.
    #[error("there are {tokens_max} tokens: revoke one that nobody needs")]
    TokensMax {
        /// How many there may be.
        tokens_max: usize,
    },
    /// One more than there may ever have been.
    #[error("there have been {tokens_max} tokens: their names stay taken, and no more are made")]
    TokensEverMax {
        /// How many there may have been.
        tokens_max: usize,
    },
    /// There is no such token.
    #[error("there is no token {name}")]
    NoSuchToken {
        /// Its name.
        name: Box<str>,
    },
    /// Somebody was first.
    #[error("{by} has revoked it already")]
    TokenAlreadyRevoked {
        /// Who.
        by: Box<str>,
        /// When, in milliseconds UTC.
        at_ms: i64,
    },
    /// Nobody could change settings and tokens any more.
    #[error("{name} is the only token of an admin: add another one first")]
    LastAdmin {
        /// Its name.
        name: Box<str>,
    },
    /// It is not on the shelf.
    #[error("it is not shelved")]
    NotShelved,
    /// It is in service.
    #[error("it is not out of service")]
    NotOutOfService,
    /// A station that is in service, and is not retired.
    #[error("it is not paused")]
    NotPaused,
}

/// `8 h`, `366 days`: the largest unit in which a time is whole.
fn in_words(ms: i64) -> String {
    let minutes = ms / 60_000;
    match (minutes % 1_440, minutes % 60) {
        (0, _) if minutes > 1_440 => format!("{} days", minutes / 1_440),
        (_, 0) => format!("{} h", minutes / 60),
        _ => format!("{minutes} min"),
    }
}

/// What a person calls themselves, as it is written.
///
/// # Errors
/// If it is empty, too long, or cannot be printed.
pub fn name(by: &str) -> Result<&str, Rejected> {
    fit(by, "a name", NAME_CHARS_MAX)
}

/// Why a person does something, as it is written.
///
/// # Errors
/// If it is empty, too long, or cannot be printed.
pub fn reason(reason: &str) -> Result<&str, Rejected> {
    fit(reason, "a reason", REASON_CHARS_MAX)
}

/// What a person remarks, as it is written.
///
/// # Errors
/// If it is empty, too long, or cannot be printed.
pub fn note(text: &str) -> Result<&str, Rejected> {
    fit(text, "a note", REASON_CHARS_MAX)
}

pub(crate) fn fit<'a>(word: &'a str, what: &'static str, chars_max: usize) -> Result<&'a str, Rejected> {
    let word = word.trim();
    if word.is_empty() {
        return Err(Rejected::Missing(what));
    }
    if word.chars().nth(chars_max).is_some() {
        return Err(Rejected::TooLong { what, chars_max });
    }
    if word.chars().any(char::is_control) {
        return Err(Rejected::Unprintable(what));
    }
    Ok(word)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_reasons_are_there_and_fit_into_the_ledger() {
        assert_eq!(name(" Ana "), Ok("Ana"));
        assert_eq!(name(" \t"), Err(Rejected::Missing("a name")));
        assert_eq!(name(&"ü".repeat(NAME_CHARS_MAX)), Ok(&*"ü".repeat(NAME_CHARS_MAX)));
        let chars_max = REASON_CHARS_MAX;
        let too_long = "x".repeat(chars_max + 1);
        assert_eq!(reason(&too_long), Err(Rejected::TooLong { what: "a reason", chars_max }));
        assert_eq!(reason("a pump\x1b[2J"), Err(Rejected::Unprintable("a reason")));
    }

    #[test]
    fn how_far_away_an_end_may_be_is_told_in_its_largest_unit() {
        for (minutes, words) in [
            (1, "1 min"),
            (90, "90 min"),
            (480, "8 h"),
            (1_440, "24 h"),
            (2_880, "2 days"),
            (527_040, "366 days"),
        ] {
            let told = Rejected::EndTooFar { max_ms: minutes * 60_000 }.to_string();
            assert_eq!(told, format!("the end may be at most {words} away"));
        }
    }
}
