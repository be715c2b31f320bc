//! What is wrong with a field, in words for people: what reads JSON and queries speaks
//! of types that only programmers know.

use super::problem::{Kind, Problem};

/// A field that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Where it is, as far as is known.
    pub(super) field: Option<String>,
    /// What it is, and what it must be.
    pub(super) detail: String,
}

/// How much of a field's place is named: whoever nests a thousand arrays knows
/// where.
const FIELD_CHARS_MAX: usize = 100;

/// The same as a problem.
pub(super) fn unfit(path: &str, message: &str) -> Problem {
    let Wrong { field, detail } = of_field(path, message);
    match field {
        Some(field) => Problem::unfit(field.chars().take(FIELD_CHARS_MAX).collect::<String>(), detail),
        None => Problem::new(Kind::Unfit, detail),
    }
}

/// Says what `message` of serde says of what is at `path`; what our own readers say is
/// for people already.
pub(super) fn of_field(path: &str, message: &str) -> Wrong {
    let message = without_place(message);
    let named = |name: &str| match path {
        "" | "." => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    if let Some(name) = message.strip_prefix("missing field ").and_then(quoted) {
        return Wrong { field: Some(named(name)), detail: "it is missing".to_owned() };
    }
    if let Some(name) = message.strip_prefix("duplicate field ").and_then(quoted) {
        let field = if ends_with(path, name) { path.to_owned() } else { named(name) };
        return Wrong { field: Some(field), detail: "it is there twice; say it once".to_owned() };
    }
    if let Some((name, known)) = unknown(message) {
        let field = if ends_with(path, name) { path.to_owned() } else { named(name) };
        return Wrong { field: Some(field), detail: format!("there is no such field{known}") };
    }
    let field = (!matches!(path, "" | ".")).then(|| path.to_owned());
    Wrong { field, detail: of_value(message) }
}

/// ` at line 1 column 5`: the field says where.
fn without_place(message: &str) -> &str {
    match message.rsplit_once(" at line ") {
        Some((message, place)) if place.split(" column ").all(is_number) => message,
        _ => message,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn ends_with(path: &str, name: &str) -> bool {
    path == name || path.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
}

/// The name in `` `name` ``.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.strip_suffix('`')
}

/// `` unknown field `x`, expected one of `a`, `b` ``: its name, and which there are.
fn unknown(message: &str) -> Option<(&str, String)> {
    let rest = message.strip_prefix("unknown field `")?;
    // A name may have whatever letters; what is expected has not.
    match rest.rsplit_once("`, expected ") {
        Some((name, known)) => {
            let known = known.strip_prefix("one of ").unwrap_or(known).replace('`', "");
            Some((name, format!("; there are {}", known.replace(" or ", " and "))))
        }
        None => rest.rsplit_once("`, ").map(|(name, _)| (name, String::new())),
    }
}

fn of_value(message: &str) -> String {
    if let Some((is, wanted)) = mismatch(message, "invalid type: ") {
        return format!("it is {}; it must be {}", given(is), must_be(wanted));
    }
    if let Some((_, wanted)) = mismatch(message, "invalid length ") {
        return format!("it is an array; it must be {}", must_be(wanted));
    }
    if let Some((_, wanted)) = mismatch(message, "invalid value: ") {
        return format!("it must be {}", must_be(wanted));
    }
    match message {
        "invalid digit found in string"
        | "cannot parse integer from empty string"
        | "number too large to fit in target type"
        | "number too small to fit in target type" => {
            "it must be a whole number, and not too large".to_owned()
        }
        "provided string was not `true` or `false`" => "it must be true or false".to_owned(),
        ours => ours.to_owned(),
    }
}

/// What is and what is wanted, of a message of this kind. A text may say whatever it
/// likes; what is wanted comes last.
fn mismatch<'a>(message: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    message.strip_prefix(kind)?.rsplit_once(", expected ")
}

/// What there is, by the name that serde gives it; of a text no more is repeated.
fn given(is: &str) -> &'static str {
    let kinds = [
        ("map", "an object"),
        ("sequence", "an array"),
        ("null", "null"),
        ("unit value", "null"),
        ("Option value", "null"),
        ("string", "a text"),
        ("character", "a text"),
        ("integer", "a whole number"),
        ("floating point", "a number with a fraction"),
        ("number", "a number"),
        ("boolean", "true or false"),
    ];
    kinds.into_iter().find(|(kind, _)| is.starts_with(kind)).map_or("something else", |(_, words)| words)
}

fn must_be(wanted: &str) -> &'static str {
    match wanted {
        "a string" | "a borrowed string" | "a character" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "an object",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative, and not too large",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number, and not too large",
        "f32" | "f64" => "a number",
        wanted if wanted.starts_with("struct ") || wanted.starts_with("field ") => "an object",
        _ => "what /api/v1/openapi.json says",
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::web::body::read;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is read and thrown away")]
    struct Order {
        name: String,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<i64>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is read and thrown away")]
    struct Inner {
        count: u16,
        is: bool,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    fn said<T: DeserializeOwned>(body: &str) -> String {
        let problem = read::<T>(body.as_bytes()).err().expect("it is wrong");
        let problem = serde_json::to_value(&problem).unwrap();
        format!("{}: {}", problem["field"].as_str().unwrap_or("-"), problem["detail"].as_str().unwrap())
    }

    #[test]
    fn what_is_wrong_is_said_for_people() {
        let lines = [
            "{}",
            r#"{"name": 5}"#,
            r#"{"name": {}}"#,
            r#"{"name": null}"#,
            r#"{"name": "a", "name": "b"}"#,
            r#"{"name": "a", "other": 1}"#,
            r#"{"name": "a", "`, expected x": 1}"#,
            r#"{"name": "a", "inner": []}"#,
            r#"{"name": "a", "inner": 7}"#,
            r#"{"name": "a", "inner": {"count": -1}}"#,
            r#"{"name": "a", "inner": {"count": 1.5}}"#,
            r#"{"name": "a", "inner": {"count": 1, "is": "yes, expected no"}}"#,
            r#"{"name": "a", "inner": {"count": 1, "it": true}}"#,
            r#"{"name": "a", "inner": {"count": 1}}"#,
            r#"{"name": "a", "list": {}}"#,
            r#"{"name": "a", "list": [1, "2"]}"#,
            r#""name""#,
        ]
        .map(|body| format!("{body}\n    {}", said::<Order>(body)));
        insta::assert_snapshot!(lines.join("\n"));
        assert_eq!(said::<Nothing>(r#"{"x": 1}"#), "x: there is no such field");
    }

    #[test]
    fn what_is_ours_is_left_as_it_is() {
        let ours = "it must be a whole number, or a text with one";
        let wrong = of_field("[3].station_id", &format!("{ours} at line 1 column 5"));
        assert_eq!(wrong, Wrong { field: Some("[3].station_id".to_owned()), detail: ours.to_owned() });
        assert_eq!(
            of_field("limit", "invalid digit found in string").detail,
            "it must be a whole number, and not too large"
        );
    }
}
