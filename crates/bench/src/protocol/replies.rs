//! Counts replies by their bytes, and looks closer only at those that are
//! not acknowledgements.

use waterwatch_core::wire::{OK_LINE, Reply};

use super::{READ_BYTES, mqtt};

const RESP_OK: &[u8] = b"+OK\r\n";

/// What servers that acknowledge everything send, as long as a read and a
/// reply that it begins within.
static ALL_OK_LINES: [u8; READ_BYTES + OK_LINE.len()] = repeated(OK_LINE);
static ALL_RESP_OK: [u8; READ_BYTES + RESP_OK.len()] = repeated(RESP_OK);

const fn repeated<const BYTES: usize>(reply: &[u8]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let mut place = 0;
    while place < BYTES {
        bytes[place] = reply[place % reply.len()];
        place += 1;
    }
    bytes
}

/// Reads one connection's replies.
pub(crate) struct Replies {
    kind: Kind,
    /// Whole replies that are no acknowledgement.
    strange: Vec<Vec<u8>>,
}

enum Kind {
    Texts(Texts),
    Pubacks(Pubacks),
}

impl Replies {
    pub(super) fn lines() -> Replies {
        Replies::of(Kind::Texts(Texts::new(OK_LINE, &ALL_OK_LINES)))
    }

    pub(super) fn resp() -> Replies {
        Replies::of(Kind::Texts(Texts::new(RESP_OK, &ALL_RESP_OK)))
    }

    pub(super) fn pubacks(packets: usize) -> Replies {
        Replies::of(Kind::Pubacks(Pubacks { packets, answered: 0, begun: Vec::new() }))
    }

    fn of(kind: Kind) -> Replies {
        Replies { kind, strange: Vec::new() }
    }

    /// Takes what was read, at most [`READ_BYTES`]; returns how many
    /// acknowledgements and how many other replies ended in it.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> (u64, u64) {
        match &mut self.kind {
            Kind::Texts(texts) => texts.take(bytes, &mut self.strange),
            Kind::Pubacks(pubacks) => pubacks.take(bytes, &mut self.strange),
        }
    }

    /// The replies that were no acknowledgement.
    pub(crate) fn take_strange(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.strange)
    }
}

/// Replies that end with a newline and are all alike if all is well.
struct Texts {
    ok: &'static [u8],
    all_ok: &'static [u8],
    /// Bytes of the reply that has begun, as long as it may become `ok`.
    begun: usize,
    /// The reply that has begun, if it is another one.
    odd: Vec<u8>,
}

impl Texts {
    fn new(ok: &'static [u8], all_ok: &'static [u8]) -> Texts {
        Texts { ok, all_ok, begun: 0, odd: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8], strange: &mut Vec<Vec<u8>>) -> (u64, u64) {
        if self.odd.is_empty() && *bytes == self.all_ok[self.begun..self.begun + bytes.len()] {
            let length = self.begun + bytes.len();
            self.begun = length % self.ok.len();
            return ((length / self.ok.len()) as u64, 0);
        }
        let mut counts = (0, 0);
        if self.odd.is_empty() {
            self.odd.extend_from_slice(&self.ok[..self.begun]);
            self.begun = 0;
        }
        for &byte in bytes {
            // More than a reply may have is cut into pieces, each of them
            // wrong: memory stays bounded whatever answers.
            self.odd.push(byte);
            if byte == b'\n' || self.odd.len() == Reply::BYTES_MAX {
                let line = std::mem::take(&mut self.odd);
                if line == self.ok {
                    counts.0 += 1;
                } else {
                    counts.1 += 1;
                    strange.push(line);
                }
            }
        }
        if self.ok.starts_with(&self.odd) {
            self.begun = self.odd.len();
            self.odd.clear();
        }
        counts
    }
}

/// PUBACKs in the order of the messages, which the standard asks of a server
/// (4.6): the identifiers must run with ours.
struct Pubacks {
    /// Identifiers run from 1 to this and begin again.
    packets: usize,
    answered: usize,
    begun: Vec<u8>,
}

impl Pubacks {
    fn take(&mut self, bytes: &[u8], strange: &mut Vec<Vec<u8>>) -> (u64, u64) {
        let mut counts = (0, 0);
        for &byte in bytes {
            self.begun.push(byte);
            if self.begun.len() < mqtt::PUBACK.len() + 2 {
                continue;
            }
            let expected = u16::try_from(self.answered + 1).expect("identifiers are 16 bits");
            if self.begun[..2] == mqtt::PUBACK && self.begun[2..] == expected.to_be_bytes() {
                counts.0 += 1;
            } else {
                counts.1 += 1;
                strange.push(self.begun.clone());
            }
            self.answered = (self.answered + 1) % self.packets;
            self.begun.clear();
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the bytes are cut, they must count the same.
    fn check(new: fn() -> Replies, sent: &[u8], counts: (u64, u64), strange: &[&[u8]]) {
        for piece in 1..=sent.len() {
            let mut replies = new();
            let mut counted = (0, 0);
            for bytes in sent.chunks(piece) {
                let (ok, other) = replies.take(bytes);
                counted = (counted.0 + ok, counted.1 + other);
            }
            assert_eq!(counted, counts, "in pieces of {piece}");
            assert_eq!(replies.take_strange(), strange);
        }
    }

    #[test]
    fn lines_count_the_same_however_they_are_cut() {
        let sent = b"OK\nOK\nERR alarm no alarm\nOK\nOKAY\n\nOK\nOK\n";
        check(Replies::lines, sent, (5, 3), &[b"ERR alarm no alarm\n", b"OKAY\n", b"\n"]);
    }

    #[test]
    fn redis_says_ok_with_a_plus() {
        let sent = b"+OK\r\n+OK\r\n-OOM command not allowed\r\n+OK\r\n";
        check(Replies::resp, sent, (3, 1), &[b"-OOM command not allowed\r\n"]);
    }

    #[test]
    fn pubacks_must_come_in_order() {
        let sent = b"\x40\x02\x00\x01\x40\x02\x00\x02\x40\x02\x00\x03\x40\x02\x00\x01\x40\x02\x00\x03";
        check(|| Replies::pubacks(3), sent, (4, 1), &[b"\x40\x02\x00\x03"]);
    }
}
