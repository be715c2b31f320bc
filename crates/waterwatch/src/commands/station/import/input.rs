//! The file that is imported: the whole of it is judged before anything is changed, and
//! its rows are then read again where they stand.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use waterwatch_core::StationId;

use super::table::Table;
use super::{head, objects};
use crate::cli::Format;
use crate::commands::station::change::Wanted;
use crate::failure::Failure;
use crate::shown::count;

/// How much of a file is read: a million stations with 250 bytes each. It is kept in
/// memory, since it is read twice, and may change meanwhile or be a pipe.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Rows that are named if they are wrong: whoever mends these knows what to look for.
const BAD_ROWS_MAX: usize = 20;

/// What a row of the file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) station: StationId,
    pub(super) wanted: Vec<Wanted>,
}

/// What is wrong with a row, and in which column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) column: Option<String>,
    pub(super) why: String,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) station: StationId,
    pub(super) offset: usize,
    pub(super) line: usize,
}

/// A file whose rows can be read.
pub(super) struct Input {
    name: String,
    text: String,
    form: Form,
}

enum Form {
    Table(Table),
    Objects,
}

impl Row {
    /// Of one of whom so far nothing is to be said.
    pub(super) fn of(station: StationId) -> Row {
        Row { station, wanted: Vec::new() }
    }
}

impl Bad {
    pub(super) fn new(column: Option<&str>, why: impl Into<String>) -> Bad {
        Bad { column: column.map(str::to_owned), why: why.into() }
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bad { column, why } = self;
        column.iter().try_for_each(|column| write!(f, "{column}: "))?;
        f.write_str(why)
    }
}

impl Input {
    /// Reads a file, or standard input if it is called `-`.
    pub(super) fn read(file: &Path, format: Option<Format>) -> Result<Input, Failure> {
        let is_stdin = file == Path::new("-");
        let name = if is_stdin { "standard input".to_owned() } else { file.display().to_string() };
        let bytes = match is_stdin {
            true => whole(io::stdin().lock()),
            false => File::open(file).map_err(Into::into).and_then(whole),
        };
        // Whichever way it cannot be read, it is the wrong file.
        let bytes = bytes.with_context(|| format!("cannot read {name}")).map_err(Failure::WrongInput)?;
        Input::of(name, bytes, format).map_err(Failure::WrongInput)
    }

    fn of(name: String, bytes: Vec<u8>, format: Option<Format>) -> anyhow::Result<Input> {
        let text = text(&name, bytes)?;
        if text.trim().is_empty() {
            bail!("{name}: there is nothing in it");
        }
        let is_json = text.trim_start().starts_with(['[', '{']);
        let form = match format.unwrap_or(if is_json { Format::Json } else { Format::Csv }) {
            Format::Json => Form::Objects,
            Format::Csv => {
                let line = Line { line: 1, offset: 0 }.at(&text, head::begins(&text));
                Form::Table(Table::of(&text).map_err(|bad| anyhow!("{name}:{line}: {bad}"))?)
            }
        };
        Ok(Input { name, text, form })
    }

    /// Where each row stands, in the order of their stations, if nothing is wrong with
    /// any of them.
    pub(super) fn places(&self) -> Result<Vec<Place>, Failure> {
        let mut places: Vec<Place> = Vec::new();
        let mut lines: HashMap<StationId, usize> = HashMap::new();
        let mut bad: Vec<String> = Vec::new();
        let mut bad_count = 0_u64;
        let mut line = Line { line: 1, offset: 0 };
        let mut see = |offset: usize, row: Result<Row, Bad>| {
            let line = line.at(&self.text, offset);
            let row = row.and_then(|row| match lines.insert(row.station, line) {
                None => Ok(row),
                Some(first) => {
                    Err(Bad::new(None, format!("station {} stands in line {first} already", row.station)))
                }
            });
            match row {
                Ok(row) => places.push(Place { station: row.station, offset, line }),
                Err(why) => {
                    bad_count += 1;
                    if bad.len() < BAD_ROWS_MAX {
                        bad.push(format!("{}:{line}: {why}", self.name));
                    }
                }
            }
        };
        match &self.form {
            Form::Table(table) => table.each(&self.text, &mut see),
            Form::Objects => objects::each(&self.text, &mut see),
        }
        if bad_count > 0 {
            let unnamed = bad_count - bad.len() as u64;
            bad.extend((unnamed > 0).then(|| format!("and {unnamed} more")));
            return Err(Failure::WrongInput(anyhow!(
                "nothing was changed, since {} of {} cannot be meant:\n{}",
                count(bad_count, "row"),
                self.name,
                bad.join("\n")
            )));
        }
        places.sort_unstable_by_key(|place| place.station);
        Ok(places)
    }

    /// The row that stands there.
    pub(super) fn row(&self, place: &Place) -> anyhow::Result<Row> {
        let row = match &self.form {
            Form::Table(table) => table.row_at(&self.text, place.offset),
            Form::Objects => objects::row_at(&self.text, place.offset),
        };
        row.map_err(|bad| anyhow!("{}:{}: {bad}", self.name, place.line))
    }
}

/// In which line what stands, looked at from the beginning to the end.
struct Line {
    line: usize,
    offset: usize,
}

impl Line {
    fn at(&mut self, text: &str, offset: usize) -> usize {
        let between = text.as_bytes().get(self.offset..offset).unwrap_or_default();
        self.line += between.iter().filter(|byte| **byte == b'\n').count();
        self.offset = self.offset.max(offset);
        self.line
    }
}

fn whole(source: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        bail!("it has more than {} MiB: import it in parts", BYTES_MAX / 1024 / 1024);
    }
    Ok(bytes)
}

/// The text of a file, without the mark that some programs put at its beginning.
fn text(name: &str, mut bytes: Vec<u8>) -> anyhow::Result<String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        bail!("{name} is UTF-16: save it as \"CSV UTF-8\"");
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        anyhow!("{name}:{line}: there are letters that are not UTF-8: save it as \"CSV UTF-8\"")
    })
}

/// Reads a station's id; what a spreadsheet has made of one is told as such.
pub(super) fn station(text: &str) -> Result<StationId, String> {
    let text = text.trim();
    if let Some(station) = StationId::from_digits(text.as_bytes()) {
        return Ok(station);
    }
    let shown: String = text.escape_debug().take(60).collect();
    let is_number = text.replace(',', ".").parse::<f64>().is_ok_and(|number| number >= 0.0);
    if is_number {
        return Err(format!(
            "\"{shown}\" is what a spreadsheet has made of a number: write the id with all of its digits, in a \
             column whose format is text"
        ));
    }
    Err(format!("\"{shown}\" is no station's id, which is a number from 0 to {}", StationId::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_a_wrong_one() {
        let folder = tempfile::TempDir::new().unwrap();
        for file in [folder.path().join("missing.csv"), folder.path().to_owned()] {
            let failure = Input::read(&file, None).err();
            let said = match &failure {
                Some(Failure::WrongInput(error)) => format!("{error:#}"),
                _ => panic!("{failure:?}"),
            };
            assert!(said.starts_with(&format!("cannot read {}: ", file.display())), "{said}");
        }
        assert!(whole(io::repeat(b'x')).unwrap_err().to_string().contains("more than 256 MiB"));
    }

    #[test]
    fn a_file_with_nothing_in_it_is_no_file_of_stations() {
        for format in [None, Some(Format::Csv), Some(Format::Json)] {
            for text in ["", "\r\n\n", "\u{feff}"] {
                let bad = Input::of("file".to_owned(), text.into(), format).err().unwrap().to_string();
                assert_eq!(bad, "file: there is nothing in it", "{format:?} {text:?}");
            }
        }
        let none = Input::of("file".to_owned(), "[]".into(), None).unwrap();
        assert_eq!(none.places().unwrap(), []);
        let bad = Input::of("file".to_owned(), "sep=;\n\nstation_id;nmae\n".into(), None).err().unwrap();
        assert!(bad.to_string().starts_with("file:3: column 2: there is no setting"), "{bad}");
    }
}
