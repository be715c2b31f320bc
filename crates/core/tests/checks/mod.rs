//! What must hold for any bytes. The fuzz targets and the properties run the
//! same functions.

use waterwatch_core::wire::{self, End, Lines, Refusal, Reply};
use waterwatch_core::{Report, StationId};

/// Short enough that random bytes pass it now and then.
const LINE_BYTES_MAX: usize = 40;

/// One connection's bytes: however they are cut, the same reports and the
/// same refusals come out, never more than a line is held, and each refusal
/// is one reply line that a client can read.
pub fn any_bytes_however_cut(bytes: &[u8], cuts: &[usize]) {
    let whole = hear(bytes, &[], false);
    assert_eq!(hear(bytes, cuts, false), whole, "cut at {cuts:?}: \"{}\"", bytes.escape_ascii());
    // After the first newline a pause means nothing either.
    let mut line_mode = b"1 0 1\n".to_vec();
    line_mode.extend_from_slice(bytes);
    let shifted: Vec<usize> = cuts.iter().map(|cut| 6 + cut % (bytes.len() + 1)).collect();
    assert_eq!(hear(&line_mode, &shifted, true), hear(&line_mode, &[], false));
    for refusal in whole.iter().filter_map(|result| result.err()) {
        check_reply(&refusal);
    }
}

/// A line is a report exactly if the naive model says so, and the same one;
/// printed, it is read back.
pub fn one_line(line: &[u8]) {
    let parsed = wire::parse(line);
    assert_eq!(parsed.ok(), naive(line), "the line \"{}\"", line.escape_ascii());
    match parsed {
        Ok(report) => assert_eq!(wire::parse(report.to_string().as_bytes()), Ok(report)),
        Err(refusal) => check_reply(&refusal),
    }
}

/// What a connection with these bytes comes to. With `pauses`, nothing
/// follows for a while after each cut.
fn hear(bytes: &[u8], cuts: &[usize], pauses: bool) -> Vec<Result<Report, Refusal>> {
    let mut lines = Lines::new(LINE_BYTES_MAX);
    let mut held: Vec<u8> = Vec::new();
    let mut results = Vec::new();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut start = 0;
    for cut in cuts {
        held.extend_from_slice(&bytes[start..cut]);
        start = cut;
        let mut rest = held.as_slice();
        while let Some(result) = lines.next(&mut rest) {
            results.push(result);
            if result.is_err_and(|refusal| refusal.closes_connection()) {
                assert!(rest.is_empty());
                return results;
            }
        }
        assert!(rest.len() <= LINE_BYTES_MAX, "{} bytes are held", rest.len());
        if pauses {
            assert_eq!(lines.quiet(&mut rest), None);
        }
        held = rest.to_vec();
    }
    results.extend(lines.end(&mut held.as_slice(), End::Orderly));
    results
}

fn check_reply(refusal: &Refusal) {
    let mut reply = Vec::new();
    refusal.write_reply(&mut reply);
    assert!(reply.len() <= Reply::BYTES_MAX, "a reply of {} bytes", reply.len());
    assert_eq!(reply.pop(), Some(b'\n'));
    assert!(reply.iter().all(|byte| matches!(byte, b' '..=b'~')), "\"{}\"", reply.escape_ascii());
    let expected = Reply::Refused { code: refusal.code().to_owned(), sentence: refusal.to_string() };
    assert_eq!(Reply::parse(&reply), Some(expected));
}

/// The grammar once more, slowly and on purpose in other words.
fn naive(line: &[u8]) -> Option<Report> {
    let text = std::str::from_utf8(line).ok()?;
    let text = text.strip_suffix('\r').unwrap_or(text).trim_matches([' ', '\t']);
    let fields: Vec<&str> = if text.contains('-') {
        text.split('-').collect()
    } else {
        text.split([' ', '\t']).filter(|field| !field.is_empty()).collect()
    };
    let [id, alarm1, alarm2] = fields[..] else { return None };
    if id.is_empty() || id.len() > 19 || !id.chars().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let alarm = |field| match field {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    };
    Some(Report {
        station_id: StationId::new(id.parse().ok()?)?,
        alarm1: alarm(alarm1)?,
        alarm2: alarm(alarm2)?,
    })
}
