//! What a story says of many stations at once: consecutive entries of one kind in
//! one sentence. A million stations are a hundred entries, and one fact.

use waterwatch_core::StationId;
use waterwatch_core::alarm::{Event, Kind};

use super::Line;
use crate::shown::text::plain;
use crate::store::reader::Suppressed;

/// How many entries, from the first of these on, are told in one sentence.
pub(super) fn alike(told: &[&Event]) -> usize {
    let Some(first) = told.first().filter(|first| first.stations.is_some()) else { return 1 };
    let is_alike = |event: &&&Event| event.stations.is_some() && event.kind == first.kind;
    told.iter().take_while(is_alike).count()
}

/// The sentence of entries that are alike.
pub(super) fn line(told: &[&Event]) -> Line {
    let first = told[0];
    let of_each = told.iter().filter_map(|event| event.stations.as_deref());
    let mut stations: Vec<StationId> = of_each.flatten().copied().collect();
    stations.sort_unstable();
    stations.dedup();
    let because = because(told);
    let text = match first.kind {
        Kind::StandsFor => format!("stands for the silence of {}{because}.", listed(&stations)),
        _ => format!("heard again: {}{because}.", listed(&stations)),
    };
    Line {
        sequence: first.sequence,
        time_ms: first.event_time_ms,
        kind: first.kind,
        count: Some(stations.len()),
        text,
    }
}

/// ` (last heard in alarm: 12 (alarm1))`: what was said first, and whether there is
/// more; each entry may name a score of stations.
fn because(told: &[&Event]) -> String {
    let mut reasons = told.iter().filter_map(|event| event.reason.as_deref());
    let Some(first) = reasons.next() else { return String::new() };
    let more = reasons.next().map_or("", |_| "; and more, in `waterwatch alarm history`");
    format!(" ({}{more})", plain(first))
}

/// The sentence about stations that have an entry of their own.
pub(super) fn suppressed(others: &Suppressed) -> Line {
    let Suppressed { sequence, time_ms, had_alarmed, stations } = others;
    let which = match (had_alarmed, stations.len()) {
        (true, 1) => "which had alarmed for itself",
        (true, _) => "which had alarmed for themselves",
        (false, 1) => "which has an entry of its own",
        (false, _) => "which have entries of their own",
    };
    let text = format!("stands for the silence of {}, {which}.", listed(stations));
    let (sequence, time_ms) = (*sequence, *time_ms);
    Line { sequence, time_ms, kind: Kind::Suppressed, count: Some(stations.len()), text }
}

/// How many stations, and the first of them.
#[must_use]
pub fn listed(stations: &[StationId]) -> String {
    /// As many as a person reads in a sentence.
    const NAMED_MAX: usize = 12;
    let named: Vec<String> = stations.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let named = named.join(", ");
    match stations.len() {
        1 => format!("station {named}"),
        count if count <= NAMED_MAX => format!("{count} stations: {named}"),
        count => format!("{count} stations: {named} and {} more", count - NAMED_MAX),
    }
}
