//! The settings of a station as people write them: `name`, `period_s`, `alarm1.label`, at a
//! terminal and in the columns of a spreadsheet.

use jiff::Timestamp;
use waterwatch_core::settings::{Said, Told};

use crate::said_json;
use crate::shown::time::{parse_moment, rfc3339};
use crate::station_says::StationSays;

/// What stands before the name of a point where fields are stored.
const POINTS: &str = "points.";

/// How unlike a word may be to what it is taken for, in letters that differ: one of so
/// many, and one in a word that has fewer.
const LETTERS_A_SLIP: usize = 3;

/// The same, however long it is.
const SLIPS_MAX: usize = 4;

/// A field as people write it.
pub(super) fn short(field: &str) -> &str {
    field.strip_prefix(POINTS).unwrap_or(field)
}

/// Whether a column of that name says which station a row is about.
pub(super) fn is_station(name: &str) -> bool {
    ["station_id", "id"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The field that people call so, in capitals or not.
///
/// # Errors
/// If there is none: it names the one that was meant, as far as can be guessed.
pub(super) fn field(name: &str) -> Result<String, String> {
    let fields = StationSays::fields();
    let is_called =
        |field: &&String| short(field).eq_ignore_ascii_case(name) || field.eq_ignore_ascii_case(name);
    if let Some(known) = fields.iter().find(is_called) {
        return Ok(known.clone());
    }
    let shown = cut(name);
    // No longer than any field, and some slips.
    let written: String = name.chars().take(60).collect::<String>().to_ascii_lowercase();
    let slips_max = (written.chars().count() / LETTERS_A_SLIP).clamp(1, SLIPS_MAX);
    let unlike = |field: &str| strsim::damerau_levenshtein(short(field), &written);
    let nearest = fields.iter().min_by_key(|field| unlike(field)).filter(|field| unlike(field) <= slips_max);
    Err(match nearest {
        Some(nearest) => format!("there is no setting \"{shown}\"; did you mean {}?", short(nearest)),
        None => {
            let names: Vec<&str> = fields.iter().map(|field| short(field)).collect();
            format!("there is no setting \"{shown}\"; there are {}", names.join(", "))
        }
    })
}

/// What a text says in a field, judged by the same limits as everywhere.
///
/// # Errors
/// If it cannot be meant.
pub(super) fn read(field: &str, text: &str) -> Result<Told, String> {
    let text = text.trim();
    let told = match kind(field) {
        Kind::Flag => match text.to_ascii_lowercase().as_str() {
            // A German spreadsheet writes them in its own words.
            "true" | "1" | "wahr" => Told::Flag(true),
            "false" | "0" | "falsch" => Told::Flag(false),
            _ => return Err(format!("\"{}\" is neither true nor false", cut(text))),
        },
        Kind::Number => match text.parse() {
            Ok(number) => Told::Number(number),
            Err(_) => return Err(format!("\"{}\" is no whole number", cut(text))),
        },
        Kind::Time => Told::Number(parse_moment(text)?.as_millisecond()),
        Kind::Word => Told::Text(text.to_ascii_lowercase()),
        Kind::Text => Told::Text(text.to_owned()),
    };
    let mut says = StationSays::default();
    says.say(field, said(&told)).map_err(|unfit| match kind(field) {
        Kind::Time => format!("\"{}\" is no time of this century", cut(text)),
        _ => format!("{} is not allowed; it must be {}", unfit.said, unfit.wanted),
    })?;
    // As it is stored: without what is around it, lists with one blank. An empty list is
    // nothing.
    let stored = says.told().into_iter().next().map(|(_, told)| told);
    stored.ok_or_else(|| "it says nothing".to_owned())
}

/// The same as a text, which [`read`] reads.
pub(super) fn written(field: &str, told: &Told) -> String {
    match (kind(field), told) {
        (Kind::Time, Told::Number(ms)) => {
            rfc3339(*ms).map_or(String::new(), |time: Timestamp| time.to_string())
        }
        (_, Told::Flag(flag)) => flag.to_string(),
        (_, Told::Number(number)) => number.to_string(),
        (_, Told::Text(text)) => text.clone(),
    }
}

/// The same as JSON.
pub(super) fn value(field: &str, told: Option<&Told>) -> serde_json::Value {
    told.map_or(serde_json::Value::Null, |told| said_json::value(field, told.clone()))
}

/// What is told, to be said again.
pub(super) fn said(told: &Told) -> Said<'_> {
    match told {
        Told::Flag(flag) => Said::Flag(*flag),
        Told::Number(number) => Said::Number(*number),
        Told::Text(text) => Said::Text(text),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Flag,
    Number,
    Time,
    /// One of a closed set.
    Word,
    Text,
}

fn kind(field: &str) -> Kind {
    match field.rsplit('.').next().unwrap_or(field) {
        "enabled" | "latched" => Kind::Flag,
        "expected_by" => Kind::Time,
        "priority" => Kind::Word,
        "chatter_raises" | "respond_within_min" => Kind::Number,
        name if name.ends_with("_s") => Kind::Number,
        _ => Kind::Text,
    }
}

fn cut(text: &str) -> String {
    text.escape_debug().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field there is, with something in it.
    fn whole() -> StationSays {
        let mut says = StationSays::default();
        for field in StationSays::fields() {
            let any = [
                Said::Text("low"),
                Said::Text("10.0.0.7, 10.1.0.0/16"),
                Said::Flag(true),
                Said::Number(60),
                Said::Number(8),
                Said::Number(1_795_482_600_000),
            ];
            assert!(any.iter().any(|said| says.say(&field, *said).is_ok()), "{field}");
        }
        says
    }

    #[test]
    fn whatever_is_told_is_read_as_the_same_again() {
        let told = whole().told();
        let fields: Vec<&str> = told.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, StationSays::fields(), "each once, in their order");
        for (name, said) in &told {
            assert_eq!(field(short(name)).as_ref(), Ok(name));
            assert_eq!(read(name, &written(name, said)).as_ref(), Ok(said), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_told_in_words() {
        for (name, text, complaint) in [
            ("period_s", "1.5", "\"1.5\" is no whole number"),
            ("period_s", "0", "0 is not allowed; it must be a number from 1 to 604800"),
            ("alarm1.latched", "JA", "\"JA\" is neither true nor false"),
            ("alarm1.priority", "urgent", "the text \"urgent\" is not allowed; it must be "),
            ("expected_by", "1970-01-01", "\"1970-01-01\" is no time of this century"),
            ("expected_by", "soon", "\"soon\" is no time"),
            ("tags", ",", "it says nothing"),
        ] {
            let said = read(&field(name).unwrap(), text).unwrap_err();
            assert!(said.starts_with(complaint), "{said}");
        }
        assert_eq!(read("points.alarm1.priority", "HIGH"), Ok(Told::Text("high".to_owned())));
        assert_eq!(read("tags", " a,b "), Ok(Told::Text("a, b".to_owned())));
        assert_eq!(
            field("alarm1.lable").unwrap_err(),
            "there is no setting \"alarm1.lable\"; did you mean alarm1.label?"
        );
        assert!(
            field("comms.on_delay_s").unwrap_err().contains("; there are name, area, "),
            "it has no delays"
        );
        for name in ["foo", "port", "id", "colour of the door"] {
            let said = field(name).unwrap_err();
            assert!(said.contains("; there are name, area, "), "{said}");
        }
        for (name, meant) in
            [("Name", "name"), ("ALARM1.Label", "points.alarm1.label"), ("Period_S", "period_s")]
        {
            assert_eq!(field(name).as_deref(), Ok(meant));
        }
        assert!(field("Nmae").unwrap_err().ends_with("did you mean name?"));
        for (text, flag) in
            [("TRUE", true), ("Wahr", true), ("WAHR", true), ("False", false), ("FALSCH", false)]
        {
            assert_eq!(read("points.alarm1.latched", text), Ok(Told::Flag(flag)));
        }
    }
}
