//! Cells whose text a spreadsheet has put something else for: whoever sees one looks for
//! what stood there.

use std::borrow::Cow;

use crate::shown::csv::{escaped, unescaped};

/// What it shows where a formula came to nothing, in English and in German.
const ERRORS: [&str; 13] = [
    "#NAME?", "#REF!", "#VALUE!", "#N/A", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#BEZUG!",
    "#WERT!", "#NV", "#ZAHL!",
];

/// # Errors
/// If that is no text that somebody wrote, it says what to do.
pub(super) fn check(cell: &str) -> Result<(), String> {
    let shown: String = cell.escape_debug().take(60).collect();
    if is_rounded(cell) {
        return Err(format!(
            "\"{shown}\" is what a spreadsheet has made of a long number: write it with all of its digits, in a \
             column whose format is text (or '{shown}, if it is meant so)"
        ));
    }
    let is_too_narrow = cell.len() >= 3 && cell.bytes().all(|byte| byte == b'#');
    if is_too_narrow || ERRORS.iter().any(|error| cell.eq_ignore_ascii_case(error)) {
        return Err(format!(
            "\"{shown}\" is what a spreadsheet shows in place of what it cannot show: write what is meant, in a \
             column whose format is text (or '{shown}, if it is meant so)"
        ));
    }
    Ok(())
}

/// Whether it is a number like 4.93012E+11: with one digit before the point, and a sign
/// before the exponent.
fn is_rounded(cell: &str) -> bool {
    let cell = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let Some((mantissa, exponent)) = cell.split_once(['E', 'e']) else { return false };
    let (whole, fraction) =
        mantissa.split_once(['.', ',']).map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    whole.len() == 1
        && is_number(whole)
        && fraction.is_none_or(is_number)
        && exponent.strip_prefix(['-', '+']).is_some_and(is_number)
}

/// A text for a cell; what would be taken for spoilt, or would be run, is marked by a `'`.
pub(super) fn marked(text: &str) -> Cow<'_, str> {
    match check(text) {
        Ok(()) => escaped(text),
        Err(_) => format!("'{text}").into(),
    }
}

/// The text that was [`marked`].
pub(super) fn unmarked(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if check(text).is_err() => text,
        _ => unescaped(cell),
    }
}
