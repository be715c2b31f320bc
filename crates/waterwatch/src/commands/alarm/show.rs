//! `waterwatch alarm show`: all facts of one alarm.

use std::io::{self, Write};

use waterwatch_core::alarm::{Alarm, AlarmSource, Aside, Chattering};
use waterwatch_core::settings::PointTexts;

use super::{key, output, unknown};
use crate::cli::AlarmShowOptions;
use crate::commands::elsewhere::{Elsewhere, Query, standing, station as station_of, written};
use crate::commands::page::json;
use crate::commands::printed;
use crate::failure::Failure;
use crate::shown::alarm::{self, Standing};
use crate::shown::station::Station;
use crate::shown::text::plain;
use crate::shown::time::Clock;
use crate::shown::{also_called, named};
use crate::store::AlarmKey;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::{Reader, StationAbout};

pub(super) fn run(options: &AlarmShowOptions) -> Result<(), Failure> {
    let clock = Clock::system();
    let key = key(&options.alarm);
    if let Some(server) = Elsewhere::of(&options.look)? {
        return elsewhere(options, &key, &server, &clock);
    }
    let read =
        || -> anyhow::Result<_> { Ok(Reader::open(&options.look.data.file)?.alarm(&key, &clock.zone)?) };
    let Some(one) = read().map_err(Failure::of_database)? else {
        return Err(unknown(&key.0, Some(key.1)));
    };
    let (standing, comms) = Standing::of_one(&one, clock.now_ms());
    let (mut out, _) = output();
    let done = if options.look.json {
        json::object(&mut out, &standing.object())
    } else {
        write(&mut out, &standing, comms, &clock)
    };
    printed(done.and_then(|()| out.flush()))
}

/// The same where a server was named.
fn elsewhere(
    options: &AlarmShowOptions,
    key: &AlarmKey,
    server: &Elsewhere,
    clock: &Clock,
) -> Result<(), Failure> {
    let asked = written(&key.0);
    let found = server.find(&["alarms", &asked, key.1.name()], &Query::new())?;
    let row = found.ok_or_else(|| unknown(&key.0, Some(key.1)))?;
    let mut standing = standing(&row).ok_or_else(|| server.strange())?;
    let station = match key.0 {
        AlarmSource::Station(_) => server.find(&["stations", &asked], &Query::new())?,
        AlarmSource::Area(_) | AlarmSource::Server => None,
    };
    let station = station.and_then(|row| station_of(&row, clock));
    standing.is_retired = station.as_ref().is_some_and(Station::is_retired);
    let (mut out, _) = output();
    let done = if options.look.json {
        json::object(&mut out, &row)
    } else {
        write(&mut out, &standing, station.map(|station| station.heard()), clock)
    };
    printed(done.and_then(|()| out.flush()))
}

/// Writes the facts, one a line.
pub(super) fn write(
    out: &mut impl Write,
    standing: &Standing,
    comms: Option<Comms>,
    clock: &Clock,
) -> io::Result<()> {
    let Standing { key: (source, point), alarm, contact, state, is_enabled, priority, quality, .. } =
        standing;
    let Standing { about, texts, .. } = standing;
    let mut name = named(source);
    name[..1].make_ascii_uppercase();
    name += &about.as_ref().map(also_called).unwrap_or_default();
    let label = texts.label.as_ref().map_or(String::new(), |label| format!(" \"{}\"", plain(label)));
    writeln!(out, "{name}, {point}{label} ({priority})")?;
    let mut fact = |name: &str, text: String| writeln!(out, "  {name:<16}{text}");
    let state_is = match state {
        Some(state) => format!("{state} ({})", standing.short()),
        None if standing.is_retired => "none: its station is retired".to_owned(),
        None if !is_enabled => "disabled: its contact is not judged".to_owned(),
        None if *contact => "? (the contact is on, and no server has judged it yet)".to_owned(),
        None => "? (it was never heard)".to_owned(),
    };
    fact("state", state_is)?;
    let quality_is = match (quality, comms) {
        (Quality::Good, _) => "good".to_owned(),
        (Quality::Never, comms) => format!("{}: {}", quality.name(), alarm::never(comms)),
        (_, Some(comms)) => {
            format!("{}: the station is {}; this was last known", quality.name(), comms.name())
        }
        (_, None) => format!("{}: this was last known", quality.name()),
    };
    fact("quality", quality_is)?;
    let Alarm { contact: judged, contact_since_ms: _, delay_due_ms, occurrence, hidden, chatter } = &**alarm;
    let since = match standing.contact_since_ms() {
        0 => String::new(),
        since_ms => format!(" since {}", clock.minute_and_age(since_ms)),
    };
    let contact_is = match (contact, state, is_enabled) {
        (true, ..) => alarm::marked("on", *quality),
        (false, None, true) => "?".to_owned(),
        (false, ..) => alarm::marked("off", *quality),
    };
    fact("contact", format!("{contact_is}{since}"))?;
    if let Some(due_ms) = delay_due_ms {
        fact(if *judged { "on-delay" } else { "off-delay" }, format!("until {}", clock.exact(*due_ms)))?;
    }
    if let Some(occurrence) = occurrence {
        fact("occurrence", occurrence.sequence.to_string())?;
        fact("raised", clock.minute_and_age(occurrence.raised_at_ms))?;
        if let Some(reason) = standing.raised_because() {
            fact("reason", plain(reason))?;
        }
        if occurrence.raises > 1 {
            fact("raises", occurrence.raises.to_string())?;
        }
        if let Some(returned_at_ms) = occurrence.returned_at_ms {
            fact("returned", clock.minute_and_age(returned_at_ms))?;
        }
        let acknowledged = occurrence.acknowledged.as_ref().map_or_else(
            || "by nobody yet".to_owned(),
            |by| format!("{}, by {}", clock.minute_and_age(by.at_ms), plain(&by.by)),
        );
        fact("acknowledged", acknowledged)?;
        if let Some(due_ms) = occurrence.realarm_due_ms {
            fact("asks again", format!("{}, if it is still on then", clock.minute(due_ms)))?;
        }
    }
    if let Some(Chattering { since_ms, raises, due_ms: _ }) = chatter.chattering {
        // How many those were is not told to programs.
        let raises = if raises > 0 { format!(", {raises} raises") } else { String::new() };
        fact("comes and goes", format!("since {}{raises}", clock.minute_and_age(since_ms)))?;
    }
    for (what, aside) in [("out of service", &hidden.service), ("shelved", &hidden.shelf)] {
        if let Some(Aside { until_ms, by, reason, warned: _ }) = aside {
            fact(what, format!("until {}, by {}: {}", clock.minute(*until_ms), plain(by), plain(reason)))?;
        }
    }
    if let Some(other) = standing.suppressed_by() {
        fact("suppressed", format!("{other} stands for it"))?;
    }
    if let Some(was_on) = hidden.was_on {
        let to = was_on.to_ms.map_or_else(|| "now".to_owned(), |to_ms| clock.minute(to_ms));
        fact("on while hidden", format!("from {} until {to}", clock.minute(was_on.from_ms)))?;
    }
    let PointTexts { label: _, consequence, response, respond_within_min } = texts;
    let within = respond_within_min.map(|min| format!("{min} min"));
    let said = |text: fn(&StationAbout) -> &Option<Box<str>>| {
        about.as_ref().and_then(|about| text(about).as_deref())
    };
    for (name, text) in [
        ("consequence", consequence.as_deref()),
        ("response", response.as_deref()),
        ("respond within", within.as_deref()),
        ("location", said(|about| &about.location)),
        ("access", said(|about| &about.access_note)),
        ("telephones", said(|about| &about.telephones)),
    ] {
        if let Some(text) = text {
            fact(name, plain(text))?;
        }
    }
    Ok(())
}
