//! The table of `docs/protocol.md`, line by line.

use super::*;

/// What one line is answered with, as a person reads it.
fn answer(line: &[u8]) -> String {
    match parse(line) {
        Ok(report) => report.to_string(),
        Err(refusal) => {
            let close = if refusal.closes_connection() { " (closes)" } else { "" };
            format!("{}: {refusal}{close}", refusal.code())
        }
    }
}

#[test]
fn one_line() {
    let table: &[(&[u8], &str)] = &[
        (b"123 0 1", "123 0 1"),
        (b"123-0-1", "123 0 1"),
        (b" \t123 \t 0\t1 \t", "123 0 1"),
        (b"  123-0-1  ", "123 0 1"),
        (b"123 0 1\r", "123 0 1"),
        (b"123 0 1 \r", "123 0 1"),
        (b"0 0 0", "0 0 0"),
        (b"0000000000000000007 1 1", "7 1 1"),
        (b"9223372036854775807 1 0", "9223372036854775807 1 0"),
        (b"", "empty: the line is empty; send ID ALARM1 ALARM2"),
        (b" \t \r", "empty: the line is empty; send ID ALARM1 ALARM2"),
        (b"123", "fields: 1 field in \"123\"; send three: ID ALARM1 ALARM2"),
        (b"123 0", "fields: 2 fields in \"123 0\"; send three: ID ALARM1 ALARM2"),
        (b"123 0 1 1", "fields: 4 fields in \"123 0 1 1\"; send three: ID ALARM1 ALARM2"),
        (b"123-0-1-1", "fields: 4 fields in \"123-0-1-1\"; send three: ID ALARM1 ALARM2"),
        (b"123 0 1 2 3 4", "fields: 6 fields in \"123 0 1 2 3 4\"; send three: ID ALARM1 ALARM2"),
        (
            b"123-0 1",
            "separator: cannot tell the fields of \"123-0 1\" apart; separate them by blanks, or by one dash each",
        ),
        (
            b"123 0-1",
            "separator: cannot tell the fields of \"123 0-1\" apart; separate them by blanks, or by one dash each",
        ),
        (
            b"123--0-1",
            "separator: cannot tell the fields of \"123--0-1\" apart; separate them by blanks, or by one dash each",
        ),
        (b"-5 0 1", "station_id: station id \"-5\" is not a whole number from 0 to 9223372036854775807"),
        (b"-5-0-1", "station_id: station id \"-5-0-1\" is not a whole number from 0 to 9223372036854775807"),
        (
            b"9223372036854775808 0 1",
            "station_id: station id \"9223372036854775808\" is not a whole number from 0 to 9223372036854775807",
        ),
        (
            b"00000000000000000001 0 1",
            "station_id: station id \"00000000000000000001\" is not a whole number from 0 to 9223372036854775807",
        ),
        (
            b"1'; DROP TABLE station_status; -- 0 1",
            "station_id: station id \"1\\';\" is not a whole number from 0 to 9223372036854775807",
        ),
        (b"123 2 1", "alarm: alarm1 is \"2\"; send 0 (off) or 1 (on)"),
        (b"123 00 1", "alarm: alarm1 is \"00\"; send 0 (off) or 1 (on)"),
        (b"123-0-x", "alarm: alarm2 is \"x\"; send 0 (off) or 1 (on)"),
        (
            b"123 -1 0",
            "separator: cannot tell the fields of \"123 -1 0\" apart; separate them by blanks, or by one dash each",
        ),
        (b"123 0 1\r\r", "alarm: alarm2 is \"1\\r\"; send 0 (off) or 1 (on)"),
        (
            b"123 0 1 t=1700000000",
            "reserved: field \"t=1700000000\" is reserved for a later version; send ID ALARM1 ALARM2 alone",
        ),
        (b"123 0 1 T=5", "fields: 4 fields in \"123 0 1 T=5\"; send three: ID ALARM1 ALARM2"),
        (b"123 0 1 t=", "fields: 4 fields in \"123 0 1 t=\"; send three: ID ALARM1 ALARM2"),
        (b"12\x003 0 1", "binary: byte 0x00 in column 3 is not text; closing the connection (closes)"),
        ("１23 0 1".as_bytes(), "binary: byte 0xef in column 1 is not text; closing the connection (closes)"),
        (
            b"GET / HTTP/1.1\r",
            "http: this port is for stations, not for HTTP; closing the connection (closes)",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01",
            "tls: this port speaks plain text, not TLS; closing the connection (closes)",
        ),
        (b"\x16 0 1", "station_id: station id \"\\x16\" is not a whole number from 0 to 9223372036854775807"),
        (
            b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0 1",
            "station_id: station id \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" is not a whole number from 0 to 9223372036854775807",
        ),
    ];
    for (line, expected) in table {
        assert_eq!(answer(line), *expected, "the line \"{}\"", line.escape_ascii());
    }
}

/// Feeds `pieces` to a new connection, with a quiet pause after each `|`.
fn conversation(pieces: &[&[u8]], end: Option<End>) -> Vec<String> {
    let mut lines = Lines::new(32);
    let mut held = Vec::new();
    let mut answers = Vec::new();
    let tell = |result: Result<Report, Refusal>| {
        result.map_or_else(|refusal| format!("ERR {}", refusal.code()), |report| report.to_string())
    };
    for piece in pieces {
        if *piece == b"|" {
            let mut bytes = held.as_slice();
            let awaited = lines.awaits_quiet(bytes);
            let taken = lines.quiet(&mut bytes);
            assert_eq!(awaited, taken.is_some());
            answers.extend(taken.map(|report| format!("{report} (quiet)")));
            held = bytes.to_vec();
            continue;
        }
        held.extend_from_slice(piece);
        let mut bytes = held.as_slice();
        while let Some(result) = lines.next(&mut bytes) {
            answers.push(tell(result));
        }
        held = bytes.to_vec();
    }
    if let Some(end) = end {
        answers.extend(lines.end(&mut held.as_slice(), end).map(tell));
    }
    answers
}

#[test]
fn a_connection_without_a_newline_is_served() {
    let served = |pieces: &[&[u8]], end| conversation(pieces, end).join(", ");
    assert_eq!(served(&[b"123-0-1", b"|"], None), "123 0 1 (quiet)");
    assert_eq!(served(&[b"123-0-1", b"|", b"123-1-1", b"|"], None), "123 0 1 (quiet), 123 1 1 (quiet)");
    assert_eq!(served(&[b"123 0 ", b"|", b"1 ", b"|"], None), "123 0 1 (quiet)");
    assert_eq!(served(&[b"123 0 1"], Some(End::Orderly)), "123 0 1");
    assert_eq!(served(&[b"123 0 1"], Some(End::Reset)), "123 0 1");
    assert_eq!(served(&[b"123 0"], Some(End::Orderly)), "ERR fields");
    assert_eq!(served(&[b"123 0"], Some(End::Reset)), "");
    assert_eq!(served(&[b"123 0", b"|"], None), "");
}

#[test]
fn a_late_line_end_belongs_to_the_report_before() {
    let served = |pieces: &[&[u8]], end| conversation(pieces, end).join(", ");
    assert_eq!(served(&[b"1 0 1", b"|", b"\n", b"2 0 1", b"|"], Some(End::Reset)), "1 0 1 (quiet)");
    assert_eq!(served(&[b"1 0 1", b"|", b" \r", b"\n2 0 1\n"], None), "1 0 1 (quiet), 2 0 1");
    assert_eq!(served(&[b"1 0 1", b"|", b"\n\n"], None), "1 0 1 (quiet), ERR empty");
    assert_eq!(served(&[b"1 0 1", b"|", b" \r\n"], Some(End::Orderly)), "1 0 1 (quiet)");
    assert_eq!(served(&[b"1 0 1", b"|", b" "], Some(End::Orderly)), "1 0 1 (quiet)");
}

#[test]
fn after_the_first_newline_only_a_newline_or_an_orderly_end_completes_a_line() {
    let served = |pieces: &[&[u8]], end| conversation(pieces, end).join(", ");
    assert_eq!(served(&[b"1 0 1\n2 0 1", b"|"], None), "1 0 1");
    assert_eq!(served(&[b"1 0 1\n2 0 1", b"|", b"\n"], None), "1 0 1, 2 0 1");
    assert_eq!(served(&[b"1 0 1\n2 0 1"], Some(End::Orderly)), "1 0 1, 2 0 1");
    assert_eq!(served(&[b"1 0 1\n2 0 1"], Some(End::Reset)), "1 0 1");
}

#[test]
fn a_line_may_have_as_many_bytes_as_the_limit_and_no_more() {
    let line = |blanks: usize| [b"1 0 1".as_slice(), &vec![b' '; blanks], b"\n"].concat();
    assert_eq!(conversation(&[&line(27)], None), ["1 0 1"]);
    assert_eq!(conversation(&[&line(28)], None), ["ERR line_too_long"]);
    assert_eq!(conversation(&[&[b'7'; 33]], None), ["ERR line_too_long"]);
    assert_eq!(conversation(&[&[b'7'; 32]], None), [""; 0]);
}

#[test]
fn good_lines_around_a_bad_one_are_taken_and_nothing_after_one_that_closes() {
    assert_eq!(conversation(&[b"1 0 1\nx\n2 0 1\n"], None), ["1 0 1", "ERR station_id", "2 0 1"]);
    assert_eq!(conversation(&[b"1 0 1\nGET / HTTP/1.0\n2 0 1\n"], None), ["1 0 1", "ERR http"]);
    assert_eq!(conversation(&[b"1 0 1\n\x16\x03\x01"], None), ["1 0 1", "ERR tls"]);
}

#[test]
fn a_reply_is_read_back() {
    let mut bytes = Vec::new();
    Refusal::Empty.write_reply(&mut bytes);
    let Some(Reply::Refused { code, sentence }) = Reply::parse(&bytes) else { panic!("not read back") };
    assert_eq!((code.as_str(), sentence.as_str()), ("empty", "the line is empty; send ID ALARM1 ALARM2"));
    assert_eq!(Reply::parse(OK_LINE), Some(Reply::Ok));
    assert_eq!(Reply::parse(b"HTTP/1.1 400 Bad Request\r\n"), None);
    assert_eq!(Reply::parse(b"ERR alarm \x1b[2J\n"), None, "nothing that a terminal would obey");
}

#[test]
fn the_station_of_a_refused_line_is_known_if_it_begins_with_one() {
    for (line, station) in [
        ("123 0 2", Some(123)),
        (" 7-0-on", Some(7)),
        ("5\t1", Some(5)),
        ("123", None),
        ("123x 0 0", None),
        ("-5 0 0", None),
        ("99999999999999999999 0 0", None),
        ("GET / HTTP/1.1", None),
        ("", None),
    ] {
        assert_eq!(station_of(line.as_bytes()).map(StationId::get), station, "{line}");
    }
}

#[test]
fn every_code_is_listed_once() {
    let excerpt = Excerpt::new(b"x");
    let station_id = StationId::MAX;
    let all = [
        Refusal::Empty,
        Refusal::Fields { found: 2, line: excerpt },
        Refusal::Separator { line: excerpt },
        Refusal::StationId { field: excerpt },
        Refusal::Alarm { number: 1, field: excerpt },
        Refusal::Reserved { field: excerpt },
        Refusal::StationsMax { station_id, stations_max: 1 },
        Refusal::NotAllowed { station_id },
        Refusal::Binary { byte: 0, column: 1 },
        Refusal::Http,
        Refusal::Tls,
        Refusal::LineTooLong { line_bytes_max: 1 },
    ];
    assert_eq!(all.map(|refusal| refusal.code()), Refusal::CODES);
}
