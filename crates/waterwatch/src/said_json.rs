//! What people say of a scope as JSON, both ways. Fields are known by what takes
//! them, so that there is no second list of them.

mod once;

use jiff::Timestamp;
use serde_json::{Map, Number, Value};
use waterwatch_core::alarm::Point;
use waterwatch_core::settings::{Said, ScopeSays, Told, Unfit, names_of_points};

pub use self::once::Object;

use crate::config::Range;
use crate::shown::time::rfc3339;
use crate::station_says::StationSays;

/// How much of a field that nobody knows is named.
const FIELD_CHARS_MAX: usize = 100;

/// A field that says what cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which: `points.alarm1.on_delay_s`, `allow_from[1]`.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

impl Misfit {
    fn new(field: impl Into<String>, why: impl Into<String>) -> Misfit {
        Misfit { field: field.into(), why: why.into() }
    }
}

/// What is said in one scope, field by field.
pub trait Says: Default {
    /// Takes what is said in a field.
    fn say(&mut self, field: &str, said: Said<'_>) -> Result<(), Unfit>;

    /// All that is said, by the same names.
    fn told(&self) -> Vec<(String, Told)>;
}

impl Says for StationSays {
    fn say(&mut self, field: &str, said: Said<'_>) -> Result<(), Unfit> {
        StationSays::say(self, field, said)
    }

    fn told(&self) -> Vec<(String, Told)> {
        StationSays::told(self)
    }
}

impl Says for ScopeSays {
    fn say(&mut self, field: &str, said: Said<'_>) -> Result<(), Unfit> {
        ScopeSays::say(self, field, said)
    }

    fn told(&self) -> Vec<(String, Told)> {
        ScopeSays::told(self)
    }
}

/// What an object says. A field that is null is as if it were left out.
///
/// # Errors
/// If there is no such field, or what is said cannot be meant.
pub fn said<T: Says>(body: &Map<String, Value>) -> Result<T, Misfit> {
    let mut says = T::default();
    for (name, value) in body {
        match (name.as_str(), value) {
            ("points", Value::Null) => {}
            ("points", Value::Object(points)) => {
                for (point, value) in points {
                    take_point(&mut says, point, value)?;
                }
            }
            ("points", _) => return Err(Misfit::new("points", "it must be an object")),
            (name, value) => take(&mut says, name.to_owned(), name, value)?,
        }
    }
    Ok(says)
}

/// What a value says in one field of a station; `None`: nothing, as an empty list does.
///
/// # Errors
/// If there is no such field, or what is said cannot be meant.
pub fn one(field: &str, value: &Value) -> Result<Option<Told>, Misfit> {
    let mut says = StationSays::default();
    let name = field.rsplit('.').next().unwrap_or(field);
    take(&mut says, field.to_owned(), name, value)?;
    Ok(Says::told(&says).into_iter().next().map(|(_, told)| told))
}

fn take_point<T: Says>(says: &mut T, point: &str, value: &Value) -> Result<(), Misfit> {
    if !Point::from_name(point).is_some_and(|point| Point::OF_STATION.contains(&point)) {
        let detail = format!("there is no such point; there are {}", names_of_points());
        return Err(Misfit::new(cut(&format!("points.{point}")), detail));
    }
    match value {
        Value::Null => Ok(()),
        Value::Object(fields) => fields
            .iter()
            .try_for_each(|(name, value)| take(says, format!("points.{point}.{name}"), name, value)),
        _ => Err(Misfit::new(format!("points.{point}"), "it must be an object")),
    }
}

/// Takes the value of one field, whose last name is `name`.
fn take<T: Says>(says: &mut T, field: String, name: &str, value: &Value) -> Result<(), Misfit> {
    // Also where it is null: whoever mistypes a field is told so.
    if let Err(unknown) = T::default().say(&field, Said::Flag(true))
        && unknown.is_unknown()
    {
        let detail = format!("there is no such field; there are {}", unknown.wanted);
        return Err(Misfit::new(cut(&field), detail));
    }
    if name.contains('.') {
        return Err(Misfit::new(cut(&field), "points are objects within `points`"));
    }
    let told = match (name, value) {
        (_, Value::Null) => return Ok(()),
        ("tags", Value::Array(words)) => list(&field, words, |word| {
            // Where they are stored they stand between commas.
            let is_fit = !word.contains(',') && !word.trim().is_empty();
            is_fit.then_some(()).ok_or_else(|| "it must not be blank or have a comma".to_owned())
        })?,
        ("allow_from", Value::Array(words)) => list(&field, words, |word| word.parse::<Range>().map(drop))?,
        ("tags" | "allow_from", _) => return Err(Misfit::new(field, "it must be an array of texts")),
        ("expected_by", value) => expected_by(value)?,
        ("enabled" | "latched", Value::Bool(flag)) => Told::Flag(*flag),
        ("enabled" | "latched", _) => return Err(Misfit::new(field, "it must be true or false")),
        (_, Value::Bool(flag)) => Told::Flag(*flag),
        (_, Value::String(text)) => Told::Text(text.clone()),
        (_, Value::Number(number)) => match whole(number) {
            Some(number) => Told::Number(number),
            None => return Err(Misfit::new(field, "it must be a whole number")),
        },
        (_, Value::Array(_) | Value::Object(_)) => {
            return Err(Misfit::new(field, "it must be no array and no object"));
        }
    };
    let said = match &told {
        Told::Flag(flag) => Said::Flag(*flag),
        Told::Number(number) => Said::Number(*number),
        Told::Text(text) => Said::Text(text),
    };
    says.say(&field, said).map_err(|unfit| match name {
        // Milliseconds are the database's.
        "expected_by" => Misfit::new(field, "it must be a time of this century, RFC 3339"),
        _ => Misfit::new(field, unfit.to_string()),
    })
}

/// Several words as the one text that takes them.
fn list(field: &str, words: &[Value], check: impl Fn(&str) -> Result<(), String>) -> Result<Told, Misfit> {
    let words = words.iter().enumerate().map(|(place, word)| {
        let checked = match word {
            Value::String(word) => check(word).map(|()| word.as_str()),
            _ => Err("it must be a text".to_owned()),
        };
        checked.map_err(|why| Misfit::new(format!("{field}[{place}]"), why))
    });
    let words: Vec<&str> = words.collect::<Result<_, _>>()?;
    Ok(Told::Text(words.join(", ")))
}

fn expected_by(value: &Value) -> Result<Told, Misfit> {
    let time = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let unfit = || Misfit::new("expected_by", "it must be a time, RFC 3339");
    time.map(|time| Told::Number(time.as_millisecond())).ok_or_else(unfit)
}

/// `7.0` is a whole number as well.
fn whole(number: &Number) -> Option<i64> {
    let exact = -9_007_199_254_740_992.0..9_007_199_254_740_992.0;
    let fraction = || number.as_f64().filter(|number| number.fract() == 0.0 && exact.contains(number));
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and within what is exact")]
    number.as_i64().or_else(|| fraction().map(|number| number as i64))
}

fn cut(field: &str) -> String {
    field.chars().take(FIELD_CHARS_MAX).collect()
}

/// All that is said, as [`said`] takes it.
#[must_use]
pub fn object<T: Says>(says: &T) -> Map<String, Value> {
    nested(says.told())
}

/// The same of what is told, or of a part of it.
#[must_use]
pub fn nested(told: Vec<(String, Told)>) -> Map<String, Value> {
    let mut object = Map::new();
    let mut points: Map<String, Value> = Map::new();
    for (field, told) in told {
        let value = value(&field, told);
        match of_point(&field) {
            Some((point, name)) => {
                let fields = points.entry(point).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(fields) = fields {
                    fields.insert(name.to_owned(), value);
                }
            }
            None => drop(object.insert(field, value)),
        }
    }
    if !points.is_empty() {
        object.insert("points".to_owned(), Value::Object(points));
    }
    object
}

/// Which point a field is of, and its name there, if it is of one.
#[must_use]
pub fn of_point(field: &str) -> Option<(&str, &str)> {
    field.strip_prefix("points.").and_then(|field| field.split_once('.'))
}

/// What a field says, as JSON.
#[must_use]
pub fn value(field: &str, told: Told) -> Value {
    match (field, told) {
        ("tags" | "allow_from", Told::Text(words)) => words.split(", ").collect(),
        ("expected_by", Told::Number(ms)) => rfc3339(ms).map_or(Value::Null, |time| time.to_string().into()),
        (_, Told::Flag(flag)) => flag.into(),
        (_, Told::Number(number)) => number.into(),
        (_, Told::Text(text)) => text.into(),
    }
}
