//! What the commands that only look have in common: tables and JSON.

pub(super) mod json;
pub(super) mod table;

/// How much of a name a table shows: the rest of the row fits beside it.
const NAME_CHARS_MAX: usize = 20;

/// How much of a sentence a table shows: as much as its other notes are long.
const SENTENCE_CHARS_MAX: usize = 60;

/// A name as a table shows it.
pub(super) fn cut(name: &str) -> String {
    cut_to(name, NAME_CHARS_MAX)
}

/// A sentence as a table shows it.
pub(super) fn cut_sentence(sentence: &str) -> String {
    cut_to(sentence, SENTENCE_CHARS_MAX)
}

fn cut_to(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars_max - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_a_table_ends_with_an_ellipsis() {
        assert_eq!(cut("12345678901234567890"), "12345678901234567890");
        assert_eq!(cut("123456789012345678901"), "1234567890123456789…");
        assert_eq!(cut_sentence(&"ä".repeat(61)), "ä".repeat(59) + "…");
    }
}
