//! By what is known whether what people say in a scope has changed since it was read.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use waterwatch_core::settings::Told;

/// Bytes of a tag: two things that are said have the same one by no accident.
const TAG_BYTES: usize = 16;

/// Stands for all that is said in one scope. Whoever says the same has the same tag,
/// whenever and on whichever server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaidTag([u8; TAG_BYTES]);

impl SaidTag {
    /// The tag of what is told, field by field in its order.
    #[must_use]
    pub fn of(told: &[(String, Told)]) -> SaidTag {
        let mut digest = Sha256::new();
        for (field, said) in told {
            // With its kind and its length: nothing reads as something else.
            let (kind, said) = match said {
                Told::Flag(flag) => ("flag", flag.to_string()),
                Told::Number(number) => ("number", number.to_string()),
                Told::Text(text) => ("text", text.clone()),
            };
            digest.update(format!("{field} {kind} {} {said}\n", said.len()));
        }
        let mut tag = [0; TAG_BYTES];
        tag.iter_mut().zip(digest.finalize()).for_each(|(byte, of)| *byte = of);
        SaidTag(tag)
    }
}

impl fmt::Display for SaidTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for SaidTag {
    type Err = ();

    fn from_str(text: &str) -> Result<SaidTag, ()> {
        let is_hex = text.len() == 2 * TAG_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(|number| SaidTag(number.to_be_bytes())).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_has_the_same_tag_and_all_else_another_one() {
        let text = |text: &str| Told::Text(text.to_owned());
        let said: [&[(&str, Told)]; 7] = [
            &[],
            &[("name", text("North"))],
            &[("area", text("North"))],
            &[("name", text("North\nperiod_s number 2 60"))],
            &[("name", text("North")), ("period_s", Told::Number(60))],
            &[("name", text("North")), ("period_s", text("60"))],
            &[("latched", Told::Flag(true))],
        ];
        let tags = said.map(|told| {
            let told: Vec<_> = told.iter().map(|(field, said)| ((*field).to_owned(), said.clone())).collect();
            assert_eq!(SaidTag::of(&told), SaidTag::of(&told));
            SaidTag::of(&told)
        });
        for (place, tag) in tags.iter().enumerate() {
            assert!(!tags[..place].contains(tag), "{place}");
            assert_eq!(tag.to_string().parse(), Ok(*tag));
        }
        for wrong in ["", "x", &tags[0].to_string()[1..], &format!("+{}", &tags[0].to_string()[1..])] {
            assert_eq!(wrong.parse::<SaidTag>(), Err(()), "{wrong}");
        }
    }
}
