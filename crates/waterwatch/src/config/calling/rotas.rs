//! `[rotas.NAME]`: contacts who take turns.

use std::collections::BTreeMap;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use waterwatch_core::calling::{
    Contact, ContactId, Cycle, Duty, HandOver, NOBODY, Rota, RotaId, TURNS_MAX, Turn,
};

use super::{known, zone};
use crate::config::fields::{Fields, Written};

/// How many there may be.
const ROTAS_MAX: usize = 100;

/// How long before a gap it is an alarm, if nobody says: time to find somebody.
const WARN_BEFORE_HOURS: i64 = 48;

/// The longest that makes sense: somebody who looks further ahead asks for it.
const WARN_BEFORE_HOURS_MAX: i64 = 24 * 60;

const HAND_OVER: &str = "\"Mon 08:00\"";

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

pub(super) fn read(
    file: &Fields<'_, '_>,
    default: &TimeZone,
    contacts: &BTreeMap<ContactId, Contact>,
) -> BTreeMap<RotaId, Duty> {
    let mut rotas = BTreeMap::new();
    for (Written { value: id, place }, fields) in file.named("rotas", "the rota") {
        let named = match RotaId::new(id) {
            Ok(id) => Some(id),
            Err(why) => {
                file.problems.error(place.clone(), format!("\"{id}\" cannot be the name of a rota: {why}"));
                None
            }
        };
        let duty = duty(&fields, default, contacts);
        fields.done();
        if rotas.len() == ROTAS_MAX {
            file.problems.error(place, format!("there are more than {ROTAS_MAX} rotas"));
            break;
        }
        if let (Some(id), Some(duty)) = (named, duty) {
            rotas.insert(id, duty);
        }
    }
    rotas
}

fn duty(
    fields: &Fields<'_, '_>,
    default: &TimeZone,
    contacts: &BTreeMap<ContactId, Contact>,
) -> Option<Duty> {
    let zone = fields.made("zone", "\"Europe/Zagreb\"", zone);
    let hand_overs = fields.texts("hand_over", HAND_OVER);
    let hand_overs =
        fields.required("hand_over", HAND_OVER, hand_overs).and_then(|texts| when(fields, &texts));
    let turns = fields.texts("turns", "[\"ana\", \"ben\"]");
    let turns = fields.required("turns", "[\"ana\", \"ben\"]", turns);
    let turns = turns.and_then(|turns| who(fields, &turns, contacts));
    let starts = fields.date("starts", "2026-01-05");
    let starts = fields.required("starts", "2026-01-05", starts);
    let ends = fields.date("ends", "2026-12-31");
    let contact = |name: &str| known(name, "contact", contacts).cloned();
    let fallback = fields.made("fallback", "\"ana\"", contact);
    let fallback = fields.required("fallback", "\"ana\"", fallback);
    let warn_before = fields.number("warn_before_h", 1..=WARN_BEFORE_HOURS_MAX, "48");
    let warn_before_h = warn_before.map_or(WARN_BEFORE_HOURS, |hours| hours.value);
    let zone = zone.map_or_else(|| default.clone(), |zone| zone.value);
    let rota = Rota::new(zone, hand_overs?, turns?, starts?.value, ends.map(|ends| ends.value));
    match rota {
        Ok(rota) => Some(Duty { rota, fallback: fallback?.value, warn_before_ms: warn_before_h * 3_600_000 }),
        Err(why) => {
            fields.problems.error(fields.place.clone(), format!("{} cannot be: {why}", fields.of));
            None
        }
    }
}

/// Those who take turns; somebody whom nobody knows is told, and the rest is looked at all
/// the same.
fn who(
    fields: &Fields<'_, '_>,
    turns: &[Written<&str>],
    contacts: &BTreeMap<ContactId, Contact>,
) -> Option<Vec<Turn>> {
    let mut all = Vec::new();
    for turn in turns.iter().take(TURNS_MAX + 1) {
        if turn.value == NOBODY {
            all.push(None);
            continue;
        }
        match known(turn.value, "contact", contacts) {
            Ok(contact) => all.push(Some(contact.clone())),
            Err(why) => {
                fields.problems.error(turn.place.clone(), format!("turns of {}: {why}", fields.of));
            }
        }
    }
    (all.len() == turns.len().min(TURNS_MAX + 1)).then_some(all)
}

/// Each day at these times, or each week on these days.
fn when(fields: &Fields<'_, '_>, texts: &[Written<&str>]) -> Option<(Cycle, Vec<HandOver>)> {
    let mut cycle = None;
    let mut hand_overs = Vec::new();
    for text in texts {
        let (this, hand_over) = match hand_over(text.value) {
            Ok(read) => read,
            Err(why) => {
                let says = format!(
                    "hand_over of {}: {why}; write it like {HAND_OVER} for each week, or \"08:00\" for each day",
                    fields.of
                );
                fields.problems.error(text.place.clone(), says);
                continue;
            }
        };
        if *cycle.get_or_insert(this) != this {
            let says = format!(
                "hand_over of {}: some of its times have a day and others none; write the day with all of \
                 them, or with none",
                fields.of
            );
            fields.problems.error(text.place.clone(), says);
            return None;
        }
        hand_overs.push(hand_over);
    }
    (hand_overs.len() == texts.len()).then_some((cycle.unwrap_or(Cycle::Day), hand_overs))
}

fn hand_over(text: &str) -> Result<(Cycle, HandOver), String> {
    match text.trim().split_once(char::is_whitespace) {
        None => Ok((Cycle::Day, HandOver::daily(time(text.trim())?))),
        Some((day, at)) => {
            let lower = day.to_lowercase();
            let is_meant = |(short, weekday): &&(&str, Weekday)| {
                lower == *short || lower == format!("{weekday:?}").to_lowercase()
            };
            let known = DAYS.iter().find(is_meant);
            let (_, weekday) = known.ok_or_else(|| {
                format!("\"{day}\" is no day; there are Mon, Tue, Wed, Thu, Fri, Sat and Sun")
            })?;
            Ok((Cycle::Week, HandOver::weekly(*weekday, time(at.trim())?)))
        }
    }
}

fn time(text: &str) -> Result<Time, String> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let digits = |part: &str| part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        (digits(hour) && digits(minute)).then_some(())?;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    });
    parsed.ok_or_else(|| format!("\"{text}\" is no time of the day"))
}
