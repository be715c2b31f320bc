//! `waterwatch alarm list`: the alarms that are not normal, worst first.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::value::Value;
use waterwatch_core::alarm::{AlarmSource, Point, State};

use super::{output, table};
use crate::cli::AlarmListOptions;
use crate::commands::elsewhere::{Elsewhere, Query, listed, standing, written};
use crate::commands::page::json;
use crate::commands::{notice_if_read, printed};
use crate::failure::Failure;
use crate::shown::alarm::{self, Standing, is_hidden};
use crate::shown::count;
use crate::shown::time::Clock;
use crate::store::AlarmKey;
use crate::store::reader::{Picture, Raises, Reader, Which};

pub(super) fn run(options: &AlarmListOptions) -> Result<(), Failure> {
    match Elsewhere::of(&options.look)? {
        Some(server) => elsewhere(options, &server),
        None => here(options),
    }
}

/// The same where a server was named.
fn elsewhere(options: &AlarmListOptions, server: &Elsewhere) -> Result<(), Failure> {
    let clock = Clock::system();
    let AlarmListOptions { priority, source, area, active, .. } = options;
    let asked = source.iter().cloned().chain(area.as_deref().map(super::area));
    if let Some(source) = server.first_unknown(asked)? {
        return Err(super::unknown(&source, None));
    }
    let rows = match source {
        Some(source) => {
            let of = |point: &Point| server.find(&["alarms", &written(source), point.name()], &Query::new());
            let rows = Point::of(source).iter().map(of).collect::<Result<Vec<_>, _>>()?;
            rows.into_iter().flatten().collect()
        }
        None => {
            let mut query = Query::from_iter(listed("priority", priority.iter().map(|one| one.name())));
            query.extend(area.clone().map(|area| ("area", area)));
            query.extend(active.then(|| ("active", "true".to_owned())));
            server.rows("alarms", &query, None, usize::MAX)?.rows
        }
    };
    let standings: Option<Vec<Standing>> = rows.iter().map(standing).collect();
    let mut standings = standings.ok_or_else(|| server.strange())?;
    let is_in = |standing: &Standing, area: &str| match &standing.key.0 {
        AlarmSource::Area(name) => &**name == area,
        AlarmSource::Station(_) => {
            standing.about.as_ref().and_then(|about| about.area.as_deref()) == Some(area)
        }
        AlarmSource::Server => false,
    };
    standings.retain(|standing| area.as_deref().is_none_or(|area| is_in(standing, area)));
    alarm::sort(&mut standings);
    let disabled = standings.iter().filter(|standing| !standing.is_enabled).count();
    let list = List::of(standings, options, disabled);
    let (mut out, terminal) = output();
    let done = if options.look.json {
        let rows: BTreeMap<AlarmKey, &Value> =
            rows.iter().filter_map(|row| Some((standing(row)?.key, row))).collect();
        json::array(&mut out, list.shown.iter().filter_map(|shown| rows.get(&shown.key)))
    } else {
        list.write(&mut out, options, &clock, terminal, None)
    };
    printed(done.and_then(|()| out.flush()))
}

fn here(options: &AlarmListOptions) -> Result<(), Failure> {
    let clock = Clock::system();
    let read = || -> anyhow::Result<_> {
        let reader = Reader::open(&options.look.data.file)?;
        let asked = options.source.iter().cloned().chain(options.area.as_deref().map(super::area));
        let unknown = super::first_unknown(&reader, asked)?;
        // Of what is not shown, no more is read: it may be a million alarms.
        let (picture, mut listed, raises) =
            reader.picture_with_raises(Which::InAlarm, &clock.zone, |picture| {
                let listed = List::new(picture, options, clock.now_ms());
                let occurrences = listed.occurrences();
                (listed, occurrences)
            })?;
        listed.add_raises(&raises);
        Ok((picture, listed, unknown))
    };
    let (picture, listed, unknown) = read().map_err(Failure::of_database)?;
    if let Some(source) = unknown {
        return Err(super::unknown(&source, None));
    }
    let notice = notice_if_read(&picture, &clock, options.look.json);
    let (mut out, terminal) = output();
    printed(listed.write(&mut out, options, &clock, terminal, notice.as_deref()).and_then(|()| out.flush()))
}

/// The area in which a source is, or which it is.
fn area_of<'a>(source: &'a AlarmSource, picture: &'a Picture) -> Option<&'a str> {
    match source {
        AlarmSource::Area(name) => Some(name),
        AlarmSource::Server => None,
        AlarmSource::Station(_) => picture.server.about.station(source)?.area.as_deref(),
    }
}

/// What is listed, and how many are not.
pub(super) struct List {
    shown: Vec<Standing>,
    left_out: Vec<Option<State>>,
    /// Points that are disabled, and how many of them are on.
    disabled: (usize, usize),
}

impl List {
    pub(super) fn new(picture: &Picture, options: &AlarmListOptions, now_ms: i64) -> List {
        let is_asked = |source: &AlarmSource| {
            options.source.as_ref().is_none_or(|asked| asked == source)
                && options.area.as_deref().is_none_or(|asked| area_of(source, picture) == Some(asked))
        };
        let mut standings = alarm::worst_first(picture, now_ms);
        standings.retain(|standing| is_asked(&standing.key.0));
        let disabled = picture
            .stations
            .iter()
            .filter(|contact| is_asked(&AlarmSource::Station(contact.station_id)))
            .map(|contact| {
                let settings = picture.server.settings.of(contact.station_id);
                Point::OF_STATION.iter().filter(|point| !settings.point(**point).enabled).count()
            })
            .sum();
        List::of(standings, options, disabled)
    }

    /// Of alarms that were asked for, in their order, so many of whose points are disabled.
    fn of(mut standings: Vec<Standing>, options: &AlarmListOptions, disabled: usize) -> List {
        let fits = |standing: &Standing| {
            (options.priority.is_empty() || options.priority.contains(&standing.priority))
                && (standing.contact || !options.active)
        };
        let is_shown = |standing: &Standing| match standing.state {
            _ if options.all => true,
            None => standing.is_enabled && options.state.is_empty(),
            Some(state) if options.state.is_empty() => state != State::Normal && !is_hidden(state),
            Some(state) => options.state.contains(&state),
        };
        standings.retain(|standing| standing.is_open() && fits(standing));
        let disabled_on = standings.iter().filter(|standing| !standing.is_enabled).count();
        let (shown, left_out): (Vec<Standing>, Vec<Standing>) = standings.into_iter().partition(is_shown);
        let left_out = left_out.into_iter().filter(|standing| standing.is_enabled);
        List {
            shown,
            left_out: left_out.map(|standing| standing.state).collect(),
            disabled: (disabled, disabled_on),
        }
    }

    /// The occurrences of which is to be known why they were raised.
    pub(super) fn occurrences(&self) -> Vec<i64> {
        self.shown.iter().flat_map(|standing| alarm::occurrences(&standing.alarm)).collect()
    }

    pub(super) fn add_raises(&mut self, raises: &Raises) {
        self.shown.iter_mut().for_each(|standing| standing.add_raises(raises));
    }

    pub(super) fn write(
        &self,
        out: &mut impl Write,
        options: &AlarmListOptions,
        clock: &Clock,
        terminal: bool,
        notice: Option<&str>,
    ) -> io::Result<()> {
        if options.look.json {
            return json::array(out, self.shown.iter().map(Standing::object));
        }
        if !self.shown.is_empty() {
            table::write(out, &self.shown, clock, terminal)?;
            writeln!(out)?;
        }
        writeln!(out, "{}", self.summary())?;
        notice.map_or(Ok(()), |notice| writeln!(out, "{notice}"))
    }

    /// How many there are of which kind; none is left out without a word.
    fn summary(&self) -> String {
        let shown: Vec<Option<State>> =
            self.shown.iter().filter(|standing| standing.is_enabled).map(|standing| standing.state).collect();
        let mut summary = match shown.len() {
            0 => "no alarms".to_owned(),
            number => format!("{}: {}", count(number as u64, "alarm"), by_state(&shown)),
        };
        if !self.left_out.is_empty() {
            let (number, states) = (self.left_out.len(), by_state(&self.left_out));
            summary += &format!("; {number} not shown: {states} (--all shows them)");
        }
        match self.disabled {
            (0, _) => {}
            (number, 0) => summary += &format!("; {} disabled", count(number as u64, "point")),
            (number, on) => {
                summary += &format!("; {} disabled, {on} of them on", count(number as u64, "point"));
            }
        }
        summary
    }
}

/// `2 unacknowledged, 1 shelved`, the worst first.
fn by_state(states: &[Option<State>]) -> String {
    let mut kinds: Vec<Option<State>> = State::ALL.iter().copied().map(Some).chain([None]).collect();
    kinds.sort_by_key(|kind| alarm::rank_if_known(*kind));
    let parts = kinds.into_iter().filter_map(|kind| {
        let number = states.iter().filter(|state| **state == kind).count();
        (number > 0).then(|| format!("{number} {}", kind.map_or("on and not judged yet", in_words)))
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn in_words(state: State) -> &'static str {
    match state {
        State::Unacknowledged => "unacknowledged",
        State::ReturnedUnacknowledged => "returned unacknowledged",
        State::Acknowledged => "acknowledged",
        State::Shelved => "shelved",
        State::Suppressed => "suppressed",
        State::OutOfService => "out of service",
        State::Normal => "on, not yet an alarm",
    }
}
