//! What the database says of alarms that nobody has acknowledged, and of silent
//! stations.

use waterwatch_core::alarm::{AlarmSource, Point, State};

use super::{Finding, Level, Value, seconds};
use crate::cli::CheckOptions;
use crate::shown::alarm::{self, Standing};
use crate::shown::time::{Clock, span};
use crate::shown::{count, named};
use crate::store::reader::{Picture, Reader, Which};

/// What is found of alarms, and of stations.
pub(super) fn look(options: &CheckOptions, clock: &Clock) -> Vec<Finding> {
    let read = || -> anyhow::Result<Picture> {
        Ok(Reader::open(&options.data.file)?.picture(Which::InAlarm, &clock.zone)?)
    };
    match read() {
        Ok(picture) => {
            let standings = alarm::worst_first(&picture, clock.now_ms());
            vec![unacknowledged(&standings, options, clock), silent(&standings, options)]
        }
        Err(error) => vec![Finding {
            what: "alarms",
            status: Level::Unknown,
            text: format!("the alarms were not looked at: {error:#} (--no-alarms leaves them out)"),
            values: Vec::new(),
        }],
    }
}

fn unacknowledged(standings: &[Standing], options: &CheckOptions, clock: &Clock) -> Finding {
    let (warning, critical) =
        (seconds(options.unacknowledged_warning()), seconds(options.unacknowledged_critical));
    // A raise that lies ahead of the clock is no newer than one of now.
    let age_s = |standing: &Standing| {
        let age_s = clock.age_s(standing.since_ms()).unwrap_or(0);
        u64::try_from(age_s).unwrap_or(0)
    };
    let open: Vec<&Standing> = standings
        .iter()
        .filter(|standing| {
            standing.state.is_some_and(State::is_unanswered) && standing.priority >= options.priority
        })
        .collect();
    let oldest_s = open.iter().map(|standing| age_s(standing)).max().unwrap_or(0);
    let status = Level::of(oldest_s, warning, critical);
    // Of those that are as bad as it gets, the most urgent, and of these the oldest.
    let named_one = open
        .iter()
        .filter(|standing| Level::of(age_s(standing), warning, critical) == status)
        .max_by_key(|standing| (standing.priority, age_s(standing)));
    let text = match named_one {
        None => "no alarm is unacknowledged".to_owned(),
        Some(one) => format!(
            "{} unacknowledged: {} {} ({}) for {}{}",
            count(open.len() as u64, "alarm"),
            named(&one.key.0),
            one.key.1,
            one.priority,
            span(i64::try_from(age_s(one)).unwrap_or(i64::MAX)),
            if open.len() > 1 { ", and others" } else { "" },
        ),
    };
    let values = vec![
        Value { name: "unacknowledged", value: open.len() as u64, unit: "", warning: None, critical: None },
        Value { name: "oldest_unacknowledged", value: oldest_s, unit: "s", warning, critical },
    ];
    Finding { what: "alarms", status, text, values }
}

fn silent(standings: &[Standing], options: &CheckOptions) -> Finding {
    let silent = standings.iter().filter(|standing| {
        let is_stations = matches!(standing.key, (AlarmSource::Station(_), Point::Comms));
        // Nobody waits for one that is paused or retired.
        is_stations && standing.contact && !standing.is_retired && standing.state != Some(State::OutOfService)
    });
    let value = silent.count() as u64;
    let (warning, critical) = (options.silent_warning, options.silent_critical);
    Finding {
        what: "silent",
        status: Level::of(value, warning, critical),
        text: match value {
            0 => "no station is silent".to_owned(),
            1 => "1 station is silent".to_owned(),
            value => format!("{value} stations are silent"),
        },
        values: vec![Value { name: "silent", value, unit: "", warning, critical }],
    }
}
