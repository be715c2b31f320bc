//! Why a line is refused, in words that the person at the station can use.

use std::fmt;

use super::{accept, skip_blanks};
use crate::station::StationId;

/// Why a line was refused. It prints as the sentence of the reply; it copies
/// freely and allocates nothing, since a flood of garbage makes many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing on the line but blanks.
    Empty,
    /// Not three fields.
    Fields {
        /// How many there are.
        found: usize,
        /// The line.
        line: Excerpt,
    },
    /// The fields are neither separated by blanks nor by one dash each.
    Separator {
        /// The line.
        line: Excerpt,
    },
    /// The first field is no station id.
    StationId {
        /// The field.
        field: Excerpt,
    },
    /// An alarm is neither `0` nor `1`.
    Alarm {
        /// Which one: 1 or 2.
        number: u8,
        /// The field.
        field: Excerpt,
    },
    /// A `name=value` field, which a later version will understand.
    Reserved {
        /// The field.
        field: Excerpt,
    },
    /// A new station, and the server already knows as many as it may.
    StationsMax {
        /// The station.
        station_id: StationId,
        /// The limit.
        stations_max: usize,
    },
    /// The station may report only from addresses that this is none of.
    NotAllowed {
        /// The station.
        station_id: StationId,
    },
    /// A byte that is no text: NUL, or 0x80 and above. Closes the connection.
    Binary {
        /// The byte.
        byte: u8,
        /// Its place in the line, from 1.
        column: usize,
    },
    /// An HTTP request. Closes the connection.
    Http,
    /// A TLS client hello. Closes the connection.
    Tls,
    /// More bytes than a line may have. Closes the connection.
    LineTooLong {
        /// The limit.
        line_bytes_max: usize,
    },
}

impl Refusal {
    /// All codes.
    pub const CODES: [&'static str; 12] = [
        "empty",
        "fields",
        "separator",
        "station_id",
        "alarm",
        "reserved",
        "stations_max",
        "not_allowed",
        "binary",
        "http",
        "tls",
        "line_too_long",
    ];

    /// The code in the reply, for programs. `docs/protocol.md` lists them.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Empty => "empty",
            Refusal::Fields { .. } => "fields",
            Refusal::Separator { .. } => "separator",
            Refusal::StationId { .. } => "station_id",
            Refusal::Alarm { .. } => "alarm",
            Refusal::Reserved { .. } => "reserved",
            Refusal::StationsMax { .. } => "stations_max",
            Refusal::NotAllowed { .. } => "not_allowed",
            Refusal::Binary { .. } => "binary",
            Refusal::Http => "http",
            Refusal::Tls => "tls",
            Refusal::LineTooLong { .. } => "line_too_long",
        }
    }

    /// The station of a report that was whole, and refused all the same.
    #[must_use]
    pub fn station_id(&self) -> Option<StationId> {
        match self {
            Refusal::StationsMax { station_id, .. } | Refusal::NotAllowed { station_id } => Some(*station_id),
            _ => None,
        }
    }

    /// Whether the connection is closed after the reply: what follows such
    /// bytes cannot be told apart from noise.
    #[must_use]
    pub fn closes_connection(&self) -> bool {
        matches!(self, Refusal::Binary { .. } | Refusal::Http | Refusal::Tls | Refusal::LineTooLong { .. })
    }

    /// Appends the reply line: `ERR <code> <sentence>` and LF.
    pub fn write_reply(&self, replies: &mut Vec<u8>) {
        use std::io::Write;
        // A Vec takes every write.
        let _ = writeln!(replies, "ERR {} {self}", self.code());
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Empty => f.write_str("the line is empty; send ID ALARM1 ALARM2"),
            Refusal::Fields { found: 1, line } => {
                write!(f, "1 field in {line}; send three: ID ALARM1 ALARM2")
            }
            Refusal::Fields { found, line } => {
                write!(f, "{found} fields in {line}; send three: ID ALARM1 ALARM2")
            }
            Refusal::Separator { line } => {
                write!(
                    f,
                    "cannot tell the fields of {line} apart; separate them by blanks, or by one dash each"
                )
            }
            Refusal::StationId { field } => {
                write!(f, "station id {field} is not a whole number from 0 to {}", StationId::MAX)
            }
            Refusal::Alarm { number, field } => write!(f, "alarm{number} is {field}; send 0 (off) or 1 (on)"),
            Refusal::Reserved { field } => {
                write!(f, "field {field} is reserved for a later version; send ID ALARM1 ALARM2 alone")
            }
            Refusal::StationsMax { station_id, stations_max } => {
                write!(
                    f,
                    "station {station_id} is new, and the server already knows {stations_max}, its limit"
                )
            }
            Refusal::NotAllowed { station_id } => {
                write!(
                    f,
                    "station {station_id} may not report from this address; its allow_from says from which"
                )
            }
            Refusal::Binary { byte, column } => {
                write!(f, "byte 0x{byte:02x} in column {column} is not text; closing the connection")
            }
            Refusal::Http => f.write_str("this port is for stations, not for HTTP; closing the connection"),
            Refusal::Tls => f.write_str("this port speaks plain text, not TLS; closing the connection"),
            Refusal::LineTooLong { line_bytes_max } => {
                write!(f, "more than {line_bytes_max} bytes without a newline; closing the connection")
            }
        }
    }
}

/// Why `line`, which is no report, is none. Reads from left to right and
/// names the first thing that is wrong.
pub(super) fn explain(line: &[u8]) -> Refusal {
    debug_assert!(accept(line).is_none());
    let content = trim(line);
    if let Some(refusal) = unreadable(line) {
        return refusal;
    }
    if content.is_empty() {
        return Refusal::Empty;
    }
    if is_http_request(content) {
        return Refusal::Http;
    }
    let mut words = [content; 4];
    let mut found = 0;
    for word in content.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()) {
        if let Some(slot) = words.get_mut(found) {
            *slot = word;
        }
        found += 1;
    }
    let separated_by_blanks = found > 1;
    if !separated_by_blanks && content.contains(&b'-') {
        found = 0;
        for word in content.split(|byte| *byte == b'-') {
            if word.is_empty() && found > 0 {
                return Refusal::Separator { line: Excerpt::new(content) };
            }
            if let Some(slot) = words.get_mut(found) {
                *slot = word;
            }
            found += 1;
        }
        if words[0].is_empty() {
            // A leading dash: most likely meant as a sign.
            return Refusal::StationId { field: Excerpt::new(content) };
        }
    }
    explain_words(content, &words[..found.min(4)], found, separated_by_blanks)
}

fn explain_words(content: &[u8], words: &[&[u8]], found: usize, separated_by_blanks: bool) -> Refusal {
    if StationId::from_digits(words[0]).is_none() {
        // `123-0 1`: the first word holds two fields.
        let mixed = separated_by_blanks && words[0].len() > 1 && words[0][1..].contains(&b'-');
        return if mixed {
            Refusal::Separator { line: Excerpt::new(content) }
        } else {
            Refusal::StationId { field: Excerpt::new(words[0]) }
        };
    }
    for (number, word) in (1u8..).zip(words.iter().skip(1).take(2)) {
        if !matches!(*word, b"0" | b"1") {
            // `123 0-1`: the second word holds two fields.
            let mixed = separated_by_blanks && word.len() > 1 && word.contains(&b'-');
            return if mixed {
                Refusal::Separator { line: Excerpt::new(content) }
            } else {
                Refusal::Alarm { number, field: Excerpt::new(word) }
            };
        }
    }
    match words.get(3) {
        Some(word) if is_named_field(word) => Refusal::Reserved { field: Excerpt::new(word) },
        _ => Refusal::Fields { found, line: Excerpt::new(content) },
    }
}

/// What can be told before the newline, and closes the connection: a TLS
/// hello, or a byte that is no text.
pub(super) fn unreadable(bytes: &[u8]) -> Option<Refusal> {
    // A TLS record: type 22 (handshake), major version 3.
    if bytes.starts_with(&[0x16, 0x03]) {
        return Some(Refusal::Tls);
    }
    let place = bytes.iter().position(|byte| matches!(byte, 0 | 0x80..))?;
    Some(Refusal::Binary { byte: bytes[place], column: place + 1 })
}

/// `name=value`: name `[a-z][a-z0-9_]{0,15}`, value 1 to 64 printable ASCII
/// without blanks.
fn is_named_field(word: &[u8]) -> bool {
    let Some(equals) = word.iter().position(|byte| *byte == b'=') else { return false };
    let (name, value) = (&word[..equals], &word[equals + 1..]);
    name.first().is_some_and(u8::is_ascii_lowercase)
        && name.len() <= 16
        && name.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && (1..=64).contains(&value.len())
        && value.iter().all(u8::is_ascii_graphic)
}

/// `METHOD target HTTP/version`.
fn is_http_request(content: &[u8]) -> bool {
    let mut words = content.split(|byte| *byte == b' ');
    words.next().is_some_and(|method| !method.is_empty() && method.iter().all(u8::is_ascii_uppercase))
        && words.next_back().is_some_and(|version| version.starts_with(b"HTTP/"))
}

fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut content = skip_blanks(line);
    while let [rest @ .., b' ' | b'\t'] = content {
        content = rest;
    }
    content
}

/// The beginning of a refused value, quoted and made harmless for a log or a
/// terminal. Holds its own bytes, so that a refusal outlives the buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt {
    bytes: [u8; Excerpt::BYTES_MAX],
    kept: u8,
    cut: bool,
}

impl Excerpt {
    /// How much of a value is kept: a whole report with the longest id, and
    /// some more.
    pub const BYTES_MAX: usize = 32;

    /// The beginning of `value`.
    #[must_use]
    pub fn new(value: &[u8]) -> Excerpt {
        let kept = value.len().min(Self::BYTES_MAX);
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[..kept].copy_from_slice(&value[..kept]);
        #[expect(clippy::cast_possible_truncation, reason = "at most BYTES_MAX, which fits")]
        Excerpt { bytes, kept: kept as u8, cut: kept < value.len() }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ellipsis = if self.cut { "..." } else { "" };
        write!(f, "\"{}{ellipsis}\"", self.bytes[..usize::from(self.kept)].escape_ascii())
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
