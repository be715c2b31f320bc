//! The short names by which the configuration, the ledger and commands know contacts,
//! rotas, policies and channels.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// How long such a name may be: it stands in tables and in addresses.
pub const ID_CHARS_MAX: usize = 40;

/// Why a text is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Misnamed {
    /// It is empty.
    #[error("a name has at least one letter")]
    Empty,
    /// It has more than [`ID_CHARS_MAX`].
    #[error("a name has at most {ID_CHARS_MAX} letters")]
    TooLong,
    /// It would have to be written in quotes and escaped in addresses.
    #[error("a name has letters from a to z, digits, - and _ only, and begins with a letter or digit")]
    Letter,
    /// It means something else.
    #[error("\"nobody\" is no name: it stands for a gap")]
    Reserved,
}

/// What stands for a gap among the turns of a rota.
pub const NOBODY: &str = "nobody";

fn checked(text: &str) -> Result<Arc<str>, Misnamed> {
    let first = text.chars().next().ok_or(Misnamed::Empty)?;
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    if !is_plain(first) || !text.chars().all(|letter| is_plain(letter) || matches!(letter, '-' | '_')) {
        return Err(Misnamed::Letter);
    }
    if text.len() > ID_CHARS_MAX {
        return Err(Misnamed::TooLong);
    }
    if text == NOBODY {
        return Err(Misnamed::Reserved);
    }
    Ok(text.into())
}

macro_rules! ids {
    ($( $(#[doc = $doc:literal])+ $id:ident; )+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $id(Arc<str>);

        impl $id {
            /// The one that is written so.
            ///
            /// # Errors
            /// If it could not be a name.
            pub fn new(text: &str) -> Result<$id, Misnamed> {
                checked(text).map($id)
            }

            /// As it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $id {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )+ };
}

ids! {
    /// Somebody who can be told: a person, or a desk where somebody sits.
    ContactId;
    /// Contacts who take turns.
    RotaId;
    /// What is done about some alarms.
    PolicyName;
    /// A way by which messages leave the house.
    ChannelId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_written_anywhere_without_quotes() {
        let long = "a".repeat(ID_CHARS_MAX);
        for name in ["ana", "7", "night-shift_2", &long] {
            assert_eq!(ContactId::new(name).map(|id| id.to_string()), Ok(name.to_owned()));
        }
        for (name, why) in [
            ("", Misnamed::Empty),
            ("Ana", Misnamed::Letter),
            ("-a", Misnamed::Letter),
            ("a b", Misnamed::Letter),
            ("é", Misnamed::Letter),
            (&(long.clone() + "a"), Misnamed::TooLong),
            ("nobody", Misnamed::Reserved),
        ] {
            assert_eq!(ContactId::new(name), Err(why), "{name}");
        }
    }
}
