//! The wire: bytes from a station become reports, and only here.
//!
//! `docs/protocol.md` is the specification. [`Lines`] cuts what a connection
//! sends into lines and keeps the few facts that the old clients need (has it
//! ever sent a newline?); [`parse`] reads one line; [`Refusal`] says what was
//! wrong with it. Nothing here reads a socket or a clock: the caller says when
//! nothing has followed for [`QUIET`], and how the peer ended.

mod refusal;

use std::time::Duration;

pub use refusal::{Excerpt, Refusal};

use crate::report::Report;
use crate::station::StationId;

/// How long nothing may follow an unterminated report before it is taken, on
/// a connection that has not sent a newline yet. Long enough for the pieces
/// of one small write to arrive, short enough for an old client that waits
/// for its answer.
pub const QUIET: Duration = Duration::from_millis(50);

/// The answer to a report that is durable.
pub const OK_LINE: &[u8] = b"OK\n";

/// How a peer ended its side of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It closed or half-closed: all that it sent has arrived.
    Orderly,
    /// The connection was reset: the last bytes may be missing.
    Reset,
}

/// Cuts one connection's bytes into lines.
///
/// The caller keeps the bytes: each call takes what it used off the front of
/// the slice, and what is left belongs in front of the next read. At most
/// `line_bytes_max` bytes are ever left.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    line_bytes_max: usize,
    /// A newline has been seen: from then on nothing else ends a line.
    newline_seen: bool,
    /// The last report was taken without its line's end, so blanks, CR and
    /// one LF that still come belong to it.
    tail_open: bool,
}

impl Lines {
    /// For a new connection. A line of more than `line_bytes_max` bytes
    /// before its LF is refused.
    #[must_use]
    pub fn new(line_bytes_max: usize) -> Lines {
        Lines { line_bytes_max, newline_seen: false, tail_open: false }
    }

    /// Takes the next finished line off `bytes` and reads it. `None`: more
    /// bytes are needed. After a refusal that
    /// [closes the connection](Refusal::closes_connection) the rest means
    /// nothing and is taken as well.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Result<Report, Refusal>> {
        self.skip_tail(bytes);
        let window = &bytes[..bytes.len().min(self.line_bytes_max + 1)];
        if let Some(end) = memchr::memchr(b'\n', window) {
            let line = &bytes[..end];
            *bytes = &bytes[end + 1..];
            self.newline_seen = true;
            let result = parse(line);
            if result.is_err_and(|refusal| refusal.closes_connection()) {
                *bytes = &[];
            }
            return Some(result);
        }
        // What closes the connection is told at once: such a peer may never
        // send a newline.
        let refusal = refusal::unreadable(window).or_else(|| {
            (window.len() > self.line_bytes_max)
                .then_some(Refusal::LineTooLong { line_bytes_max: self.line_bytes_max })
        })?;
        *bytes = &[];
        Some(Err(refusal))
    }

    /// Whether `bytes`, all that is left after [`Lines::next`] gave `None`,
    /// would be taken by [`Lines::quiet`]: one whole report without its
    /// newline, on a connection that has never sent one.
    #[must_use]
    pub fn awaits_quiet(&self, bytes: &[u8]) -> bool {
        !self.newline_seen && parse(bytes).is_ok()
    }

    /// Nothing has followed `bytes` for [`QUIET`]: takes them if they are one
    /// whole report of a client that sends no newline.
    pub fn quiet(&mut self, bytes: &mut &[u8]) -> Option<Report> {
        if self.newline_seen {
            return None;
        }
        let report = parse(bytes).ok()?;
        *bytes = &[];
        self.tail_open = true;
        Some(report)
    }

    /// The peer has ended and `bytes` are all that is left. On a connection
    /// that has sent a newline, a reset discards the piece: it may be the
    /// beginning of a longer line. Before that a whole report is taken
    /// however the peer ended, and anything else is refused or, after a
    /// reset, discarded.
    pub fn end(&mut self, bytes: &mut &[u8], end: End) -> Option<Result<Report, Refusal>> {
        self.skip_tail(bytes);
        let piece = std::mem::take(bytes);
        if piece.is_empty() {
            return None;
        }
        match end {
            End::Orderly => Some(parse(piece)),
            End::Reset if self.newline_seen => None,
            End::Reset => parse(piece).ok().map(Ok),
        }
    }

    fn skip_tail(&mut self, bytes: &mut &[u8]) {
        while self.tail_open
            && let Some((&first, rest)) = bytes.split_first()
        {
            match first {
                b' ' | b'\t' | b'\r' => *bytes = rest,
                b'\n' => {
                    *bytes = rest;
                    self.newline_seen = true;
                    self.tail_open = false;
                }
                _ => self.tail_open = false,
            }
        }
    }
}

/// Reads one line, without its LF: `ID ALARM1 ALARM2`.
///
/// # Errors
/// Says what is wrong with the line, naming the value.
pub fn parse(line: &[u8]) -> Result<Report, Refusal> {
    accept(line).ok_or_else(|| refusal::explain(line))
}

/// The station that a line is of, also of one that is no report: a number in
/// front of a blank or a dash.
#[must_use]
pub fn station_of(line: &[u8]) -> Option<StationId> {
    let line = skip_blanks(line);
    let digits = line.iter().position(|byte| !byte.is_ascii_digit())?;
    let is_field = matches!(line[digits], b' ' | b'\t' | b'-');
    StationId::from_digits(&line[..digits]).filter(|_| is_field)
}

/// The whole grammar of a report, and the only judge of what is one; why a
/// line is none is told by [`refusal::explain`], off the fast path.
fn accept(line: &[u8]) -> Option<Report> {
    let line = skip_blanks(line);
    let digits = line.iter().position(|byte| !byte.is_ascii_digit())?;
    let station_id = StationId::from_digits(&line[..digits])?;
    let rest = &line[digits..];
    let separator: fn(&[u8]) -> Option<&[u8]> = if rest[0] == b'-' { one_dash } else { blanks };
    let (alarm1, rest) = alarm(separator(rest)?)?;
    let (alarm2, rest) = alarm(separator(rest)?)?;
    let rest = skip_blanks(rest);
    (rest.is_empty() || rest == b"\r").then_some(Report { station_id, alarm1, alarm2 })
}

fn one_dash(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(b"-")
}

fn blanks(bytes: &[u8]) -> Option<&[u8]> {
    let rest = skip_blanks(bytes);
    (rest.len() < bytes.len()).then_some(rest)
}

fn skip_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

fn alarm(bytes: &[u8]) -> Option<(bool, &[u8])> {
    match bytes {
        [b'0', rest @ ..] => Some((false, rest)),
        [b'1', rest @ ..] => Some((true, rest)),
        _ => None,
    }
}

/// What the server answered to one report, as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The report is durable.
    Ok,
    /// The line was wrong and must never be sent again.
    Refused {
        /// The code that [`Refusal::code`] lists.
        code: String,
        /// The sentence for a person.
        sentence: String,
    },
}

impl Reply {
    /// The most bytes that a reply line may have before a client stops
    /// believing that it speaks to waterwatch.
    pub const BYTES_MAX: usize = 512;

    /// Reads one reply line, with or without its line end. `None`: this is
    /// no waterwatch server. What is read is printable ASCII and may be shown
    /// on a terminal.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Reply> {
        let line = std::str::from_utf8(line).ok()?.trim_end_matches(['\r', '\n']);
        if !line.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return None;
        }
        if line == "OK" {
            return Some(Reply::Ok);
        }
        let (code, sentence) = line.strip_prefix("ERR ")?.split_once(' ')?;
        Some(Reply::Refused { code: code.to_owned(), sentence: sentence.to_owned() })
    }
}

#[cfg(test)]
mod tests;
