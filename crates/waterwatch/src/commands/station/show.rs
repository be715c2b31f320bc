//! `waterwatch station show`: all that is known of one station.

use std::io::{self, Write};

use waterwatch_core::Span;
use waterwatch_core::alarm::AlarmSource;

use super::said;
use crate::cli::StationShowOptions;
use crate::commands::alarm::{output, table as alarms, unknown};
use crate::commands::elsewhere::{Elsewhere, Query, detail};
use crate::commands::page::json;
use crate::commands::page::table::{self, numbers, words};
use crate::commands::printed;
use crate::failure::Failure;
use crate::shown::alarm::{SAID_BY_ANOTHER, Standing, marked};
use crate::shown::event::peer;
use crate::shown::station::StationInDetail;
use crate::shown::text::plain;
use crate::shown::time::Clock;
use crate::shown::{also_called, count, notice};
use crate::store::reader::communication::Quality;
use crate::store::reader::{Detail, Reader};

/// How many spans are shown: what happened lately.
const SPANS_MAX: usize = 10;

pub(super) fn run(options: &StationShowOptions) -> Result<(), Failure> {
    let clock = Clock::system();
    let (id, look) = (options.id, &options.look);
    if let Some(server) = Elsewhere::of(look)? {
        return elsewhere(options, &server, &clock);
    }
    let read =
        || -> anyhow::Result<_> { Ok(Reader::open(&look.data.file)?.station(id, SPANS_MAX, &clock.zone)?) };
    let Some(detail) = read().map_err(Failure::of_database)? else {
        return Err(unknown(&AlarmSource::Station(id), None));
    };
    let (mut out, terminal) = output();
    let shown = StationInDetail::new(&detail, &clock);
    let done =
        if look.json { json::object(&mut out, &shown.object()) } else { write(&mut out, &shown, terminal) };
    printed(done.and_then(|()| out.flush()))
}

/// The same where a server was named.
fn elsewhere(options: &StationShowOptions, server: &Elsewhere, clock: &Clock) -> Result<(), Failure> {
    let id = options.id;
    let found = server.find(&["stations", &id.to_string()], &Query::new())?;
    let row = found.ok_or_else(|| unknown(&AlarmSource::Station(id), None))?;
    let (mut out, terminal) = output();
    if options.look.json {
        return printed(json::object(&mut out, &row).and_then(|()| out.flush()));
    }
    let told = detail(&row, SPANS_MAX, clock).ok_or_else(|| server.strange())?;
    let (detail, station, points) = &told;
    let shown = StationInDetail { detail, station: station.clone(), points: points.clone(), clock };
    printed(write(&mut out, &shown, terminal).and_then(|()| out.flush()))
}

/// Writes it: what is known in lines, then its alarms and what was before.
pub(super) fn write(out: &mut impl Write, shown: &StationInDetail<'_>, terminal: bool) -> io::Result<()> {
    let StationInDetail { detail, station, points, clock } = shown;
    let contact = &detail.contact;
    let called = also_called(&station.about);
    let (comms, state) = (station.comms.name(), station.short());
    writeln!(out, "Station {}{called}: {comms}, {state}", contact.station_id)?;
    said::write(out, station, clock)?;
    let last = match contact.received_at_ms {
        Some(received_at_ms) => {
            format!("{} ({})", clock.exact(received_at_ms), clock.ago(received_at_ms))
        }
        None if !contact.was_heard() => {
            let by = station.never_heard(clock).map_or(String::new(), |by| format!("; {by}"));
            format!("never: it has not reported yet{by}")
        }
        None => format!("{} (as it is stored; nobody knows when)", contact.last_date),
    };
    writeln!(out, "  last report  {last}{}", origin(detail))?;
    writeln!(out, "  reports      {}", contact.reports)?;
    if detail.span.reports > 0 {
        let since = clock.minute_and_age(detail.span.since_ms);
        writeln!(
            out,
            "  unchanged    since {since}, {}",
            count(detail.span.reports.unsigned_abs(), "report")
        )?;
    }
    let about = &station.about;
    for (name, text) in
        [("location", &about.location), ("access", &about.access_note), ("telephones", &about.telephones)]
    {
        if let Some(text) = text {
            writeln!(out, "  {name:<11}  {}", plain(text))?;
        }
    }
    for point in points {
        let is = match (point.contact, point.state, point.is_enabled) {
            (true, ..) => marked("on", point.quality),
            _ if point.is_said_by_another() => marked("on", point.quality),
            // What was never heard is not known either of one that is retired.
            (false, None, true) if !point.is_retired || point.quality == Quality::Never => "?".to_owned(),
            (false, ..) => marked("off", point.quality),
        };
        let state = if point.is_not_judged() && point.state.is_none() {
            "no server has judged it yet".to_owned()
        } else {
            point.short()
        };
        let but = if point.is_said_by_another() { format!("; {SAID_BY_ANOTHER}") } else { String::new() };
        let name = point.key.1.name();
        writeln!(out, "  {name:<11}  {is}, {} ({state}{but})", point.quality.name())?;
    }
    let open: Vec<Standing> = shown.open().cloned().collect();
    if !open.is_empty() {
        writeln!(out)?;
        alarms::write(out, &open, clock, terminal)?;
    }
    write_spans(out, &detail.spans, clock, terminal)?;
    match notice(&detail.server, clock) {
        Some(notice) => writeln!(out, "\n{notice}"),
        None => Ok(()),
    }
}

fn origin(detail: &Detail) -> String {
    let from = peer(&detail.origin).map_or(String::new(), |peer| format!(", from {peer}"));
    let at = detail.listener.as_ref().map_or(String::new(), |listener| format!(" at {listener}"));
    from + &at
}

fn write_spans(out: &mut impl Write, spans: &[Span], clock: &Clock, terminal: bool) -> io::Result<()> {
    if spans.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nbefore, the newest first:")?;
    let columns = [words("FROM"), words("UNTIL"), words("ON"), numbers("REPORTS")];
    let texts = |span: &Span| {
        let on = match (span.alarm1, span.alarm2) {
            (false, false) => "-",
            (true, false) => "alarm1",
            (false, true) => "alarm2",
            (true, true) => "alarm1 alarm2",
        };
        let times = [span.first_at_ms, span.last_at_ms].map(|time_ms| clock.minute(time_ms));
        let [from, until] = times;
        [from, until, on.to_owned(), span.reports.to_string()]
    };
    table::write(out, columns, spans, terminal, texts, |_| None)
}
