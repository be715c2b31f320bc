//! Looking through a whole configuration file: all that is wrong with it, each with its
//! place.

use std::ops::Range;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use waterwatch_core::calling::Plan;

use super::fields::meant;
use super::problem::{Problems, Severity, Told};
use super::{Config, File, OutOfRange, ServeOptions, calling, read_text, time_zone};

/// All that is wrong with a file, and what may not be as it was meant, at this moment.
///
/// # Errors
/// If the file cannot be read.
pub fn check(path: &Path, now: Timestamp) -> anyhow::Result<Told> {
    let text = read_text(path)?;
    let problems = Problems::default();
    let (table, unreadable) = DeTable::parse_recoverable(&text);
    for error in &unreadable {
        problems.error(error.span(), sentence(error.message()));
    }
    if unreadable.is_empty() {
        let table = table.get_ref();
        let zone = the_rest(path, &text, table, &problems);
        let plan = calling::read(table, &zone.unwrap_or(TimeZone::UTC), &problems);
        if !problems.has_error() {
            calling::warn(&plan, table, now, &problems);
        }
    }
    Ok(problems.into_told(path, &text))
}

/// What a file says of calling, read again.
///
/// # Errors
/// If it cannot be read; all that is wrong with that part, as [`Told`].
pub fn plan_of(path: &Path, zone: &TimeZone) -> anyhow::Result<Plan> {
    plan(path, &read_text(path)?, zone)
}

/// What a file says of calling.
///
/// # Errors
/// All that is wrong with that part, as [`Told`].
pub(super) fn plan(path: &Path, text: &str, zone: &TimeZone) -> anyhow::Result<Plan> {
    let problems = Problems::default();
    let plan = calling::read(DeTable::parse(text)?.get_ref(), zone, &problems);
    if problems.has_error() {
        return Err(problems.into_told(path, text).into());
    }
    Ok(plan)
}

/// What is wrong with all but calling: the first such thing. Gives the zone that the file
/// names.
fn the_rest(path: &Path, text: &str, table: &DeTable<'_>, problems: &Problems) -> Option<TimeZone> {
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            problems.error(error.span(), sentence(error.message()));
            return None;
        }
    };
    let zone = match time_zone(file.time_zone.as_deref()) {
        Ok(zone) => Some(zone),
        Err(error) => {
            problems.error(place_of(table, &["time_zone"]), format!("{error}"));
            return None;
        }
    };
    let options = ServeOptions { config: Some(path.to_owned()), ..ServeOptions::default() };
    if let Err(error) = Config::load(options)
        // That is found below, all of it.
        && error.downcast_ref::<Told>().is_none()
    {
        let place = error.downcast_ref::<OutOfRange>().and_then(|wrong| {
            ["limits", "fleet"].iter().find_map(|part| place_of(table, &[part, wrong.key]))
        });
        problems.error(place, format!("{error:#}"));
    }
    zone
}

/// Where the value of a key is.
fn place_of(table: &DeTable<'_>, keys: &[&str]) -> Option<Range<usize>> {
    let (key, inner) = keys.split_first()?;
    let value: &Spanned<DeValue<'_>> = table.get(*key)?;
    match (inner, value.get_ref()) {
        ([], _) => Some(value.span()),
        (inner, DeValue::Table(table)) => place_of(table, inner),
        _ => None,
    }
}

/// What is said of a key that nobody knows, in a sentence; all else as it is.
fn sentence(message: &str) -> String {
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected "));
    let Some((name, known)) = unknown else { return message.trim().replace('\n', "; ") };
    let known = known.strip_prefix("one of ").unwrap_or(known);
    let known = known.split([',', ' ']).map(|name| name.trim_matches('`')).filter(|name| !name.is_empty());
    format!("there is no key {name}{}", meant(name, known.filter(|name| *name != "or")))
}

/// Whether the server would take the file.
#[must_use]
pub fn is_taken(told: &Told) -> bool {
    told.count(Severity::Error) == 0
}

#[cfg(test)]
mod tests;
