//! Numbers as requests write them: whole, and as texts too, since there are greater
//! ones than JavaScript can hold (2^53).

use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A number that may also be written as a text.
pub(super) fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        /// `7.0` is a whole number as well.
        Fraction(f64),
        Text(String),
    }
    // Whatever is greater may have lost its last digits.
    const EXACT: Range<f64> = 0.0..9_007_199_254_740_992.0;
    let number = match Either::deserialize(deserializer) {
        Ok(Either::Number(number)) => Some(number),
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and within what is exact")]
        Ok(Either::Fraction(number)) if number.fract() == 0.0 && EXACT.contains(&number) => {
            Some(number as i64)
        }
        Ok(Either::Text(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Ok(_) | Err(_) => None,
    };
    number.filter(|number| *number >= 0).ok_or_else(|| {
        D::Error::custom(format!("it must be a whole number from 0 to {}, or a text with one", i64::MAX))
    })
}

/// What [`number_or_text`] takes, for the OpenAPI document.
#[derive(Debug)]
pub(super) struct NumberOrText;

impl ToSchema for NumberOrText {}

impl PartialSchema for NumberOrText {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(i64::MAX));
        let either = OneOfBuilder::new().item(number).item(text(&format!("^{}$", digits())));
        either.description(Some("A whole number, or a text with one.")).into()
    }
}

/// A text with the number of a station, for the OpenAPI document.
pub(super) fn digits_schema() -> ObjectBuilder {
    text(&format!("^{}$", digits()))
}

/// A text that names a source, for the OpenAPI document.
pub(super) fn source_schema() -> ObjectBuilder {
    text(&format!("^({}|area[:/].+|server)$", digits()))
}

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

/// A pattern of the texts of up to 19 digits with a number up to 2^63 - 1, and of no
/// others.
fn digits() -> String {
    let greatest = i64::MAX.to_string();
    let mut ways = vec![format!("[0-9]{{1,{}}}", greatest.len() - 1)];
    // One that is less than the greatest first differs from it at one of its places.
    for (place, digit) in greatest.bytes().enumerate().filter(|(_, digit)| *digit > b'0') {
        let (before, less) = (&greatest[..place], char::from(digit - 1));
        let rest = greatest.len() - place - 1;
        ways.push(match rest {
            0 => format!("{before}[0-{less}]"),
            rest => format!("{before}[0-{less}][0-9]{{{rest}}}"),
        });
    }
    ways.push(greatest);
    format!("({})", ways.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern of that kind, tried.
    fn fits(text: &str) -> bool {
        let ways = digits();
        ways[1..ways.len() - 1].split('|').any(|way| {
            let (mut rest, mut way) = (text, way);
            while let Some(first) = way.chars().next() {
                if first != '[' {
                    let Some(left) = rest.strip_prefix(first) else { return false };
                    (rest, way) = (left, &way[1..]);
                    continue;
                }
                let most = char::from(way.as_bytes()[3]);
                way = &way[5..];
                let (mut least, mut count) = (1, 1);
                if let Some((times, left)) = way.strip_prefix('{').and_then(|way| way.split_once('}')) {
                    let (from, to) = times.split_once(',').unwrap_or((times, times));
                    (least, count, way) = (from.parse().unwrap(), to.parse().unwrap(), left);
                }
                let digits =
                    rest.chars().take(count).take_while(|digit| ('0'..=most).contains(digit)).count();
                if digits < least {
                    return false;
                }
                rest = &rest[digits..];
            }
            rest.is_empty()
        })
    }

    #[test]
    fn the_pattern_has_all_numbers_and_no_others() {
        for number in
            [0, 7, 10_i64.pow(18) - 1, 10_i64.pow(18), i64::MAX - 1, i64::MAX, 9_222_999_999_999_999_999]
        {
            assert!(fits(&number.to_string()), "{number}");
        }
        assert!(fits("0000000000000000007"));
        for other in ["", "x", "-1", "9223372036854775808", "9300000000000000000", "00000000000000000007"] {
            assert!(!fits(other), "{other}");
        }
    }
}
