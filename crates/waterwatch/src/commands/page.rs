//! What the commands that only look have in common: times, tables and JSON.

pub(super) mod json;
pub(super) mod table;
pub mod time;

/// A text that a person wrote, for a terminal: nothing in it moves the cursor
/// or begins a line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// How much of a name a table shows: the rest of the row fits beside it.
const NAME_CHARS_MAX: usize = 20;

/// A name as a table shows it.
pub(super) fn cut(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARS_MAX) {
        None => name.to_owned(),
        Some(_) => name.chars().take(NAME_CHARS_MAX - 1).chain(['…']).collect(),
    }
}
