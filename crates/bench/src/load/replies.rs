//! Counts replies by their bytes, and looks closer only at those that are
//! not `OK`.

use waterwatch_core::wire::{OK_LINE, Reply};

/// What a server that acknowledges everything sends, as long as a read.
static ALL_OK: [u8; super::READ_BYTES + 3] = {
    let mut bytes = [0; super::READ_BYTES + 3];
    let mut place = 0;
    while place < bytes.len() {
        bytes[place] = OK_LINE[place % OK_LINE.len()];
        place += 1;
    }
    bytes
};

/// Reads one connection's replies.
#[derive(Default)]
pub(super) struct Replies {
    /// Bytes of the line that has begun, as long as it may become `OK`.
    begun: usize,
    /// The line that has begun, if it is another one.
    odd: Vec<u8>,
    /// Whole lines that are not `OK`.
    strange: Vec<Vec<u8>>,
}

impl Replies {
    /// Takes what was read, at most [`super::READ_BYTES`]; returns how many
    /// replies `OK` and how many others ended in it.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (u64, u64) {
        if self.odd.is_empty() && *bytes == ALL_OK[self.begun..self.begun + bytes.len()] {
            let length = self.begun + bytes.len();
            self.begun = length % OK_LINE.len();
            return ((length / OK_LINE.len()) as u64, 0);
        }
        let mut counts = (0, 0);
        if self.odd.is_empty() {
            self.odd.extend_from_slice(&OK_LINE[..self.begun]);
            self.begun = 0;
        }
        for &byte in bytes {
            // More than a reply may have is cut into pieces, each of them
            // wrong: memory stays bounded whatever answers.
            self.odd.push(byte);
            if byte == b'\n' || self.odd.len() == Reply::BYTES_MAX {
                let line = std::mem::take(&mut self.odd);
                if line == OK_LINE {
                    counts.0 += 1;
                } else {
                    counts.1 += 1;
                    self.strange.push(line);
                }
            }
        }
        if OK_LINE.starts_with(&self.odd) {
            self.begun = self.odd.len();
            self.odd.clear();
        }
        counts
    }

    /// The lines that were not `OK`.
    pub(super) fn take_strange(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.strange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_count_the_same_however_they_are_cut() {
        let sent = b"OK\nOK\nERR alarm no alarm\nOK\nOKAY\n\nOK\nOK\n";
        for piece in 1..=sent.len() {
            let mut replies = Replies::default();
            let mut counts = (0, 0);
            for bytes in sent.chunks(piece) {
                let (ok, other) = replies.take(bytes);
                counts = (counts.0 + ok, counts.1 + other);
            }
            assert_eq!(counts, (5, 3), "in pieces of {piece}");
            assert_eq!(replies.take_strange(), [&b"ERR alarm no alarm\n"[..], b"OKAY\n", b"\n"]);
        }
    }
}
