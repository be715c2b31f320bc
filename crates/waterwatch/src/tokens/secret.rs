//! What whoever has a token says, and nobody else knows.

use std::fmt;

use sha2::{Digest as _, Sha256};
use waterwatch_core::token::Digest;

/// What it begins with, so that people and scanners of sources see what it is.
const PREFIX: &str = "ww_";

/// How many random bytes there are in one: nobody guesses any of them.
const RANDOM_BYTES: usize = 32;

/// As many letters as these bytes need, six bits each.
const LETTERS: usize = (RANDOM_BYTES * 8).div_ceil(6);

/// The letters of base64 for addresses (RFC 4648): none must be escaped anywhere.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A secret: `ww_` and 43 letters. It is shown to whoever asked for it, once, and
/// never written into a log by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// A new one, from the system's random numbers.
    ///
    /// # Errors
    /// If the system has none.
    pub fn random() -> Result<Secret, getrandom::Error> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Secret::of(&bytes))
    }

    fn of(bytes: &[u8; RANDOM_BYTES]) -> Secret {
        let mut text = String::with_capacity(PREFIX.len() + LETTERS);
        text += PREFIX;
        for three in bytes.chunks(3) {
            let bits =
                three.iter().zip([16, 8, 0]).map(|(byte, shift)| u32::from(*byte) << shift).sum::<u32>();
            for shift in [18, 12, 6, 0].into_iter().take(three.len() + 1) {
                text.push(char::from(ALPHABET[(bits >> shift) as usize & 0x3f]));
            }
        }
        Secret(text.into())
    }

    /// The one that is written so; `None` if no secret is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Secret> {
        let letters = text.strip_prefix(PREFIX)?;
        let fits = letters.len() == LETTERS && letters.bytes().all(|letter| ALPHABET.contains(&letter));
        fits.then(|| Secret(text.into()))
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The secret itself, for whoever is to have it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_its_bytes_are_in_it() {
        let mut bytes = [0; RANDOM_BYTES];
        bytes[..6].copy_from_slice(&[0x14, 0xfb, 0x9c, 0x03, 0xd9, 0x7e]);
        bytes[31] = 0xff;
        // The first six as in RFC 4648 (part 9), the last as 0xff is after a zero.
        assert_eq!(Secret::of(&bytes).reveal(), "ww_FPucA9l-".to_owned() + &"A".repeat(33) + "P8");
        let mut seen = std::collections::HashSet::new();
        for bit in 0..RANDOM_BYTES * 8 {
            let mut bytes = [0; RANDOM_BYTES];
            bytes[bit / 8] = 1 << (bit % 8);
            assert!(seen.insert(Secret::of(&bytes).reveal().to_owned()), "bit {bit} is not in it");
        }
    }

    #[test]
    fn what_is_read_is_what_was_written_and_nothing_else_is_one() {
        let secret = Secret::random().unwrap();
        assert_ne!(secret, Secret::random().unwrap());
        assert_eq!(secret.reveal().len(), 46);
        assert_eq!(Secret::parse(secret.reveal()), Some(secret.clone()));
        let letters = "a".repeat(43);
        for text in ["", "ww_", &letters, &format!("ww_{letters}a"), &format!("ww_{}+", &letters[1..])] {
            assert_eq!(Secret::parse(text), None, "{text}");
        }
        // As `printf … | sha256sum` has it: what is kept must not change.
        let known = Secret::parse(&format!("ww_{letters}")).unwrap();
        let digest: String = known.digest().0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "8ea7e408214e1011791a893b7c24d9bf2100082b3f25245f2d28a51d28e21623");
    }

    #[test]
    fn it_does_not_print_itself() {
        let secret = Secret::random().unwrap();
        let printed = format!("{secret:?} {:#?}", Some(&secret));
        assert!(!printed.contains(&secret.reveal()[3..]), "{printed}");
    }
}
