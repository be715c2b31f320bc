//! `waterwatch alarm ack`, `shelve`, `unshelve`, `out-of-service`, `return-to-service`,
//! `note`: what operators do to an alarm.

use anyhow::anyhow;
use waterwatch_core::alarm::State;

use crate::cli::{AlarmAckOptions, AlarmAsideOptions, AlarmBackOptions, AlarmNoteOptions, WhichAlarm};
use crate::commands::order::{About, Named, Order, end_of, until};
use crate::failure::Failure;
use crate::http_client::{HttpClient, HttpError};
use crate::shown::text::plain;

pub(super) fn acknowledge(options: &AlarmAckOptions) -> Result<(), Failure> {
    let AlarmAckOptions { alarm, occurrence, order: wanted } = options;
    let client = HttpClient::of(&wanted.server)?;
    let about = about(alarm);
    let occurrence = match occurrence {
        Some(seen) => *seen,
        None => open_occurrence(&client, &about, alarm)?,
    };
    let order = Order { occurrence: Some(occurrence), ..Order::of(wanted) };
    let done =
        about.order(&client, "acknowledge", &order).map_err(|error| error.of_a_change(&about.look()))?;
    let said = format!("acknowledged (occurrence {occurrence})");
    about.tell(wanted, &done, Some(Named::Acknowledged(occurrence)), &said, Some(State::Acknowledged))
}

/// The occurrence that is open now. Should another one be raised before it is
/// acknowledged, nothing is: the server compares.
fn open_occurrence(client: &HttpClient, about: &About<'_>, alarm: &WhichAlarm) -> Result<i64, Failure> {
    let asked = about.open_occurrence(client, alarm.point);
    asked.map_err(HttpError::before_a_change)?.ok_or_else(|| {
        Failure::Failed(anyhow!("{}: there is nothing to acknowledge, no occurrence is open", about.named()))
    })
}

pub(super) fn shelve(options: &AlarmAsideOptions) -> Result<(), Failure> {
    set_aside(options, "shelve", "shelved", State::Shelved)
}

pub(super) fn take_out_of_service(options: &AlarmAsideOptions) -> Result<(), Failure> {
    set_aside(options, "out-of-service", "out of service", State::OutOfService)
}

fn set_aside(options: &AlarmAsideOptions, what: &str, said: &str, state: State) -> Result<(), Failure> {
    let AlarmAsideOptions { alarm, end, reason, order: wanted } = options;
    let end = end_of(end)?;
    let client = HttpClient::of(&wanted.server)?;
    let order = Order { until: Some(end), reason: Some(reason), ..Order::of(wanted) };
    let about = about(alarm);
    let done = about.order(&client, what, &order).map_err(|error| error.of_a_change(&about.look()))?;
    about.tell(wanted, &done, None, &format!("{said} {}", until(end)), Some(state))
}

pub(super) fn unshelve(options: &AlarmBackOptions) -> Result<(), Failure> {
    take_back(options, "unshelve", "unshelved")
}

pub(super) fn return_to_service(options: &AlarmBackOptions) -> Result<(), Failure> {
    take_back(options, "return-to-service", "returned to service")
}

fn take_back(options: &AlarmBackOptions, what: &str, said: &str) -> Result<(), Failure> {
    let AlarmBackOptions { alarm, order: wanted } = options;
    let client = HttpClient::of(&wanted.server)?;
    let about = about(alarm);
    let done =
        about.order(&client, what, &Order::of(wanted)).map_err(|error| error.of_a_change(&about.look()))?;
    about.tell(wanted, &done, None, said, None)
}

pub(super) fn note(options: &AlarmNoteOptions) -> Result<(), Failure> {
    let AlarmNoteOptions { alarm, occurrence, text, order: wanted } = options;
    let client = HttpClient::of(&wanted.server)?;
    let about = about(alarm);
    let order = Order { occurrence: *occurrence, text: Some(text), ..Order::of(wanted) };
    let source = plain(&alarm.source.to_string());
    // A note that stands there twice helps nobody: the story shows whether it does.
    let look = format!("waterwatch alarm explain {source} {}", alarm.point);
    let done = about.order(&client, "note", &order).map_err(|error| error.of_a_change(&look))?;
    let named = occurrence.or(done.occurrence);
    let said = named.map_or("noted".to_owned(), |occurrence| format!("noted (occurrence {occurrence})"));
    about.tell(wanted, &done, named.map(Named::Noted), &said, None)
}

fn about(alarm: &WhichAlarm) -> About<'_> {
    About { source: &alarm.source, point: Some(alarm.point) }
}
