//! Tokens: who may speak to the server over HTTP, as whom, and what they may do.
//!
//! A token has a [`Role`], as people have, and beside it [`Rights`] for what a
//! machine must never do by the way: a program that reads alarms must not answer
//! them, nor may one that shows stations report as one. Of its secret only the
//! digest is known here.

use crate::alarm::words::named;
use crate::alarm::{Rejected, fit};

/// How many tokens that are not revoked there may be: each person and each program
/// of a large utility has one.
pub const TOKENS_MAX: usize = 1_000;

/// How many there may ever have been, since the names of those that were revoked stay
/// taken: a new one for each hour, for ten years.
pub const TOKENS_EVER_MAX: usize = 100_000;

/// How long the name of a token may be.
pub const TOKEN_NAME_CHARS_MAX: usize = 64;

/// What whoever has a token may do. Each may do all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look.
    Viewer,
    /// Put alarms aside, say who is at a station; acknowledge, with the right to.
    Operator,
    /// Change settings and tokens.
    Admin,
}

named!(Role {
    Viewer => "viewer",
    Operator => "operator",
    Admin => "admin",
});

/// What no role alone allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Acknowledge alarms.
    Acknowledge,
    /// Report as a station does.
    Report,
}

named!(Right {
    Acknowledge => "acknowledge",
    Report => "report",
});

/// Which rights a token has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights {
    /// It may acknowledge alarms.
    pub acknowledge: bool,
    /// It may report as a station does.
    pub report: bool,
}

impl Rights {
    /// All of them.
    pub const ALL: Rights = Rights { acknowledge: true, report: true };

    /// Whether this one is among them.
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        match right {
            Right::Acknowledge => self.acknowledge,
            Right::Report => self.report,
        }
    }

    /// Those that it has, in their order.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.iter().copied().filter(move |right| self.has(*right))
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Rights {
        let mut all = Rights::default();
        for right in rights {
            match right {
                Right::Acknowledge => all.acknowledge = true,
                Right::Report => all.report = true,
            }
        }
        all
    }
}

/// The SHA-256 of a token's secret. The secret has 256 random bits, so nothing is
/// gained by trying, and a plain digest does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// What is known of a token beside the digest of its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What the ledger calls whoever has it.
    pub name: Box<str>,
    /// What it may do.
    pub role: Role,
    /// What it may do beyond that.
    pub rights: Rights,
    /// When it was made, in milliseconds UTC.
    pub created_at_ms: i64,
    /// Who made it; `None` if the server did, at its first start.
    pub created_by: Option<Box<str>>,
    /// Since when it is none any more.
    pub revoked: Option<Revoked>,
}

/// That a token was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// When, in milliseconds UTC.
    pub at_ms: i64,
    /// Who did it.
    pub by: Box<str>,
}

impl Token {
    /// One that is made now, if it can be.
    ///
    /// # Errors
    /// If the name is empty, too long, cannot be printed, or would read in the ledger
    /// as somebody else, or the right goes beyond the role.
    pub fn new(
        name: &str,
        role: Role,
        rights: Rights,
        created_at_ms: i64,
        created_by: Option<&str>,
    ) -> Result<Token, Rejected> {
        let name = fit(name, "the name of a token", TOKEN_NAME_CHARS_MAX)?;
        if is_reserved(name) {
            return Err(Rejected::TokenNameReserved);
        }
        if rights.acknowledge && role < Role::Operator {
            return Err(Rejected::RightBeyondRole { right: Right::Acknowledge, role });
        }
        let created_by = created_by.map(Into::into);
        Ok(Token { name: name.into(), role, rights, created_at_ms, created_by, revoked: None })
    }

    /// Whether it still opens the door.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.revoked.is_none()
    }

    /// `gateway (viewer, may report)`: what the ledger says of it.
    #[must_use]
    pub fn described(&self) -> String {
        let may: Vec<&str> = self.rights.iter().map(Right::name).collect();
        let may = if may.is_empty() { String::new() } else { format!(", may {}", may.join(" and ")) };
        format!("{} ({}{may})", self.name, self.role)
    }
}

/// Whether the ledger would take whoever has this name for somebody else: for a person
/// for whom a token speaks, for the server, or for a user of its machine; or whether it
/// could not be seen, or not be written in an address.
fn is_reserved(name: &str) -> bool {
    let unseen = |letter: char| matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let lower = name.to_lowercase();
    lower.contains("(by ")
        || lower.starts_with("user ")
        || matches!(&*lower, "the server" | "server" | "." | "..")
        || name.chars().any(unseen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_go_up_and_rights_stand_beside_them() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        let report: Rights = [Right::Report].into_iter().collect();
        assert!(report.has(Right::Report) && !report.has(Right::Acknowledge));
        assert_eq!(Rights::ALL.iter().collect::<Vec<_>>(), Right::ALL);
        assert_eq!(Rights::ALL.iter().collect::<Rights>(), Rights::ALL);
        for (role, rights, described) in [
            (Role::Viewer, Rights::default(), "a (viewer)"),
            (Role::Viewer, report, "a (viewer, may report)"),
            (Role::Admin, Rights::ALL, "a (admin, may acknowledge and report)"),
        ] {
            assert_eq!(Token::new("a", role, rights, 0, None).unwrap().described(), described);
        }
    }

    #[test]
    fn a_token_that_could_not_be_meant_is_not_made() {
        let made = |name: &str, role, rights| Token::new(name, role, rights, 0, None).map(|token| token.name);
        let (what, chars_max) = ("the name of a token", TOKEN_NAME_CHARS_MAX);
        let long = "ü".repeat(chars_max);
        assert_eq!(made(&long, Role::Viewer, Rights::default()), Ok(long.as_str().into()));
        assert_eq!(made(" Ana ", Role::Viewer, Rights::default()), Ok("Ana".into()));
        let too_long = made(&(long + "x"), Role::Viewer, Rights::default());
        assert_eq!(too_long, Err(Rejected::TooLong { what, chars_max }));
        assert_eq!(made(" ", Role::Viewer, Rights::default()), Err(Rejected::Missing(what)));
        assert_eq!(made("a\nb", Role::Viewer, Rights::default()), Err(Rejected::Unprintable(what)));
        let beyond = Rejected::RightBeyondRole { right: Right::Acknowledge, role: Role::Viewer };
        assert_eq!(made("a", Role::Viewer, Rights::ALL), Err(beyond));
        made("a", Role::Operator, Rights::ALL).unwrap();
        for name in ["Ana (by pager)", "the server", "User root", ".", "..", "a\u{202e}b"] {
            assert_eq!(
                made(name, Role::Viewer, Rights::default()),
                Err(Rejected::TokenNameReserved),
                "{name}"
            );
        }
    }
}
