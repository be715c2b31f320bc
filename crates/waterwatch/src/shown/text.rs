//! Texts as people read them.

/// A text that a person wrote, for a terminal: nothing in it moves the cursor,
/// begins a line, or lets a row read otherwise than it is.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|letter| if is_unseen(letter) { '\u{fffd}' } else { letter }).collect()
}

/// Whether a letter is not seen itself, and may change what is seen of others: a
/// control character, one without a width, or one that turns the direction of
/// what follows, also of the columns behind it.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// `a, b and c`.
pub fn names<T: AsRef<str>>(names: impl Iterator<Item = T>) -> String {
    let names: Vec<T> = names.collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_not_seen_changes_what_is_seen() {
        for letter in ['\x1b', '\n', '\u{85}', '\u{200b}', '\u{200f}', '\u{2028}', '\u{202a}', '\u{202e}']
            .into_iter()
            .chain(['\u{2060}', '\u{2066}', '\u{2069}', '\u{feff}', '\u{61c}', '\u{ad}', '\u{180e}'])
            .chain(['\u{fff9}', '\u{fffb}', '\u{e0000}', '\u{e0041}', '\u{e007f}'])
        {
            assert_eq!(plain(&format!("a{letter}b")), "a\u{fffd}b", "{}", letter.escape_unicode());
        }
        for text in
            ["Kläranlage Süd – 3…", "Станция", "محطة", "駅", "a b", "\u{2010}", "\u{202f}", "\u{205f}"]
        {
            assert_eq!(plain(text), text);
        }
    }
}
