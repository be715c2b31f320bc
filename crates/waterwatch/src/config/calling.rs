//! What the configuration file says of calling: contacts, and the rotas in which they
//! take turns. All that is wrong with it is found at once.

mod contacts;
mod rotas;

use std::borrow::Borrow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};
use waterwatch_core::calling::{Duty, OnCall, Plan};

use super::fields::{Fields, meant};
use super::problem::Problems;

/// What the whole file says of calling, as far as it can be meant. `zone` holds where
/// nobody says another.
pub(super) fn read(file: &DeTable<'_>, zone: &TimeZone, problems: &Problems) -> Plan {
    // What others read of the file is not asked for here, so it is never done.
    let file = Fields::new("the file", 0..0, file, problems);
    let contacts = contacts::read(&file, zone);
    let rotas = rotas::read(&file, zone, &contacts);
    Plan { contacts, rotas, ..Plan::default() }
}

/// How far ahead gaps are looked for.
const GAPS_WITHIN_MS: i64 = 60 * 24 * 3_600_000;

/// What may not be as it was meant: contacts whom nobody calls, and gaps ahead.
pub(super) fn warn(plan: &Plan, file: &DeTable<'_>, now: Timestamp, problems: &Problems) {
    let place = |table: &str, name: &str| {
        let DeValue::Table(table) = file.get(table)?.get_ref() else { return None };
        table.get_key_value(name).map(|(name, _)| name.span())
    };
    for id in plan.contacts.keys() {
        let is_called = |duty: &Duty| duty.fallback == *id || duty.rota.contacts().any(|other| other == id);
        if !plan.rotas.values().any(is_called) {
            problems.warning(place("contacts", id.as_str()), format!("the contact {id} is in no rota"));
        }
    }
    let now_ms = now.as_millisecond();
    for (id, duty) in &plan.rotas {
        let on_call = OnCall::new(&duty.rota, &[]);
        if let Some(gap) = on_call.gap_within(now_ms, now_ms + GAPS_WITHIN_MS) {
            problems.warning(place("rotas", id.as_str()), plan.gap_in_words((id, duty), &gap, now_ms));
        }
    }
}

/// A zone by its name.
fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("\"{name}\" is no known time zone"))
}

/// What is named somewhere, out of those that there are.
fn known<'p, K: Ord + Borrow<str>, V>(
    name: &str,
    what: &str,
    those: &'p BTreeMap<K, V>,
) -> Result<&'p K, String> {
    those.get_key_value(name).map(|(known, _)| known).ok_or_else(|| {
        let hint = meant(name, those.keys().map(Borrow::borrow));
        let hint = if hint.is_empty() {
            format!("; none is in the file, write one as [{what}s.{name}]")
        } else {
            hint
        };
        format!("there is no {what} \"{name}\"{hint}")
    })
}
