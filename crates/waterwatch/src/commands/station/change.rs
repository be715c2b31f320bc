//! What is to be said otherwise of a station, and what that changes.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use waterwatch_core::StationId;
use waterwatch_core::settings::Told;

use super::fields::{said, short, value};
use crate::shown::text::plain;
use crate::station_says::StationSays;

/// What is to be said in a field; `None`: nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) field: String,
    pub(super) to: Option<Told>,
}

/// What becomes other in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) field: String,
    pub(super) from: Option<Told>,
    pub(super) to: Option<Told>,
}

/// The changes of a station, for programs.
#[derive(Debug, Serialize)]
pub(super) struct ChangesObject {
    station_id: i64,
    id: String,
    changes: Vec<ChangeObject>,
}

#[derive(Debug, Serialize)]
struct ChangeObject {
    field: String,
    from: Value,
    to: Value,
}

/// What is said after that, of whom this was said; what is not wanted otherwise is left
/// alone.
///
/// # Errors
/// If what was said is no longer what may be: another version of the server says it.
pub(super) fn after(before: &StationSays, wanted: &[Wanted]) -> anyhow::Result<StationSays> {
    let mut told: BTreeMap<String, Told> = before.told().into_iter().collect();
    for Wanted { field, to } in wanted {
        match to {
            Some(to) => drop(told.insert(field.clone(), to.clone())),
            None => drop(told.remove(field)),
        }
    }
    let mut after = StationSays::default();
    for (field, told) in &told {
        after.say(field, said(told)).context("what is said of the station cannot be kept")?;
    }
    Ok(after)
}

/// What became other, in the order of the fields.
pub(super) fn changes(before: &StationSays, after: &StationSays) -> Vec<Change> {
    let [mut before, mut after] =
        [before, after].map(|says| says.told().into_iter().collect::<BTreeMap<String, Told>>());
    let fields = StationSays::fields().into_iter();
    let both = fields.map(|field| {
        let (from, to) = (before.remove(&field), after.remove(&field));
        Change { field, from, to }
    });
    both.filter(|Change { from, to, .. }| from != to).collect()
}

/// Whether somebody else has said something other than is `wanted` in one of its fields,
/// since `read`: who said the same contradicts nobody.
pub(super) fn is_contradicted(read: &StationSays, now: &StationSays, wanted: &[Wanted]) -> bool {
    let contradicts =
        |change: &Change| wanted.iter().any(|wanted| wanted.field == change.field && wanted.to != change.to);
    changes(read, now).iter().any(contradicts)
}

/// A line for each change.
pub(super) fn lines(station: StationId, changes: &[Change]) -> Vec<String> {
    let shown = |field: &str, told: &Option<Told>| match told {
        None => "unset".to_owned(),
        Some(Told::Text(text)) => format!("\"{}\"", plain(text)),
        Some(told) => super::fields::written(field, told),
    };
    let line = |Change { field, from, to }: &Change| {
        format!("station {station}: {} {} -> {}", short(field), shown(field, from), shown(field, to))
    };
    changes.iter().map(line).collect()
}

impl ChangesObject {
    pub(super) fn new(station: StationId, changes: &[Change]) -> ChangesObject {
        let object = |Change { field, from, to }: &Change| ChangeObject {
            field: short(field).to_owned(),
            from: value(field, from.as_ref()),
            to: value(field, to.as_ref()),
        };
        let changes = changes.iter().map(object).collect();
        ChangesObject { station_id: station.get(), id: station.to_string(), changes }
    }
}

#[cfg(test)]
mod tests {
    use waterwatch_core::settings::Said;

    use super::*;

    fn says(fields: &[(&str, Said<'_>)]) -> StationSays {
        let mut says = StationSays::default();
        fields.iter().for_each(|(field, said)| says.say(field, *said).unwrap());
        says
    }

    fn wanted(field: &str, to: Option<&str>) -> Wanted {
        Wanted { field: field.to_owned(), to: to.map(|text| Told::Text(text.to_owned())) }
    }

    #[test]
    fn only_what_is_wanted_otherwise_becomes_other() {
        let before =
            says(&[("name", Said::Text("North")), ("area", Said::Text("A")), ("grace_s", Said::Number(5))]);
        let wish = [wanted("area", None), wanted("points.alarm1.label", Some("high")), wanted("tags", None)];
        let after = after(&before, &wish).unwrap();
        let changes = changes(&before, &after);
        let station = StationId::new(7).unwrap();
        assert_eq!(
            lines(station, &changes),
            ["station 7: area \"A\" -> unset", "station 7: alarm1.label unset -> \"high\""]
        );
        let object = serde_json::to_value(ChangesObject::new(station, &changes)).unwrap();
        assert_eq!(
            object["changes"][1],
            serde_json::json!({"field": "alarm1.label", "from": null, "to": "high"})
        );
        assert!(super::changes(&after, &super::after(&after, &wish).unwrap()).is_empty(), "once is enough");

        let contradicts = |fields: &[(&str, Said<'_>)]| is_contradicted(&before, &says(fields), &wish);
        assert!(!contradicts(&[("name", Said::Text("South")), ("area", Said::Text("A"))]));
        assert!(contradicts(&[("name", Said::Text("North")), ("area", Said::Text("B"))]));
        assert!(!contradicts(&[("name", Said::Text("North")), ("grace_s", Said::Number(5))]), "the same");
    }
}
