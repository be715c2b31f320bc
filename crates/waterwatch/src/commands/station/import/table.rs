//! Rows of CSV, as this program and as spreadsheets write them: RFC 4180, or with `;` or
//! tabs between the cells.

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::head;
use super::input::{Bad, Row, station};
use crate::commands::station::change::Wanted;
use crate::commands::station::fields::{field, is_station, read, short};
use crate::commands::station::spoilt;

/// What is told of a file that ends between two quotes.
const NEVER_CLOSED: &str = "the quote at its beginning is never closed: the file is not whole";

/// What the first row says of the others.
pub(super) struct Table {
    delimiter: u8,
    columns: Vec<Column>,
    /// Where the first row ends.
    body: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Column {
    Station,
    Field(String),
}

impl Table {
    /// Reads the names of the columns. None of them has a letter that stands between
    /// cells: which one does is seen by that.
    pub(super) fn of(text: &str) -> Result<Table, Bad> {
        let begin = head::begins(text);
        let head = text.get(begin..).unwrap_or_default();
        let delimiter = head::delimiter(text);
        let mut rows = reader(head, delimiter);
        let mut names = ByteRecord::new();
        rows.read_byte_record(&mut names).map_err(|error| Bad::new(None, error.to_string()))?;
        let body = begin.saturating_add(end(&rows));
        if body == text.len() && head::open_quote(head, delimiter).is_some() {
            return Err(Bad::new(None, NEVER_CLOSED));
        }
        let mut columns: Vec<Column> = Vec::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            let name = String::from_utf8_lossy(name);
            let column =
                column(name.trim()).map_err(|why| Bad::new(Some(&format!("column {}", place + 1)), why))?;
            if columns.contains(&column) {
                return Err(Bad::new(None, format!("there are two columns {}", name.trim())));
            }
            columns.push(column);
        }
        if !columns.contains(&Column::Station) {
            return Err(Bad::new(
                None,
                "there is no column station_id, which says which station a row is about",
            ));
        }
        Ok(Table { delimiter, columns, body })
    }

    /// Sees each row, with where it begins.
    pub(super) fn each(&self, text: &str, see: &mut impl FnMut(usize, Result<Row, Bad>)) {
        let Some(rest) = text.get(self.body..) else { return };
        let mut rows = reader(rest, self.delimiter);
        let mut cells = ByteRecord::new();
        loop {
            let offset = self.body.saturating_add(end(&rows));
            // Ends of lines before a row are none of it.
            let blank = text.get(offset..).unwrap_or_default().bytes();
            let offset = offset + blank.take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let read = rows.read_byte_record(&mut cells);
            let is_last = end(&rows) == rest.len();
            if let Some(bad) = is_last.then(|| self.open_quote(text, offset)).flatten() {
                return see(offset, Err(bad));
            }
            match read {
                Ok(false) => return,
                // Spreadsheets leave rows behind whose cells were emptied.
                Ok(true) if cells.iter().all(|cell| cell.trim_ascii().is_empty()) => {}
                Ok(true) => see(offset, self.row(&cells)),
                Err(error) => return see(offset, Err(Bad::new(None, error.to_string()))),
            }
        }
    }

    /// What is wrong with a last row that is not whole: the program that reads it takes
    /// the end of the file for the end of the cell.
    fn open_quote(&self, text: &str, offset: usize) -> Option<Bad> {
        let cell = head::open_quote(text.get(offset..)?, self.delimiter)?;
        let column = match self.columns.get(cell) {
            Some(Column::Station) => Some("station_id"),
            Some(Column::Field(field)) => Some(short(field)),
            None => None,
        };
        Some(Bad::new(column, NEVER_CLOSED))
    }

    /// The row that begins there.
    pub(super) fn row_at(&self, text: &str, offset: usize) -> Result<Row, Bad> {
        let mut cells = ByteRecord::new();
        reader(text.get(offset..).unwrap_or_default(), self.delimiter)
            .read_byte_record(&mut cells)
            .map_err(|error| Bad::new(None, error.to_string()))?;
        self.row(&cells)
    }

    fn row(&self, cells: &ByteRecord) -> Result<Row, Bad> {
        if cells.len() != self.columns.len() {
            let why = format!("it has {} cells, and the first row has {}", cells.len(), self.columns.len());
            return Err(Bad::new(None, why));
        }
        let cell = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
        let cells = || self.columns.iter().zip(cells.iter().map(cell));
        let id = cells().find(|(column, _)| **column == Column::Station).map(|(_, cell)| cell);
        let id = station(&id.unwrap_or_default()).map_err(|why| Bad::new(Some("station_id"), why))?;
        let mut row = Row::of(id);
        for (column, cell) in cells() {
            let Column::Field(field) = column else { continue };
            let to = match cell.as_str() {
                "" => None,
                cell => {
                    spoilt::check(cell).map_err(|why| Bad::new(Some(short(field)), why))?;
                    let told = read(field, spoilt::unmarked(cell));
                    Some(told.map_err(|why| Bad::new(Some(short(field)), why))?)
                }
            };
            row.wanted.push(Wanted { field: field.clone(), to });
        }
        Ok(row)
    }
}

fn column(name: &str) -> Result<Column, String> {
    match name {
        "" => Err("it has no name".to_owned()),
        name if is_station(name) => Ok(Column::Station),
        name => field(name).map(Column::Field),
    }
}

/// Where that ends which was read.
fn end(rows: &Reader<&[u8]>) -> usize {
    usize::try_from(rows.position().byte()).unwrap_or(usize::MAX)
}

fn reader(text: &str, delimiter: u8) -> Reader<&[u8]> {
    // Rows are read by themselves, too: without more room than one needs.
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter).buffer_capacity(4 * 1024);
    builder.from_reader(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use waterwatch_core::settings::Told;

    use super::*;

    /// Of which station a row is, and what it says in each column.
    type Cells = (i64, Vec<Option<Told>>);

    fn rows(text: &str) -> Vec<Result<Cells, String>> {
        let table = Table::of(text).unwrap_or_else(|bad| panic!("{bad}"));
        let mut rows = Vec::new();
        table.each(text, &mut |offset, row| {
            if let Ok(row) = &row {
                assert_eq!(table.row_at(text, offset).as_ref(), Ok(row), "read again");
            }
            let row = row.map_err(|bad| bad.to_string());
            rows.push(
                row.map(|row| (row.station.get(), row.wanted.into_iter().map(|wanted| wanted.to).collect())),
            );
        });
        rows
    }

    fn said(text: &str) -> Option<Told> {
        Some(Told::Text(text.to_owned()))
    }

    #[test]
    fn rows_are_read_as_programs_and_spreadsheets_write_them() {
        let wanted = [
            Ok((7, vec![said("North, \"upper\""), Some(Told::Number(60))])),
            Ok((8, vec![None, None])),
            Ok((9, vec![said("+1"), None])),
        ];
        for text in [
            "station_id,name,period_s\r\n7,\"North, \"\"upper\"\"\",60\r\n8,,\r\n\r\n9,'+1,\r\n",
            "station_id;name;period_s\n007;\"North, \"\"upper\"\"\";60\n8;;\n;;\n9;'+1;",
            "\nid\tname\tperiod_s\n7\t\"North, \"\"upper\"\"\"\t 60 \n8\t\t\n9\t'+1\t\n",
        ] {
            let text = text.trim_start_matches('\n');
            assert_eq!(rows(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_told_by_its_column() {
        let text =
            "station_id,name,alarm1.latched\n1.23E+05,x,\n12a,x,\n7,x\n7,x,maybe\n7,\"two\nlines\",1\n";
        let complaints = rows(text).into_iter().map(Result::unwrap_err).collect::<Vec<_>>();
        for (said, complaint) in complaints.iter().zip([
            "station_id: \"1.23E+05\" is what a spreadsheet has made of a number",
            "station_id: \"12a\" is no station's id",
            "it has 2 cells, and the first row has 3",
            "alarm1.latched: \"maybe\" is neither true nor false",
            "name: the text \"two\\nlines\" is not allowed; it must be",
        ]) {
            assert!(said.starts_with(complaint), "{said}");
        }
        assert_eq!(complaints.len(), 5);
    }

    #[test]
    fn a_file_that_ends_in_the_middle_is_told() {
        for (text, whose, complaint) in [
            ("station_id,name\r\n1,\"North li", 0, "name: the quote at its beginning is never closed"),
            ("station_id,name\r\n1,x\r\n2,\"North \"\"li\"\"\r\n\r\n", 1, "name: the quote at its"),
            ("station_id;area;name\n1;\"a;b\";x\n\"2", 1, "station_id: the quote at its"),
            ("station_id,name,area\n1,x,y\n2,Nor", 1, "it has 2 cells, and the first row has 3"),
        ] {
            let said = rows(text).pop().unwrap().unwrap_err();
            assert_eq!((rows(text).len(), said.starts_with(complaint)), (whose + 1, true), "{said}");
        }
        assert_eq!(rows("station_id,name\n1,\"a\"\"\""), [Ok((1, vec![said("a\"")]))]);
        assert_eq!(rows("station_id,name\n1,5\" pipe"), [Ok((1, vec![said("5\" pipe")]))]);
        let head = Table::of("station_id,\"name\r\n1,x\r\n").err().unwrap();
        assert_eq!(head.to_string(), NEVER_CLOSED);
    }

    #[test]
    fn what_spreadsheets_put_around_the_rows_is_none_of_them() {
        let wanted = [Ok((7, vec![said("North")])), Ok((8, vec![said("a, b")]))];
        for text in [
            "sep=;\r\nStation_ID;Name\r\n7;North\r\n8;a, b\r\n",
            "\r\n  \r\nID,NAME\r\n , \r\n7,North\r\n\t,\r\n8,\"a, b\"\r\n , \r\n",
            "SEP=\t\n\nid\tname\n7\tNorth\n8\ta, b",
            ";;\nid;name\n7;North\n8;a, b",
        ] {
            assert_eq!(rows(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_a_spreadsheet_has_spoilt_is_told_and_not_said() {
        let said_of = |cell: &str| rows(&format!("id;telephones;period_s\n7;{cell};\n")).pop().unwrap();
        for cell in [
            "4.93012E+11",
            "4,93012E+11",
            "-1E-05",
            "#NAME?",
            "#REF!",
            "#VALUE!",
            "#N/A",
            "#DIV/0!",
            "#WERT!",
        ] {
            let told = said_of(cell).unwrap_err();
            assert!(told.starts_with(&format!("telephones: \"{cell}\" is what a spreadsheet ")), "{told}");
        }
        // Whoever means it writes it as the export does.
        for cell in ["4.93012E+11", "#NAME?", "1E5", "#3 and #4", "E+11", "1.E+"] {
            let written = spoilt::marked(cell).into_owned();
            assert_eq!(said_of(&written), Ok((7, vec![said(cell), None])), "{written}");
        }
    }

    #[test]
    fn columns_are_known_once_and_one_says_which_station() {
        for (text, complaint) in [
            ("", "there is no column station_id"),
            ("name\n", "there is no column station_id"),
            ("station_id,nmae\n", "column 2: there is no setting \"nmae\"; did you mean name?"),
            ("station_id,,name\n", "column 2: it has no name"),
            ("id,station_id\n", "there are two columns station_id"),
            ("id,alarm1.label,points.alarm1.label\n", "there are two columns points.alarm1.label"),
        ] {
            let bad = Table::of(text).err().map(|bad| bad.to_string()).unwrap_or_default();
            assert!(bad.starts_with(complaint), "{text:?}: {bad}");
        }
    }
}
