//! `waterwatch status`: what is recorded of the stations, for a person or a
//! program.

mod table;

use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use waterwatch_core::alarm::State;

use crate::cli::StatusOptions;
use crate::failure::Failure;
use crate::health::STARTING;
use crate::http_client::{HttpClient, HttpError, found};
use crate::shown::alarm::{self, Standing, is_hidden};
use crate::shown::station::{self, Station};
use crate::shown::time::Clock;
use crate::shown::{left_out, notice_of};
use crate::store::reader::{self, Reader, Which};
use crate::terminal::has_cursor;

use super::alarm::output;
use super::page::json;
use super::printed;

/// How long a picture stands with `--watch`: a change is seen soon, and a
/// server with a million stations is read a small part of the time.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// How long the server may take to say how it is: who looks waits for that.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Empties a terminal and begins at its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// The stations as they were at one moment, the worst first.
struct Picture {
    /// What is in alarm of areas and of the server itself, the worst first.
    others: Vec<Standing>,
    /// How many alarms of those are hidden.
    others_hidden: usize,
    stations: Vec<Station>,
    /// That the server seems to be gone, or is not well, if that is so.
    notice: Option<String>,
    clock: Clock,
}

/// Prints the stations, once or until interrupted.
///
/// # Errors
/// If there is no database of ours, or it cannot be read.
pub fn run(options: &StatusOptions) -> Result<(), Failure> {
    let (mut out, terminal) = output();
    let begins_anew = has_cursor(&io::stdout());
    let mut picture = read(options).map_err(Failure::of_database)?;
    if !options.watch {
        return printed(show(&mut out, &picture, options, terminal));
    }
    loop {
        if let Err(error) = show_again(&mut out, &picture, options, (terminal, begins_anew)) {
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
    let clock = Clock::system();
    let reader = Reader::open(&options.data.file)?;
    let (picture, (), raises) = reader.picture_with_raises(Which::ALL, &clock.zone, |picture| {
        let others = alarm::of_no_station(picture, clock.now_ms());
        ((), others.iter().flat_map(|other| alarm::occurrences(&other.alarm)).collect())
    })?;
    if let Some(left_out) = left_out(&picture).filter(|_| options.json) {
        eprintln!("waterwatch: {left_out}");
    }
    let mut picture = Picture::new(picture, clock);
    for other in &mut picture.others {
        other.add_raises(&raises);
    }
    if picture.notice.is_none() && !options.json {
        picture.notice = trouble(&options.data.file);
    }
    Ok(picture)
}

/// What a server that runs says is not well with it. What is shown here is what it has
/// recorded, whatever that is.
fn trouble(data: &Path) -> Option<String> {
    let client = HttpClient::new(found(data).ok()??, ANSWER_WITHIN).ok()?;
    match client.get::<serde::de::IgnoredAny>(&["readyz"], &[]) {
        Err(HttpError::Refused(refusal)) if refusal.detail != STARTING => {
            Some(format!("the server is not well: {refusal}"))
        }
        _ => None,
    }
}

fn show_again(
    out: &mut impl Write,
    picture: &Picture,
    options: &StatusOptions,
    (terminal, begins_anew): (bool, bool),
) -> io::Result<()> {
    if options.json {
        json::array_line(out, picture.stations.iter().map(|station| station.object(&picture.clock)))?;
        return out.flush();
    }
    if begins_anew {
        out.write_all(CLEAR.as_bytes())?;
    }
    show(out, picture, options, terminal)?;
    if !begins_anew {
        writeln!(out)?;
    }
    out.flush()
}

fn show(out: &mut impl Write, picture: &Picture, options: &StatusOptions, terminal: bool) -> io::Result<()> {
    if options.json {
        json::array(out, picture.stations.iter().map(|station| station.object(&picture.clock)))?;
    } else {
        table::write(out, picture, terminal)?;
    }
    out.flush()
}

impl Picture {
    fn new(picture: reader::Picture, clock: Clock) -> Picture {
        let notice = notice_of(&picture, &clock);
        let mut others = alarm::of_no_station(&picture, clock.now_ms());
        let others_hidden = others.iter().filter(|other| other.state.is_some_and(is_hidden)).count();
        others.retain(|other| other.state.is_some_and(|state| state != State::Normal && !is_hidden(state)));
        let (mut stations, _) = station::of(picture, clock.now_ms());
        // Stable: among equals the order of the ids stays.
        stations.sort_by_cached_key(Station::rank);
        Picture { others, others_hidden, stations, notice, clock }
    }
}

#[cfg(test)]
mod tests;
