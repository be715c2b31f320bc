//! Rows of JSON: an array of objects, or objects one behind the other.

use serde_json::{Deserializer, Map, Value};
use waterwatch_core::StationId;
use waterwatch_core::settings::Told;

use super::input::{Bad, Row, station};
use crate::commands::station::change::Wanted;
use crate::commands::station::fields::{field, short};
use crate::said_json::{self, Object};
use crate::station_says::StationSays;

/// Sees each object, with where it begins. What is no JSON is the last that is seen.
pub(super) fn each(text: &str, see: &mut impl FnMut(usize, Result<Row, Bad>)) {
    let mut at = blank(text, 0);
    let is_array = text[at..].starts_with('[');
    if is_array {
        at = blank(text, at + 1);
    }
    let ends = |at: usize| if is_array { text[at..].starts_with(']') } else { at == text.len() };
    let mut is_first = true;
    while !ends(at) {
        if is_array && !is_first {
            match text[at..].strip_prefix(',') {
                Some(_) => at = blank(text, at + 1),
                None => return see(at, Err(Bad::new(None, "there must be a comma or the end of the array"))),
            }
        }
        is_first = false;
        match object(text, at) {
            Ok((object, end)) => {
                see(at, row(&object));
                at = blank(text, end);
            }
            Err(bad) => return see(at, Err(bad)),
        }
    }
    let end = if is_array { blank(text, at + 1) } else { at };
    if end < text.len() {
        see(end, Err(Bad::new(None, "there is something behind the array")));
    }
}

/// The row that begins there.
pub(super) fn row_at(text: &str, at: usize) -> Result<Row, Bad> {
    object(text, at).and_then(|(object, _)| row(&object))
}

/// Where what is not blank begins.
fn blank(text: &str, at: usize) -> usize {
    let blanks = text.bytes().skip(at).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    at + blanks.count()
}

/// The object that begins there, and where it ends.
fn object(text: &str, at: usize) -> Result<(Map<String, Value>, usize), Bad> {
    if !text[at..].starts_with('{') {
        return Err(Bad::new(
            None,
            "there must be an object, as `waterwatch station export --format json` has it",
        ));
    }
    let mut objects = Deserializer::from_str(&text[at..]).into_iter::<Object>();
    match objects.next() {
        Some(Ok(Object(object))) => Ok((object, at + objects.byte_offset())),
        // It counts lines from the beginning of the object.
        Some(Err(error)) => {
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            let behind = match error.line() {
                0 | 1 => String::new(),
                line => format!(" ({} lines further)", line - 1),
            };
            let what = if error.is_data() { "" } else { "it is no JSON: " };
            Err(Bad::new(None, format!("{what}{why}{behind}")))
        }
        None => Err(Bad::new(None, "it is no JSON")),
    }
}

fn row(object: &Map<String, Value>) -> Result<Row, Bad> {
    let mut row = Row::of(whose(object)?);
    for (name, value) in object.iter().filter(|(name, _)| !matches!(name.as_str(), "station_id" | "id")) {
        take(&mut row, name, value)?;
    }
    Ok(row)
}

/// Which station an object is about, by either of its names.
fn whose(object: &Map<String, Value>) -> Result<StationId, Bad> {
    if let Some(exact) = exact(object) {
        return Ok(exact);
    }
    let mut whose = None;
    for name in ["station_id", "id"] {
        let text = match object.get(name) {
            None => continue,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let station = station(&text).map_err(|why| Bad::new(Some(name), why))?;
        if whose.is_some_and(|whose| whose != station) {
            return Err(Bad::new(Some(name), "station_id and id are not the same"));
        }
        whose = Some(station);
    }
    whose.ok_or_else(|| Bad::new(Some("station_id"), "it is missing"))
}

/// The `id`, a text, where `station_id` is only what is left of it in a program whose
/// numbers are no longer exact from 2^53 on.
fn exact(object: &Map<String, Value>) -> Option<StationId> {
    const INEXACT_FROM: f64 = 9_007_199_254_740_992.0;
    let Some(Value::Number(rounded)) = object.get("station_id") else { return None };
    let id = station(object.get("id")?.as_str()?).ok()?;
    let rounded = rounded.as_f64()?;
    let same: f64 = id.to_string().parse().ok()?;
    (rounded >= INEXACT_FROM && rounded.to_bits() == same.to_bits()).then_some(id)
}

/// What is said of `name`, which is a field or what several begin with; null says that
/// nothing is any more.
fn take(row: &mut Row, name: &str, value: &Value) -> Result<(), Bad> {
    let is_above = matches!(name.strip_prefix("points"), Some(rest) if rest.matches('.').count() < 2);
    let inner = format!("{name}.");
    let is_known = || StationSays::fields().iter().any(|field| field.starts_with(&inner));
    match value {
        Value::Object(_) | Value::Null if is_above && !is_known() => Err(Bad::new(
            Some(short(name)),
            "there is no such point; there are alarm1, alarm2, comms, identity",
        )),
        Value::Object(fields) if is_above => {
            fields.iter().try_for_each(|(field, value)| take(row, &format!("{inner}{field}"), value))
        }
        Value::Null if is_above => {
            let mut fields = StationSays::fields().into_iter().filter(|field| field.starts_with(&inner));
            fields.try_for_each(|field| want(row, field, None))
        }
        value => {
            let field = field(name).map_err(|why| Bad::new(Some(short(name)), why))?;
            let to = said_json::one(&field, value)
                .map_err(|misfit| Bad::new(Some(short(&misfit.field)), misfit.why))?;
            want(row, field, to)
        }
    }
}

/// Has a field said, which may be written in several ways, but once.
fn want(row: &mut Row, field: String, to: Option<Told>) -> Result<(), Bad> {
    if row.wanted.iter().any(|wanted| wanted.field == field) {
        return Err(Bad::new(Some(short(&field)), "it is there twice"));
    }
    row.wanted.push(Wanted { field, to });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Result<(i64, Vec<String>), String>> {
        let mut rows = Vec::new();
        each(text, &mut |at, row| {
            if let Ok(row) = &row {
                assert_eq!(row_at(text, at).as_ref(), Ok(row), "read again");
            }
            let wanted = |wanted: &Wanted| {
                let to = wanted.to.as_ref().map_or("unset".to_owned(), ToString::to_string);
                format!("{} {to}", short(&wanted.field))
            };
            let row = row.map_err(|bad| bad.to_string());
            rows.push(row.map(|row| (row.station.get(), row.wanted.iter().map(wanted).collect())));
        });
        rows
    }

    #[test]
    fn objects_are_read_from_an_array_or_one_behind_the_other() {
        let first = r#"{"station_id": 7, "id": "7", "name": "North", "points": {"alarm1": {"on_delay_s": 5, "label": null}}}"#;
        let second = "{\"id\": \"9223372036854775807\",\n \"tags\": [\"a\", \"b\"], \"area\": null}";
        let wanted: [Result<(i64, Vec<String>), String>; 2] = [
            Ok((7, vec!["name \"North\"".into(), "alarm1.on_delay_s 5".into(), "alarm1.label unset".into()])),
            Ok((i64::MAX, vec!["tags \"a, b\"".into(), "area unset".into()])),
        ];
        for text in
            [format!(" [{first} ,\n{second}]\n"), format!("{first}\n{second}\n"), format!("{first}{second}")]
        {
            let sorted = rows(&text).into_iter().zip(&wanted).all(|(row, wanted)| {
                let sort = |row: &(i64, Vec<String>)| {
                    let mut row = row.clone();
                    row.1.sort();
                    row
                };
                row.as_ref().map(sort).ok() == wanted.as_ref().map(sort).ok()
            });
            assert!(sorted, "{:?}", rows(&text));
        }
        assert_eq!(rows("[]"), []);
        assert_eq!(rows(r#"[{"id": 7, "points": {"comms": null}}]"#)[0].as_ref().unwrap().1.len(), 10);
    }

    #[test]
    fn what_a_program_has_rounded_goes_by_its_id() {
        for (rounded, id) in [
            ("9007199254740992", 9_007_199_254_740_993),
            ("9223372036854776000", i64::MAX),
            ("9.223372036854776e18", i64::MAX),
            ("9223372036854775807", i64::MAX),
        ] {
            let text = format!(r#"{{"station_id": {rounded}, "id": "{id}", "name": "x"}}"#);
            assert_eq!(rows(&text), [Ok((id, vec!["name \"x\"".to_owned()]))], "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        for (text, complaint) in [
            ("[1]", "there must be an object"),
            ("[{\"id\": 7} {\"id\": 8}]", "there must be a comma"),
            ("[{\"id\": 7}] x", "there is something behind"),
            ("[{\"id\": 7,\n \"name\": \"x]", "it is no JSON: EOF while parsing a string (1 lines further)"),
            ("{\"name\": \"x\"}", "station_id: it is missing"),
            ("{\"id\": 7, \"station_id\": 8}", "id: station_id and id are not the same"),
            (
                "{\"id\": 7, \"name\": \"x\",\n \"name\": \"y\"}",
                "the field \"name\" is there twice (1 lines further)",
            ),
            (
                "{\"id\": 7, \"points\": {\"alarm1\": {\"label\": \"x\", \"label\": \"x\"}}}",
                "the field \"label\" is",
            ),
            ("{\"id\": 7, \"Name\": \"x\", \"name\": \"y\"}", "name: it is there twice"),
            ("{\"id\": 7, \"alarm1.label\": \"x\", \"points\": null}", "alarm1.label: it is there twice"),
            (
                "{\"id\": 7, \"points\": {\"alarm9\": null}}",
                "alarm9: there is no such point; there are alarm1, ",
            ),
            ("{\"id\": 7, \"points\": {\"alarm9\": {}}}", "alarm9: there is no such point"),
            (
                "{\"station_id\": 9223372036854775807, \"id\": \"7\"}",
                "id: station_id and id are not the same",
            ),
            ("{\"station_id\": 8, \"id\": \"7\"}", "id: station_id and id are not the same"),
            ("{\"station_id\": 9223372036854776000}", "station_id: \"9223372036854776000\" is"),
            ("{\"id\": 1.5}", "id: \"1.5\" is what a spreadsheet"),
            ("{\"id\": 7, \"nmae\": \"x\"}", "nmae: there is no setting \"nmae\"; did you mean name?"),
            ("{\"id\": 7, \"period_s\": \"60\"}", "period_s: period_s is the text \"60\"; it must be"),
            ("{\"id\": 7, \"points\": {\"alarm1\": {\"label\": {}}}}", "alarm1.label: it must be no array"),
        ] {
            let rows = rows(text);
            let said = rows.last().unwrap().as_ref().unwrap_err();
            assert!(said.starts_with(complaint), "{text}: {said}");
        }
    }
}
