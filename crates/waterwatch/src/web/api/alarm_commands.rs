//! What operators do to alarms.

use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waterwatch_core::alarm::Point;

use super::number_or_none;
use super::order::{ByOrder, DoneObject, Person, Reason, UntilOrder, ask_all, not_known, obey};
use crate::command::What;
use crate::lane::COMMANDS_A_REQUEST_MAX;
use crate::store::AlarmKey;
use crate::web::Web;
use crate::web::access::Caller;
use crate::web::extract::{AlarmParams, AlarmPath, Json, NumberOrText, number_or_text, source_of};
use crate::web::problem::{Kind, Problem};

/// Which occurrence is acknowledged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AcknowledgeOrder {
    /// The occurrence that was seen; if another one is open by now, nothing is acknowledged.
    #[serde(deserialize_with = "number_or_text")]
    #[schema(value_type = NumberOrText, example = 4702)]
    occurrence: i64,
    /// For whom this is done, if the token speaks for a person: the ledger names both.
    #[schema(value_type = Option<Person>, example = "Ana")]
    #[serde(default)]
    on_behalf_of: Option<String>,
}

/// Acknowledge an occurrence
///
/// The ledger names the token, and for whom it spoke. An occurrence that is not the one that is open is
/// 409, and changes nothing.
#[utoipa::path(post, path = "/alarms/{source}/{point}/acknowledge", tag = "alarms", request_body = AcknowledgeOrder,
    params(AlarmParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn acknowledge(
    State(web): State<Web>,
    caller: Caller,
    AlarmPath(alarm): AlarmPath,
    Json(order): Json<AcknowledgeOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    let what = What::Acknowledge { alarm, occurrence: order.occurrence };
    obey(&web, &caller, order.on_behalf_of.as_deref(), what).await
}

/// Which occurrences are acknowledged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AcknowledgeManyOrder {
    /// Those that were seen, 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    occurrences: Vec<Seen>,
    /// For whom this is done, if the token speaks for a person: the ledger names both.
    #[schema(value_type = Option<Person>, example = "Ana")]
    #[serde(default)]
    on_behalf_of: Option<String>,
}

/// One occurrence that was seen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// A station's id, area:NAME or server.
    #[schema(example = "123")]
    source: String,
    /// Which of its alarms.
    #[schema(example = "alarm1")]
    point: String,
    /// The occurrence that was seen.
    #[serde(deserialize_with = "number_or_text")]
    #[schema(value_type = NumberOrText, example = 4702)]
    occurrence: i64,
}

/// What became of each of many.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AcknowledgedMany {
    /// In the order of the request: either `done` or `problem` is there.
    results: Vec<AcknowledgedOne>,
}

/// What became of one.
#[derive(Debug, Default, Serialize, ToSchema)]
struct AcknowledgedOne {
    /// What it came to, if it is acknowledged.
    done: Option<DoneObject>,
    /// Why it is not, else.
    problem: Option<Problem>,
}

/// Acknowledge up to 100 occurrences
///
/// Each by itself, as if asked one by one, and all that are acknowledged at the same moment: the answer has a
/// result for each. 503: none of them is, for certain.
#[utoipa::path(post, path = "/alarms/acknowledge", tag = "alarms", request_body = AcknowledgeManyOrder,
    responses((status = 200, body = AcknowledgedMany),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn acknowledge_many(
    State(web): State<Web>,
    caller: Caller,
    Json(order): Json<AcknowledgeManyOrder>,
) -> Result<Answer<AcknowledgedMany>, Problem> {
    if !(1..=COMMANDS_A_REQUEST_MAX).contains(&order.occurrences.len()) {
        let allowed = format!("it must have 1 to {COMMANDS_A_REQUEST_MAX} entries");
        return Err(Problem::unfit("occurrences", allowed));
    }
    let named = order.occurrences.iter().map(|seen| {
        let alarm = alarm_of(seen)?;
        Ok(What::Acknowledge { alarm, occurrence: seen.occurrence })
    });
    let named: Vec<Result<What, Problem>> = named.collect();
    let wanted = named.iter().flatten().cloned().collect();
    let mut obeyed = ask_all(&web, &caller, order.on_behalf_of.as_deref(), wanted).await?;
    let results = named.into_iter().enumerate().map(|(place, named)| {
        match named.and_then(|_| obeyed.next().unwrap_or_else(|| Err(not_known()))) {
            Ok(done) => AcknowledgedOne { done: Some(done.into()), problem: None },
            Err(problem) => {
                let problem = problem.within(&format!("occurrences[{place}]"));
                AcknowledgedOne { done: None, problem: Some(problem) }
            }
        }
    });
    Ok(Answer(AcknowledgedMany { results: results.collect() }))
}

fn alarm_of(seen: &Seen) -> Result<AlarmKey, Problem> {
    let not_found = |field: &'static str| {
        let detail = "there is no such alarm; a source is a station's id, area:NAME or server";
        Problem::new(Kind::NotFound, detail).of_field(field)
    };
    let source = source_of(&seen.source).ok_or_else(|| not_found("source"))?;
    let point = Point::from_name(&seen.point).filter(|point| Point::of(&source).contains(point));
    Ok((source, point.ok_or_else(|| not_found("point"))?))
}

/// Shelve an alarm
///
/// It is hidden until a time, with a reason, and recording goes on. Shelving one that is shelved says anew until when.
#[utoipa::path(post, path = "/alarms/{source}/{point}/shelve", tag = "alarms", request_body = UntilOrder,
    params(AlarmParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn shelve(
    State(web): State<Web>,
    caller: Caller,
    AlarmPath(alarm): AlarmPath,
    Json(order): Json<UntilOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    let what = What::Shelve { alarm, until_ms: order.until.as_millisecond(), reason: order.reason.into() };
    obey(&web, &caller, order.on_behalf_of.as_deref(), what).await
}

/// Unshelve an alarm
#[utoipa::path(post, path = "/alarms/{source}/{point}/unshelve", tag = "alarms", request_body = ByOrder,
    params(AlarmParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn unshelve(
    State(web): State<Web>,
    caller: Caller,
    AlarmPath(alarm): AlarmPath,
    Json(order): Json<ByOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    obey(&web, &caller, order.on_behalf_of.as_deref(), What::Unshelve { alarm }).await
}

/// Take an alarm out of service
///
/// It is hidden until a time, with a reason, for work on the station; recording goes on.
#[utoipa::path(post, path = "/alarms/{source}/{point}/out-of-service", tag = "alarms", request_body = UntilOrder,
    params(AlarmParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn take_out_of_service(
    State(web): State<Web>,
    caller: Caller,
    AlarmPath(alarm): AlarmPath,
    Json(order): Json<UntilOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    let until_ms = order.until.as_millisecond();
    let what = What::TakeOutOfService { alarm, until_ms, reason: order.reason.into() };
    obey(&web, &caller, order.on_behalf_of.as_deref(), what).await
}

/// Return an alarm to service
#[utoipa::path(post, path = "/alarms/{source}/{point}/return-to-service", tag = "alarms", request_body = ByOrder,
    params(AlarmParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn return_to_service(
    State(web): State<Web>,
    caller: Caller,
    AlarmPath(alarm): AlarmPath,
    Json(order): Json<ByOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    obey(&web, &caller, order.on_behalf_of.as_deref(), What::ReturnToService { alarm }).await
}

/// A remark about an occurrence.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteOrder {
    /// What is remarked.
    #[schema(value_type = Reason, example = "the float switch hangs; Ben is on his way")]
    text: String,
    /// About which occurrence of the alarm, be it over or not; without it, about the one that is open.
    #[serde(default, deserialize_with = "number_or_none")]
    #[schema(value_type = NumberOrText, required = false, example = 4702)]
    occurrence: Option<i64>,
    /// For whom this is done, if the token speaks for a person: the ledger names both.
    #[schema(value_type = Option<Person>, example = "Ana")]
    #[serde(default)]
    on_behalf_of: Option<String>,
}

/// Write a note about an occurrence
///
/// It stands in the ledger, in the story of the occurrence, and changes no state. Asked again, it stands there twice.
#[utoipa::path(post, path = "/alarms/{source}/{point}/note", tag = "alarms", request_body = NoteOrder,
    params(AlarmParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn note(
    State(web): State<Web>,
    caller: Caller,
    AlarmPath(alarm): AlarmPath,
    Json(order): Json<NoteOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    let what = What::Note { alarm, occurrence: order.occurrence, text: order.text.into() };
    obey(&web, &caller, order.on_behalf_of.as_deref(), what).await
}
