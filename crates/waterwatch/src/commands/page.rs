//! What the commands that only look have in common: times, tables and JSON.

pub(super) mod json;
pub(super) mod table;
pub mod time;

/// A text that a person wrote, for a terminal: nothing in it moves the cursor
/// or begins a line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
