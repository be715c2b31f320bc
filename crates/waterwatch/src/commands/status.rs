//! `waterwatch status`: what is recorded of the stations, for a person or a
//! program.

mod json;
mod table;

use std::io::{self, BufWriter, IsTerminal, Write, stdout};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::StatusOptions;
use crate::failure::Failure;
use crate::store::reader::{LastContact, Reader};

use super::printed;

/// How long a picture stands with `--watch`: a change is seen soon, and a
/// server with a million stations is read a small part of the time.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// Empties a terminal and begins at its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// The stations as they were at one moment, those in alarm first.
struct Picture {
    stations: Vec<LastContact>,
    in_alarm: usize,
    now: Timestamp,
}

/// Prints the stations, once or until interrupted.
///
/// # Errors
/// If there is no database of ours, or it cannot be read.
pub fn run(options: &StatusOptions) -> Result<(), Failure> {
    let terminal = stdout().is_terminal();
    let mut out = BufWriter::new(stdout().lock());
    let mut picture = read(options).map_err(Failure::of_database)?;
    if !options.watch {
        return printed(show(&mut out, &picture, options, terminal));
    }
    loop {
        if let Err(error) = show_again(&mut out, &picture, options, terminal) {
            return printed(Err(error));
        }
        // Freed first: two pictures of a million stations are one too many.
        drop(picture);
        picture = next_picture(options);
    }
}

/// Waits, and tries until there is something to show.
fn next_picture(options: &StatusOptions) -> Picture {
    let mut told = None;
    loop {
        thread::sleep(WATCH_EVERY);
        match read(options) {
            Ok(picture) => return picture,
            Err(error) => {
                if let Some(failure) = news(&mut told, format!("{error:#}")) {
                    eprintln!("waterwatch: {failure}; trying again");
                }
            }
        }
    }
}

/// A failure that was not told last: one that stays is told once, so that it
/// does not push the last picture away.
fn news(told: &mut Option<String>, failure: String) -> Option<&str> {
    if told.as_ref() == Some(&failure) {
        return None;
    }
    Some(told.insert(failure))
}

/// Opens the database each time: it may have been replaced since, as it is
/// when a backup is restored.
fn read(options: &StatusOptions) -> anyhow::Result<Picture> {
    let stations = Reader::open(&options.data.file)?.stations(&TimeZone::system())?;
    Ok(Picture::new(stations, Timestamp::now()))
}

fn show_again(
    out: &mut impl Write,
    picture: &Picture,
    options: &StatusOptions,
    terminal: bool,
) -> io::Result<()> {
    if options.json {
        json::write_line(out, picture)?;
        return out.flush();
    }
    if terminal {
        out.write_all(CLEAR.as_bytes())?;
    }
    show(out, picture, options, terminal)?;
    if !terminal {
        writeln!(out)?;
    }
    out.flush()
}

fn show(out: &mut impl Write, picture: &Picture, options: &StatusOptions, terminal: bool) -> io::Result<()> {
    if options.json {
        json::write(out, picture)?;
    } else {
        table::write(out, picture, terminal)?;
    }
    out.flush()
}

impl Picture {
    fn new(mut stations: Vec<LastContact>, now: Timestamp) -> Picture {
        // Stable: within each half the order of the ids stays.
        stations.sort_by_key(|station| !in_alarm(station));
        let in_alarm = stations.partition_point(in_alarm);
        Picture { stations, in_alarm, now }
    }
}

fn in_alarm(station: &LastContact) -> bool {
    station.alarm1 || station.alarm2
}

/// How long ago the contact was. One that lies ahead, since the clock was
/// set back, is now.
fn age_s(station: &LastContact, now: Timestamp) -> Option<i64> {
    let received_at_ms = station.received_at_ms?;
    Some(now.as_millisecond().saturating_sub(received_at_ms).max(0) / 1_000)
}

#[cfg(test)]
mod tests;
