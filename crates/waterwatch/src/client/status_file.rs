//! The status file: three lines that a person edits while the client runs.
//!
//! Line 1 is the station id, line 2 Alarm1 and line 3 Alarm2, each `0` (off)
//! or `1` (on). Lines may end in LF or CRLF, the last one in nothing; spaces
//! and tabs around a value, blank lines at the end, and the mark that Windows
//! Notepad puts at the beginning of a UTF-8 file do not matter. Anything else
//! is refused, with the line and the reason, and is never sent.
//!
//! The file is opened, read and closed each time, so that any editor can
//! save it. A file that is being written may be missing, empty or cut off
//! for a moment, so what is wrong is looked at twice before it is told. A
//! piece of a file that is right never says something else than the whole:
//! it is wrong until the last value has arrived.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use waterwatch_core::{Report, StationId};

/// The most bytes that are read: three short values with all the blanks that
/// a person might leave. A log or a disk image named by mistake does not fill
/// the memory.
const STATUS_BYTES_MAX: usize = 4096;

/// How long after a wrong reading the file is read once more: longer than an
/// editor needs to write three lines, shorter than a person needs to wonder.
const SECOND_LOOK_AFTER: Duration = Duration::from_millis(300);

/// The most characters of a wrong value that are shown: any value that was
/// meant fits.
const EXCERPT_CHARS_MAX: usize = 40;

/// The mark that Windows Notepad puts at the beginning of a UTF-8 file.
const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The marks of UTF-16, which Notepad writes when told "Unicode".
const UTF16_MARKS: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

const ALARM_HINT: &str = "write 0 (off) or 1 (on)";
const THREE_LINES: &str = "write three lines: station id, Alarm1 (0 or 1), Alarm2 (0 or 1)";

/// The status file of one station.
#[derive(Clone, Debug)]
pub(super) struct StatusFile {
    /// Where it is, as the person wrote it.
    pub(super) path: PathBuf,
    /// A file that was last changed longer ago than this is not reported.
    pub(super) stale_after: Option<Duration>,
}

/// What the file says at one moment. Two readings are equal if there is
/// nothing new to report or to complain of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A report, to be sent.
    Fresh(Report),
    /// A report that nobody has confirmed for too long.
    Stale,
    /// No report.
    Wrong(WrongStatus),
}

/// What is wrong with the file, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{wrong}", path.display())]
pub(super) struct WrongStatus {
    path: PathBuf,
    wrong: Wrong,
}

impl StatusFile {
    /// Reads the file, and once more a moment later if it is wrong.
    pub(super) async fn look(&self) -> Reading {
        look_twice(|| self.read()).await
    }

    fn read(&self) -> Reading {
        let (bytes, modified) = match self.bytes() {
            Ok(read) => read,
            Err(error) => return self.wrong(Wrong::file(unreadable(&error))),
        };
        let report = match parse(&bytes) {
            Ok(report) => report,
            Err(wrong) => return self.wrong(wrong),
        };
        // A change in the future is a clock that was set back, not an old file.
        let age = modified.elapsed().unwrap_or_default();
        if self.stale_after.is_some_and(|stale_after| age > stale_after) {
            return Reading::Stale;
        }
        Reading::Fresh(report)
    }

    /// What is in the file, at most one byte more than it may have, and when
    /// it was changed.
    fn bytes(&self) -> io::Result<(Vec<u8>, SystemTime)> {
        // Asked before it is opened: opening a pipe would wait for a writer.
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let file = File::open(&self.path)?;
        let modified = file.metadata()?.modified()?;
        let mut bytes = Vec::new();
        file.take(STATUS_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok((bytes, modified))
    }

    fn wrong(&self, wrong: Wrong) -> Reading {
        Reading::Wrong(WrongStatus { path: self.path.clone(), wrong })
    }
}

async fn look_twice(mut read: impl FnMut() -> Reading) -> Reading {
    match read() {
        Reading::Wrong(_) => {
            tokio::time::sleep(SECOND_LOOK_AFTER).await;
            read()
        }
        reading => reading,
    }
}

/// Reads the content of a status file.
fn parse(bytes: &[u8]) -> Result<Report, Wrong> {
    if bytes.len() > STATUS_BYTES_MAX {
        return Err(Wrong::file(format!("it has more than {STATUS_BYTES_MAX} bytes; {THREE_LINES}")));
    }
    if UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(Wrong::file("it is saved as UTF-16 (\"Unicode\"); save it as UTF-8".to_owned()));
    }
    let text = bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes);
    let mut lines = text.split(|&byte| byte == b'\n').map(value);
    let report = Report {
        station_id: station_id(lines.next().unwrap_or_default())?,
        alarm1: alarm(1, lines.next().unwrap_or_default())?,
        alarm2: alarm(2, lines.next().unwrap_or_default())?,
    };
    match lines.enumerate().find(|(_, value)| !value.is_empty()) {
        None => Ok(report),
        Some((index, value)) => {
            Err(Wrong::line(index + 4, format!("{} is too much; {THREE_LINES}", excerpt(value))))
        }
    }
}

/// A line without its CR and without the blanks around its value.
fn value(line: &[u8]) -> &[u8] {
    let mut value = line.strip_suffix(b"\r").unwrap_or(line);
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn station_id(value: &[u8]) -> Result<StationId, Wrong> {
    StationId::from_digits(value).ok_or_else(|| {
        let found = found(value);
        Wrong::line(1, format!("the station id {found}; write a whole number from 0 to {}", StationId::MAX))
    })
}

fn alarm(number: usize, value: &[u8]) -> Result<bool, Wrong> {
    match value {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(Wrong::line(number + 1, format!("Alarm{number} {}; {ALARM_HINT}", found(value)))),
    }
}

fn found(value: &[u8]) -> Cow<'static, str> {
    if value.is_empty() { "is missing".into() } else { format!("is {}", excerpt(value)).into() }
}

/// A wrong value as it can be shown: in quotes, not too long, and with
/// nothing that a terminal would obey.
fn excerpt(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let shown: String = text.chars().take(EXCERPT_CHARS_MAX).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown:?}{more}")
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no such file; {THREE_LINES}"),
        io::ErrorKind::IsADirectory => "it is no file that can be read as text".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}

/// What is wrong, and in which line if it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    line: Option<usize>,
    reason: String,
}

impl Wrong {
    fn file(reason: String) -> Wrong {
        Wrong { line: None, reason }
    }

    fn line(line: usize, reason: String) -> Wrong {
        Wrong { line: Some(line), reason }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, ", line {line}: {}", self.reason),
            None => write!(f, ": {}", self.reason),
        }
    }
}

#[cfg(test)]
mod tests;
