//! What whoever reads an output can be shown: colours, and a cursor that moves.

use std::ffi::OsStr;
use std::io::IsTerminal;

/// Whether colours may be written there: it is a terminal that has any, and nobody has
/// said that they want none (`NO_COLOR`, of whatever value, see no-color.org).
pub fn has_colours(out: &impl IsTerminal) -> bool {
    out.is_terminal() && are_wanted(env("TERM").as_deref(), env("NO_COLOR").as_deref())
}

/// Whether what is there can be written over: it is a terminal, and not one that only
/// writes on, or of which nobody says what it is.
pub fn has_cursor(out: &impl IsTerminal) -> bool {
    out.is_terminal() && !is_dumb(env("TERM").as_deref())
}

fn env(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

fn are_wanted(term: Option<&OsStr>, no_color: Option<&OsStr>) -> bool {
    !is_dumb(term) && no_color.is_none_or(OsStr::is_empty)
}

fn is_dumb(term: Option<&OsStr>) -> bool {
    term.is_none_or(|term| term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_have_them_and_people_who_want_them() {
        for (term, no_color, wanted) in [
            (Some("xterm-256color"), None, true),
            (Some("xterm"), Some(""), true),
            (None, None, false),
            (Some("dumb"), None, false),
            (Some("xterm"), Some("1"), false),
            (Some("xterm"), Some("0"), false),
        ] {
            let is = are_wanted(term.map(OsStr::new), no_color.map(OsStr::new));
            assert_eq!(is, wanted, "{term:?} {no_color:?}");
        }
    }
}
