//! `waterwatch station pause`, `resume`, `visit`, `retire`, `forget`: what operators do to a
//! station as a whole.

use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, State};

use crate::cli::{
    OrderOptions, StationForgetOptions, StationPauseOptions, StationResumeOptions, StationRetireOptions,
    StationVisitOptions,
};
use crate::commands::order::{About, Order, end, end_of, until};
use crate::failure::Failure;
use crate::http_client::HttpClient;

pub(super) fn pause(options: &StationPauseOptions) -> Result<(), Failure> {
    let StationPauseOptions { id, end, reason, order: wanted } = options;
    let end = end_of(end)?;
    let order = Order { until: Some(end), reason: Some(reason), ..Order::of(wanted) };
    ask(*id, wanted, "pause", &order, &format!("paused {}", until(end)))
}

pub(super) fn resume(options: &StationResumeOptions) -> Result<(), Failure> {
    let StationResumeOptions { id, order: wanted } = options;
    ask(*id, wanted, "resume", &Order::of(wanted), "resumed")
}

pub(super) fn visit(options: &StationVisitOptions) -> Result<(), Failure> {
    let StationVisitOptions { id, end: ends, reason, order: wanted } = options;
    let order = Order::of(wanted);
    if ends.end {
        return ask(*id, wanted, "end-visit", &order, "nobody is there any more");
    }
    let end = end(ends.lasting, ends.until)?;
    let order = Order { until: Some(end), reason: reason.as_deref(), ..order };
    ask(*id, wanted, "visit", &order, &format!("{} is there {}", order.by(), until(end)))
}

pub(super) fn retire(options: &StationRetireOptions) -> Result<(), Failure> {
    let StationRetireOptions { id, reason, order: wanted } = options;
    let order = Order { reason: Some(reason), ..Order::of(wanted) };
    ask(*id, wanted, "retire", &order, "retired")
}

pub(super) fn forget(options: &StationForgetOptions) -> Result<(), Failure> {
    let StationForgetOptions { id, order: wanted } = options;
    let client = HttpClient::of(&wanted.server)?;
    let about = About { source: &AlarmSource::Station(*id), point: None };
    let done = about.forget(&client, &Order::of(wanted)).map_err(|error| error.of_a_change(&about.look()))?;
    about.tell(wanted, &done, None, "forgotten", None)
}

fn ask(
    id: StationId,
    wanted: &OrderOptions,
    what: &str,
    order: &Order<'_>,
    said: &str,
) -> Result<(), Failure> {
    let client = HttpClient::of(&wanted.server)?;
    let about = About { source: &AlarmSource::Station(id), point: None };
    let done = about.order(&client, what, order).map_err(|error| error.of_a_change(&about.look()))?;
    // A pause is its silence out of service; of a resumed one, how that stands is news.
    let expected = if what == "pause" { Some(State::OutOfService) } else { None };
    about.tell(wanted, &done, None, said, expected)
}
