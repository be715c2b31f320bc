//! `waterwatch station export`: what is said of stations, as a file that can be changed and
//! imported again.

use std::io::{self, Write};

use anyhow::anyhow;
use csv::{Terminator, Writer, WriterBuilder};
use serde::Serialize;
use serde_json::{Map, Value};
use waterwatch_core::StationId;
use waterwatch_core::settings::Told;

use super::fields::{field, is_station, short, written};
use super::spoilt::marked;
use crate::cli::{Format, StationExportOptions};
use crate::commands::alarm::{self, first_unknown, output};
use crate::commands::page::json::Array;
use crate::commands::printed;
use crate::failure::Failure;
use crate::said_json;
use crate::shown::count;
use crate::station_says::StationSays;
use crate::store::reader::{Reader, SaidOfOne, WhoseSaid};

/// Stations that are read at once: no moment of the database is held for longer than
/// some milliseconds.
const STATIONS_A_PAGE: usize = 1_000;

/// A station, and all that is said of it.
#[derive(Serialize)]
struct SaidObject {
    station_id: i64,
    id: String,
    #[serde(flatten)]
    said: Map<String, Value>,
}

pub(super) fn run(options: &StationExportOptions) -> Result<(), Failure> {
    let StationExportOptions { area, unnamed, format, json, fields, data } = options;
    let columns = columns(fields).map_err(|why| Failure::WrongInput(anyhow!(why)))?;
    let open = || -> anyhow::Result<_> { Ok(Reader::open(&data.file)?) };
    let reader = open().map_err(Failure::of_database)?;
    if let Some(area) = first_unknown(&reader, area.as_deref().map(alarm::area))? {
        return Err(alarm::unknown(&area, None));
    }
    let (out, _) = output();
    let which = match area {
        Some(area) => WhoseSaid::OfArea(area),
        None if *unnamed => WhoseSaid::AndKnown,
        None => WhoseSaid::All,
    };
    let mut rows = match format {
        Format::Csv if !json => Rows::table(out, columns),
        Format::Csv | Format::Json => Rows::Objects(Array::new(out), columns),
    };
    let (mut after, mut ignored) = (None, 0);
    loop {
        let page = reader.said_of_stations(after, which, STATIONS_A_PAGE)?;
        for SaidOfOne { station, says, ignored: misfits } in &page.stations {
            if let Err(error) = rows.write(*station, says) {
                return printed(Err(error));
            }
            for why in misfits {
                eprintln!("waterwatch: station {station}: left out, since it cannot be meant: {why}");
            }
            ignored += u64::from(!misfits.is_empty());
        }
        after = page.stations.last().map(|last| last.station);
        if !page.has_more {
            printed(rows.end())?;
            break;
        }
    }
    match ignored {
        0 => Ok(()),
        _ => Err(Failure::Failed(anyhow!(
            "of {} not all is written: say it anew (station set), and export again",
            count(ignored, "station")
        ))),
    }
}

/// The fields that are wanted: all of them, if none is named. Whose they are is the first
/// column in any case.
fn columns(names: &[String]) -> Result<Vec<String>, String> {
    match names {
        [] => Ok(StationSays::fields()),
        names => {
            let names = names.iter().map(|name| name.trim()).filter(|name| !is_station(name));
            names.map(field).collect()
        }
    }
}

/// A file that is written, station by station.
enum Rows<W: Write> {
    Table { out: Box<Writer<W>>, columns: Vec<String>, has_head: bool },
    Objects(Array<W>, Vec<String>),
}

impl<W: Write> Rows<W> {
    fn table(out: W, columns: Vec<String>) -> Rows<W> {
        let out = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
        Rows::Table { out: Box::new(out), columns, has_head: false }
    }

    fn write(&mut self, station: StationId, says: &StationSays) -> io::Result<()> {
        self.head()?;
        let mut told: Vec<(String, Told)> = says.told();
        match self {
            Rows::Table { out, columns, .. } => {
                let cell = |column: &String| {
                    let told = told.iter().find(|(field, _)| field == column);
                    told.map_or(String::new(), |(field, told)| marked(&written(field, told)).into_owned())
                };
                let cells = columns.iter().map(cell);
                Ok(out.write_record([station.to_string()].into_iter().chain(cells))?)
            }
            Rows::Objects(array, columns) => {
                told.retain(|(field, _)| columns.contains(field));
                let said = said_json::nested(told);
                array.push(&SaidObject { station_id: station.get(), id: station.to_string(), said })
            }
        }
    }

    /// The names of the columns, once.
    fn head(&mut self) -> io::Result<()> {
        if let Rows::Table { out, columns, has_head: has_head @ false } = self {
            let names = columns.iter().map(|column| short(column));
            out.write_record(["station_id"].into_iter().chain(names))?;
            *has_head = true;
        }
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        self.head()?;
        match self {
            Rows::Table { mut out, .. } => out.flush(),
            Rows::Objects(array, _) => array.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_row_is_may_be_named_among_its_fields() {
        let columns =
            |names: &[&str]| columns(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let wanted = vec!["name".to_owned(), "points.alarm1.label".to_owned()];
        assert_eq!(columns(&["station_id", "name", " alarm1.label"]), Ok(wanted.clone()));
        assert_eq!(columns(&["name", "ID", "alarm1.label"]), Ok(wanted));
        assert_eq!(columns(&["station_id"]), Ok(Vec::new()));
        assert_eq!(columns(&[]), Ok(StationSays::fields()));
        assert!(columns(&["foo"]).is_err());
    }
}
