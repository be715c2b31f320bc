//! `waterwatch station import`: what a file says of stations is said by the server from
//! then on.
//!
//! The whole file is judged before anything is changed. Then what is said is read by pages,
//! in the order of the ids, and compared with the rows: only what becomes other is put, and
//! only over what was read. So whoever imports the same once more changes nothing, and whoever
//! was cut off goes on.

mod head;
mod input;
mod objects;
mod putting;
mod table;

use std::io::{self, ErrorKind, Write};

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};

use self::input::{Input, Place};
use self::putting::{Done, Meant, put_all};
use super::change::{ChangesObject, after, changes, lines};
use super::remote::{Read, Remote};
use crate::cli::StationImportOptions;
use crate::commands::page::json::Array;
use crate::commands::printed;
use crate::failure::Failure;
use crate::http_client::HttpError;
use crate::shown::count;

/// Stations that are read and put at once.
const STATIONS_A_PAGE: usize = 1_000;

pub(super) fn run(options: &StationImportOptions) -> Result<(), Failure> {
    let StationImportOptions { file, format, dry_run, order } = options;
    let input = Input::read(file, *format)?;
    let places = input.places()?;
    let remote = Remote::of(order)?;
    let mut told = Told::new(order.json, places.len());
    let done = import(&input, &places, &remote, *dry_run, &mut told);
    let (changed, all) = (told.changed, count(places.len() as u64, "station"));
    let others = match told.by_others {
        0 => String::new(),
        number => format!("; somebody else said the same of {number} meanwhile"),
    };
    match done {
        Ok(()) => printed(told.end(&match (dry_run, changed) {
            (true, 0) => format!("nothing would change: {all} read"),
            (false, 0) => format!("nothing to change: {all} read{others}"),
            (true, changed) => format!("{changed} of {all} would change"),
            (false, changed) => format!("{changed} of {all} changed{others}"),
        })),
        Err(failure) => {
            printed(told.cut())?;
            Err(if *dry_run { failure } else { cut_off(failure, changed, places.len() as u64) })
        }
    }
}

/// A failure, with how far it went before, and that the same goes on there if it may.
fn cut_off(failure: Failure, changed: u64, stations: u64) -> Failure {
    let were = if changed == 1 || stations == 1 { "was" } else { "were" };
    let before = format!("{changed} of {} {were} changed before", count(stations, "station"));
    match failure {
        Failure::WrongInput(error) => Failure::WrongInput(anyhow!("{error:#}; {before}")),
        Failure::Failed(error) if error.downcast_ref().is_some_and(HttpError::is_final) => {
            Failure::Failed(anyhow!("{error:#}; {before}"))
        }
        Failure::Failed(error) => {
            Failure::Failed(anyhow!("{error:#}; {before}: import the same again, and it goes on there"))
        }
    }
}

/// The rows of a page, each with what is said of its station until now.
fn import(
    input: &Input,
    places: &[Place],
    remote: &Remote,
    dry_run: bool,
    told: &mut Told,
) -> Result<(), Failure> {
    let mut left = places;
    while let Some(first) = left.first() {
        let (said, is_last) = remote.page(first.station, left.len().min(STATIONS_A_PAGE))?;
        let until = said.last().filter(|_| !is_last).map(|last| last.station);
        let here = left.iter().take(STATIONS_A_PAGE);
        let here = here.take_while(|place| until.is_none_or(|until| place.station <= until)).count();
        let (page, rest) = left.split_at(here);
        let mut said = said.into_iter().peekable();
        let mut meant = Vec::new();
        for place in page {
            while said.next_if(|read| read.station < place.station).is_some() {}
            let read = said.next_if(|read| read.station == place.station);
            let read = read.unwrap_or_else(|| Read::nothing(place.station));
            let wanted = input.row(place)?.wanted;
            if after(&read.says, &wanted)? != read.says {
                meant.push(Meant { read, wanted });
            }
        }
        let same = page.len() - meant.len();
        let (done, by_others, failure) = match dry_run {
            true => (would_change(&meant)?, 0, None),
            false => put_all(remote, &meant),
        };
        told.by_others += by_others;
        told.tell(&done, same + by_others).or_else(|error| told.gone(error))?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        left = rest;
    }
    Ok(())
}

fn would_change(meant: &[Meant]) -> Result<Done, Failure> {
    let change =
        |Meant { read, wanted }: &Meant| Ok((read.station, changes(&read.says, &after(&read.says, wanted)?)));
    meant.iter().map(change).collect()
}

/// Says what changes while it does, and how far it is to whoever sits before it.
struct Told {
    out: Out,
    bar: ProgressBar,
    changed: u64,
    /// Of how many somebody else said the same first.
    by_others: usize,
}

enum Out {
    Lines,
    Objects(Array<io::Stdout>),
    /// Whoever read it has gone.
    Gone,
}

impl Told {
    fn new(json: bool, stations: usize) -> Told {
        let out = if json { Out::Objects(Array::new(io::stdout())) } else { Out::Lines };
        // It is drawn on standard error, and only if that is a terminal.
        let bar = ProgressBar::new(stations as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} stations, {eta} left") {
            bar.set_style(style);
        }
        Told { out, bar, changed: 0, by_others: 0 }
    }

    fn tell(&mut self, done: &Done, same: usize) -> io::Result<()> {
        self.bar.inc((done.len() + same) as u64);
        self.changed += done.len() as u64;
        let out = &mut self.out;
        self.bar.suspend(|| match out {
            Out::Gone => Ok(()),
            Out::Objects(array) => done
                .iter()
                .try_for_each(|(station, changes)| array.push(&ChangesObject::new(*station, changes))),
            Out::Lines => {
                let mut text = String::new();
                for line in done.iter().flat_map(|(station, changes)| lines(*station, changes)) {
                    text.extend([line.as_str(), "\n"]);
                }
                io::stdout().write_all(text.as_bytes())
            }
        })
    }

    /// What cannot be shown any more is done all the same.
    fn gone(&mut self, error: io::Error) -> Result<(), Failure> {
        if error.kind() != ErrorKind::BrokenPipe {
            return Err(anyhow::Error::new(error).context("cannot write to standard output").into());
        }
        self.out = Out::Gone;
        Ok(())
    }

    /// The end, with a sentence for people.
    fn end(self, sentence: &str) -> io::Result<()> {
        self.bar.finish_and_clear();
        match self.out {
            Out::Lines => writeln!(io::stdout(), "{sentence}"),
            Out::Objects(array) => array.end(),
            Out::Gone => Ok(()),
        }
    }

    /// The end of what was cut off.
    fn cut(self) -> io::Result<()> {
        self.bar.finish_and_clear();
        match self.out {
            Out::Objects(array) => array.end(),
            Out::Lines | Out::Gone => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
