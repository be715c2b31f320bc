//! An alarm as it was shown to a program, read back.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::Value;
use waterwatch_core::alarm::{
    Acknowledgement, Alarm, AlarmSource, Aside, Chatter, Chattering, Hidden, Occurrence, OnWhileHidden,
    Point, Priority, State,
};
use waterwatch_core::settings::PointTexts;

use super::read;
use crate::cli::read_source;
use crate::shown::alarm::Standing;
use crate::store::reader::communication::Quality;
use crate::store::reader::{Raise, StationAbout};

#[derive(Deserialize)]
struct Told {
    source: String,
    point: String,
    state: Option<String>,
    enabled: bool,
    priority: String,
    quality: String,
    on: bool,
    contact: bool,
    contact_since: Option<Timestamp>,
    delay_until: Option<Timestamp>,
    occurrence: Option<i64>,
    raised_at: Option<Timestamp>,
    raised_because: Option<Box<str>>,
    returned_at: Option<Timestamp>,
    acknowledged_at: Option<Timestamp>,
    acknowledged_by: Option<Box<str>>,
    realarm_at: Option<Timestamp>,
    raises: Option<u32>,
    chattering_since: Option<Timestamp>,
    shelved_until: Option<Timestamp>,
    shelved_by: Option<Box<str>>,
    shelved_reason: Option<Box<str>>,
    out_of_service_until: Option<Timestamp>,
    out_of_service_by: Option<Box<str>>,
    out_of_service_reason: Option<Box<str>>,
    suppressed_by: Option<i64>,
    suppressed_by_source: Option<String>,
    was_on_from: Option<Timestamp>,
    was_on_to: Option<Timestamp>,
    label: Option<Box<str>>,
    consequence: Option<Box<str>>,
    response: Option<Box<str>>,
    respond_within_min: Option<u32>,
    #[serde(flatten)]
    about: About,
}

/// What people say of a station.
#[derive(Deserialize)]
pub(super) struct About {
    pub(super) name: Option<Box<str>>,
    pub(super) area: Option<Box<str>>,
    location: Option<Box<str>>,
    access_note: Option<Box<str>>,
    telephones: Option<Box<str>>,
    expected_by: Option<Timestamp>,
}

impl From<About> for StationAbout {
    fn from(about: About) -> StationAbout {
        let About { name, area, location, access_note, telephones, expected_by } = about;
        let expected_by_ms = expected_by.map(Timestamp::as_millisecond);
        StationAbout { name, area, location, access_note, telephones, expected_by_ms }
    }
}

/// How an alarm stands, of which a server tells this; `None` if it has words that are not
/// known here.
pub(in crate::commands) fn standing(row: &Value) -> Option<Standing> {
    let told: Told = read(row)?;
    let key = (read_source(&told.source).ok()?, Point::from_name(&told.point)?);
    let state = match &told.state {
        Some(state) => Some(State::from_name(state)?),
        None => None,
    };
    let raise = told
        .raised_because
        .clone()
        .map(|reason| Arc::new(Raise { source: key.0.clone(), point: key.1, reason: Some(reason) }));
    Some(Standing {
        alarm: Arc::new(alarm(&told, state)),
        contact: told.contact,
        state,
        is_enabled: told.enabled,
        is_retired: false,
        priority: Priority::from_name(&told.priority)?,
        quality: Quality::ALL.into_iter().find(|quality| quality.name() == told.quality)?,
        stands_for_it: told.suppressed_by_source.as_deref().and_then(stands_for_it),
        raise,
        texts: PointTexts {
            label: told.label,
            consequence: told.consequence,
            response: told.response,
            respond_within_min: told.respond_within_min,
        },
        about: matches!(key.0, AlarmSource::Station(_)).then(|| told.about.into()),
        key,
    })
}

/// Silence alone stands for others.
fn stands_for_it(source: &str) -> Option<Arc<Raise>> {
    let source = read_source(source).ok()?;
    Some(Arc::new(Raise { source, point: Point::Comms, reason: None }))
}

fn alarm(told: &Told, state: Option<State>) -> Alarm {
    let delay_due_ms = ms(told.delay_until);
    // The condition follows the contact after the delay. What nobody has judged is on as well.
    let is_judged = state.is_some() || !told.enabled;
    Alarm {
        contact: is_judged && told.on != delay_due_ms.is_some(),
        contact_since_ms: ms(told.contact_since).unwrap_or(0),
        delay_due_ms,
        occurrence: occurrence(told),
        hidden: Hidden {
            shelf: aside((told.shelved_until, &told.shelved_by, &told.shelved_reason)),
            service: aside((told.out_of_service_until, &told.out_of_service_by, &told.out_of_service_reason)),
            suppressed_by: told.suppressed_by,
            was_on: ms(told.was_on_from).map(|from_ms| OnWhileHidden { from_ms, to_ms: ms(told.was_on_to) }),
        },
        chatter: Chatter {
            chattering: ms(told.chattering_since).map(|since_ms| Chattering {
                since_ms,
                raises: 0,
                due_ms: 0,
            }),
            ..Chatter::default()
        },
    }
}

fn occurrence(told: &Told) -> Option<Occurrence> {
    let acknowledged = ms(told.acknowledged_at).zip(told.acknowledged_by.clone());
    Some(Occurrence {
        sequence: told.occurrence?,
        raised_at_ms: ms(told.raised_at).unwrap_or(0),
        returned_at_ms: ms(told.returned_at),
        acknowledged: acknowledged.map(|(at_ms, by)| Acknowledgement { by, at_ms }),
        realarm_due_ms: ms(told.realarm_at),
        hand_over_due_ms: None,
        raises: told.raises.unwrap_or(1),
    })
}

fn aside((until, by, reason): (Option<Timestamp>, &Option<Box<str>>, &Option<Box<str>>)) -> Option<Aside> {
    let (by, reason) = (by.clone().unwrap_or_default(), reason.clone().unwrap_or_default());
    Some(Aside { until_ms: ms(until)?, by, reason, warned: false })
}

fn ms(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_millisecond)
}
