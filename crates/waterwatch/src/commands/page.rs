//! What the commands that only look have in common: times, tables and JSON.

pub(super) mod json;
pub(super) mod table;
pub mod time;

/// A text that a person wrote, for a terminal: nothing in it moves the cursor,
/// begins a line, or lets a row read otherwise than it is.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if is_unseen(letter) { '\u{fffd}' } else { letter }).collect()
}

/// Whether a letter is not seen itself, and may change what is seen of others: a
/// control character, one without a width, or one that turns the direction of
/// what follows, also of the columns behind it.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

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
    fn nothing_that_is_not_seen_changes_what_is_seen() {
        for letter in ['\x1b', '\n', '\u{85}', '\u{200b}', '\u{200f}', '\u{2028}', '\u{202a}', '\u{202e}']
            .into_iter()
            .chain(['\u{2060}', '\u{2066}', '\u{2069}', '\u{feff}', '\u{61c}'])
        {
            assert_eq!(plain(&format!("a{letter}b")), "a\u{fffd}b", "{}", letter.escape_unicode());
        }
        for text in
            ["Kläranlage Süd – 3…", "Станция", "محطة", "駅", "a b", "\u{2010}", "\u{202f}", "\u{205f}"]
        {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn what_is_too_long_for_a_table_ends_with_an_ellipsis() {
        assert_eq!(cut("12345678901234567890"), "12345678901234567890");
        assert_eq!(cut("123456789012345678901"), "1234567890123456789…");
        assert_eq!(cut_sentence(&"ä".repeat(61)), "ä".repeat(59) + "…");
    }
}
