//! The stations for a person: a table and a line that sums it up.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, Table, Width, presets};

use crate::commands::count;
use crate::store::reader::LastContact;

use super::{Picture, age_s, in_alarm};

/// Rows that are laid out at once. The table of a million stations would
/// fill gigabytes with its cells; tables of this many rows, with one set of
/// widths, look the same.
const ROWS_AT_ONCE: usize = 10_000;

const HEADER: [&str; 4] = ["STATION", "LAST CONTACT", "AGO", "ALARMS"];

/// Blanks between two columns.
const GAP: u16 = 2;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 60 * MINUTE_S;
const DAY_S: i64 = 24 * HOUR_S;

/// Writes the table. Only a `terminal` gets colours.
pub(super) fn write(out: &mut impl Write, picture: &Picture, terminal: bool) -> io::Result<()> {
    if picture.stations.is_empty() {
        return writeln!(out, "no station has reported yet");
    }
    let widths = widths(picture);
    for (place, stations) in picture.stations.chunks(ROWS_AT_ONCE).enumerate() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if place == 0 {
            table.set_header(HEADER);
        }
        for station in stations {
            let [id, last_contact, ago, alarms] = texts(station, picture).map(Cell::new_owned);
            let alarms =
                if in_alarm(station) { alarms.fg(Color::Red).add_attribute(Attribute::Bold) } else { alarms };
            table.add_row([id, last_contact, ago, alarms]);
        }
        for (column, width) in table.column_iter_mut().zip(widths) {
            column.set_padding((0, GAP));
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + GAP)));
        }
        if let Some(id) = table.column_mut(0) {
            id.set_cell_alignment(CellAlignment::Right);
        }
        if terminal {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        writeln!(out, "{}", table.trim_fmt())?;
    }
    writeln!(out)?;
    writeln!(out, "{}", summary(picture))
}

/// The widest text of each column.
fn widths(picture: &Picture) -> [u16; 4] {
    let mut widths = HEADER.map(str::len);
    for station in &picture.stations {
        for (width, text) in widths.iter_mut().zip(texts(station, picture)) {
            *width = text.chars().count().max(*width);
        }
    }
    widths.map(|width| u16::try_from(width).unwrap_or(u16::MAX - GAP))
}

fn texts(station: &LastContact, picture: &Picture) -> [String; 4] {
    let alarms = match (station.alarm1, station.alarm2) {
        (false, false) => "-",
        (true, false) => "alarm1",
        (false, true) => "alarm2",
        (true, true) => "alarm1 alarm2",
    };
    let ago = age_s(station, picture.now).map_or_else(|| "unknown".to_owned(), ago);
    [station.station_id.to_string(), station.last_date.to_string(), ago, alarms.to_owned()]
}

/// `12 s`, `3 min`, `2 h 5 min`, `4 d`: no finer than a person needs.
pub(super) fn ago(age_s: i64) -> String {
    match (age_s / DAY_S, age_s / HOUR_S, age_s / MINUTE_S) {
        (0, 0, 0) => format!("{age_s} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => match minutes % 60 {
            0 => format!("{hours} h"),
            minutes => format!("{hours} h {minutes} min"),
        },
        (days, _, _) => format!("{days} d"),
    }
}

fn summary(picture: &Picture) -> String {
    let stations = count(picture.stations.len() as u64, "station");
    match picture.in_alarm {
        0 => format!("{stations}, none in alarm"),
        in_alarm => format!("{stations}, {in_alarm} in alarm"),
    }
}
