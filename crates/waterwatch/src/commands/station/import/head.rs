//! What stands before the rows of CSV, and how cells are told apart.

/// What may stand between cells.
const DELIMITERS: [char; 3] = [',', ';', '\t'];

/// Where the first row begins: behind lines in which nothing stands, and behind the one
/// by which a spreadsheet is told what stands between the cells.
pub(super) fn begins(text: &str) -> usize {
    let begin = behind_blank(text, 0);
    match named(text, begin) {
        Some((_, end)) => behind_blank(text, end),
        None => begin,
    }
}

/// What stands between the cells: as it is named, or else the first of those that are in
/// the first row, since no column has one in its name.
pub(super) fn delimiter(text: &str) -> u8 {
    let named = named(text, behind_blank(text, 0)).map(|(delimiter, _)| delimiter);
    let (first, _) = line(text, begins(text));
    let delimiter = named.or_else(|| DELIMITERS.into_iter().find(|delimiter| first.contains(*delimiter)));
    delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()).unwrap_or(b',')
}

/// In which cell of a row a quote is opened that the text never closes, counted from 0.
/// What comes behind the row must be blank.
pub(super) fn open_quote(row: &str, delimiter: u8) -> Option<usize> {
    let (mut cell, mut is_quoted, mut is_begin) = (0, false, true);
    let mut bytes = row.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if is_quoted => is_quoted = bytes.next_if_eq(&b'"').is_some(),
            _ if is_quoted => {}
            // Within a cell it is a letter like any other.
            b'"' if is_begin => (is_quoted, is_begin) = (true, false),
            byte if byte == delimiter => (cell, is_begin) = (cell + 1, true),
            b'\r' | b'\n' => (cell, is_begin) = (0, true),
            _ => is_begin = false,
        }
    }
    is_quoted.then_some(cell)
}

/// `sep=;` and the like, as a line of its own, and where that ends.
fn named(text: &str, begin: usize) -> Option<(char, usize)> {
    let (line, end) = line(text, begin);
    let (name, named) = line.split_at_checked(4)?;
    let mut named = named.chars();
    let delimiter = named.next().filter(|delimiter| DELIMITERS.contains(delimiter))?;
    (name.eq_ignore_ascii_case("sep=") && named.as_str().trim().is_empty()).then_some((delimiter, end))
}

/// Where the first line begins in which something stands.
fn behind_blank(text: &str, mut begin: usize) -> usize {
    while begin < text.len() {
        let (line, end) = line(text, begin);
        if !line
            .trim_matches(|letter: char| letter.is_whitespace() || DELIMITERS.contains(&letter))
            .is_empty()
        {
            break;
        }
        begin = end;
    }
    begin
}

/// The line that begins there, and where the next one does.
fn line(text: &str, begin: usize) -> (&str, usize) {
    let rest = text.get(begin..).unwrap_or_default();
    match rest.find(['\r', '\n']) {
        Some(length) => (&rest[..length], begin + length + 1),
        None => (rest, text.len()),
    }
}
