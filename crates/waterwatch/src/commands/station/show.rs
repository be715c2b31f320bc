//! `waterwatch station show`: all that is known of one station.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use waterwatch_core::Span;
use waterwatch_core::alarm::{AlarmSource, Point, State};

use super::row::{self, Station};
use super::said;
use crate::cli::StationShowOptions;
use crate::commands::alarm::standing::{self, SAID_BY_ANOTHER, Standing, marked};
use crate::commands::alarm::{also_called, output, peer, unknown};
use crate::commands::page::table::{self, numbers, words};
use crate::commands::page::time::{Clock, rfc3339};
use crate::commands::page::{json, plain};
use crate::commands::{count, notice, printed};
use crate::failure::Failure;
use crate::store::reader::communication::Quality;
use crate::store::reader::{Detail, Reader};

/// How many spans are shown: what happened lately.
const SPANS_MAX: usize = 10;

pub(super) fn run(options: &StationShowOptions) -> Result<(), Failure> {
    let clock = Clock::system();
    let (id, look) = (options.id, &options.look);
    let read =
        || -> anyhow::Result<_> { Ok(Reader::open(&look.data.file)?.station(id, SPANS_MAX, &clock.zone)?) };
    let Some(detail) = read().map_err(Failure::of_database)? else {
        return Err(unknown(&AlarmSource::Station(id), None));
    };
    let (mut out, terminal) = output();
    let shown = Shown::new(&detail, &clock);
    let done =
        if look.json { json::object(&mut out, &shown.object()) } else { shown.write(&mut out, terminal) };
    printed(done.and_then(|()| out.flush()))
}

/// A station with what follows from its record.
pub(super) struct Shown<'a> {
    detail: &'a Detail,
    station: Station,
    /// Each of its points, also those at rest.
    points: Vec<Standing>,
    clock: &'a Clock,
}

impl<'a> Shown<'a> {
    pub(super) fn new(detail: &'a Detail, clock: &'a Clock) -> Shown<'a> {
        let Detail { contact, alarms, server, .. } = detail;
        let comms = standing::comms(contact, alarms, &server.settings, clock.now_ms());
        let station = Station::new(contact.clone(), comms, alarms, server);
        let mut points: Vec<Standing> = Point::OF_STATION
            .iter()
            .map(|&point| {
                let key = (AlarmSource::Station(contact.station_id), point);
                let known = alarms.iter().find(|(of, _)| *of == key).map(|(_, alarm)| alarm.clone());
                Standing::new(
                    key,
                    known.unwrap_or_default(),
                    Some((contact, comms)),
                    alarms,
                    server,
                    clock.now_ms(),
                )
            })
            .collect();
        points.iter_mut().for_each(|point| point.add_raises(&detail.raises));
        Shown { detail, station, points, clock }
    }

    pub(super) fn write(&self, out: &mut impl Write, terminal: bool) -> io::Result<()> {
        let Shown { detail, station, points, clock } = self;
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
        writeln!(out, "  last report  {last}{}", self.origin())?;
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
        let open: Vec<Standing> = self.open().cloned().collect();
        if !open.is_empty() {
            writeln!(out)?;
            standing::write_table(out, &open, clock, terminal)?;
        }
        self.write_spans(out, terminal)?;
        match notice(&detail.server, clock) {
            Some(notice) => writeln!(out, "\n{notice}"),
            None => Ok(()),
        }
    }

    /// Its alarms that are not at rest. What no server has judged has none.
    fn open(&self) -> impl Iterator<Item = &Standing> {
        self.points.iter().filter(|point| point.is_open() && point.state.is_some())
    }

    fn origin(&self) -> String {
        let from = peer(&self.detail.origin).map_or(String::new(), |peer| format!(", from {peer}"));
        let at = self.detail.listener.as_ref().map_or(String::new(), |listener| format!(" at {listener}"));
        from + &at
    }

    fn write_spans(&self, out: &mut impl Write, terminal: bool) -> io::Result<()> {
        let spans = &self.detail.spans;
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
            let times = [span.first_at_ms, span.last_at_ms].map(|time_ms| self.clock.minute(time_ms));
            let [from, until] = times;
            [from, until, on.to_owned(), span.reports.to_string()]
        };
        table::write(out, columns, spans, terminal, texts, |_| None)
    }

    pub(super) fn object(&self) -> Object<'_> {
        let Detail { contact, origin, listener, span, spans, .. } = self.detail;
        let was_heard = contact.was_heard();
        Object {
            station: self.station.object(self.clock),
            peer: peer(origin),
            listener: listener.as_deref(),
            points: self
                .points
                .iter()
                .map(|point| PointObject {
                    point: point.key.1.name(),
                    on: (point.contact || was_heard).then(|| point.contact || point.is_said_by_another()),
                    quality: point.quality.name(),
                    state: point.state.map(State::name),
                    enabled: point.is_enabled,
                })
                .collect(),
            alarms: self.open().map(Standing::object).collect(),
            unchanged_since: (span.reports > 0).then_some(span.since_ms).and_then(rfc3339),
            unchanged_reports: span.reports,
            spans: spans
                .iter()
                .map(|span| SpanObject {
                    first_at: rfc3339(span.first_at_ms),
                    last_at: rfc3339(span.last_at_ms),
                    alarm1: span.alarm1,
                    alarm2: span.alarm2,
                    reports: span.reports,
                })
                .collect(),
        }
    }
}

/// A station for a program, with all that is known of it.
#[derive(Serialize)]
pub(super) struct Object<'a> {
    #[serde(flatten)]
    station: row::Object<'a>,
    peer: Option<String>,
    listener: Option<&'a str>,
    points: Vec<PointObject>,
    alarms: Vec<standing::Object<'a>>,
    unchanged_since: Option<Timestamp>,
    unchanged_reports: i64,
    spans: Vec<SpanObject>,
}

#[derive(Serialize)]
struct PointObject {
    point: &'static str,
    on: Option<bool>,
    quality: &'static str,
    state: Option<&'static str>,
    enabled: bool,
}

#[derive(Serialize)]
struct SpanObject {
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    alarm1: bool,
    alarm2: bool,
    reports: i64,
}
