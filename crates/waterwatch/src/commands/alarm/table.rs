//! Alarms as a table.

use std::io::{self, Write};

use waterwatch_core::alarm::{Alarm, Aside, Point, State};

use crate::commands::page::table::{self, Paint, numbers, optional, words};
use crate::commands::page::{cut, cut_sentence};
use crate::shown::alarm::{SAID_BY_ANOTHER, Standing, is_hidden};
use crate::shown::called;
use crate::shown::text::plain;
use crate::shown::time::Clock;
use crate::store::reader::communication::Quality;

/// Writes a table of alarms.
pub(in crate::commands) fn write(
    out: &mut impl Write,
    standings: &[Standing],
    clock: &Clock,
    terminal: bool,
) -> io::Result<()> {
    let columns = [
        words("STATE"),
        words("PRIORITY"),
        numbers("SOURCE"),
        words("POINT"),
        words("SINCE"),
        words("FOR"),
        optional("NAME"),
        optional("NOTE"),
    ];
    let texts = |standing: &Standing| {
        let since_ms = standing.since_ms();
        let (since, age) = match since_ms {
            0 => ("-".to_owned(), "-".to_owned()),
            _ => (clock.minute(since_ms), clock.age(since_ms)),
        };
        [
            standing.short(),
            standing.priority.name().to_owned(),
            plain(&standing.key.0.to_string()),
            standing.key.1.name().to_owned(),
            since,
            age,
            standing.about.as_ref().and_then(called).map_or_else(String::new, |name| cut(&name)),
            note(standing, clock),
        ]
    };
    let paint = |standing: &Standing| match standing.state {
        Some(State::Unacknowledged | State::ReturnedUnacknowledged) => Some((0, Paint::Alarm)),
        None if standing.is_enabled => Some((0, Paint::Doubt)),
        _ if standing.quality != Quality::Good => Some((0, Paint::Doubt)),
        _ => None,
    };
    table::write(out, columns, standings, terminal, texts, paint)
}

/// What else an operator must know, in a few words.
fn note(standing: &Standing, clock: &Clock) -> String {
    let mut notes = Vec::new();
    let Alarm { contact, delay_due_ms, occurrence, hidden, chatter, .. } = &*standing.alarm;
    if standing.is_not_judged() {
        notes.push("the contact is on, and no server has judged it yet".to_owned());
    }
    if *contact && standing.key.1 == Point::Identity {
        notes.push("several devices report as this station".to_owned());
    }
    if standing.is_said_by_another() {
        notes.push(SAID_BY_ANOTHER.to_owned());
    }
    if let Some(reason) = standing.raised_because() {
        notes.push(cut_sentence(&plain(reason)));
    }
    if let Some(due_ms) = delay_due_ms {
        let delay = if *contact { "on" } else { "off" };
        notes.push(format!("{delay}-delay until {}", clock.minute(*due_ms)));
    }
    if let Some(occurrence) = occurrence {
        if let Some(acknowledged) = &occurrence.acknowledged {
            let at = clock.minute(acknowledged.at_ms);
            notes.push(format!("acknowledged by {} {at}", plain(&acknowledged.by)));
        }
        if let Some(returned_at_ms) = occurrence.returned_at_ms {
            notes.push(format!("off since {}", clock.minute(returned_at_ms)));
        }
        if occurrence.raises > 1 {
            notes.push(format!("{} raises", occurrence.raises));
        }
    }
    if chatter.chattering.is_some() {
        notes.push("comes and goes".to_owned());
    }
    for (what, aside) in [("out of service", &hidden.service), ("shelved", &hidden.shelf)] {
        if let Some(Aside { until_ms, by, reason, warned: _ }) = aside {
            let (until, by, reason) = (clock.minute(*until_ms), plain(by), plain(reason));
            notes.push(format!("{what} until {until} by {by}: {reason}"));
        }
    }
    if let Some(other) = standing.suppressed_by() {
        notes.push(format!("{other} stands for it"));
    }
    if standing.state.is_some_and(is_hidden) && standing.alarm.is_on() {
        notes
            .push(if standing.quality == Quality::Good { "on now" } else { "on when last heard" }.to_owned());
    }
    notes.join("; ")
}
