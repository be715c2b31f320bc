//! Reports by HTTP, for gateways that speak nothing else: on the same way as any
//! other report, and answered only when they are durable.

use std::future::poll_fn;

use axum::extract::{FromRequest, Request, State};
use axum::{Extension, Json as Answer};
use serde::{Deserialize, Serialize};
use tokio::time::timeout_at;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use waterwatch_core::{Origin, Report, StationId};

use crate::lane::Reports;
use crate::web::access::Caller;
use crate::web::extract::{NumberOrText, json_body, number_or_text, read};
use crate::web::problem::{Kind, Problem};
use crate::web::{Deadline, Peer, Web};

/// Reports that may come at once: what a gateway has for a fleet, and few
/// enough that no other waits for them.
const REPORTS_MAX: usize = 1_000;

/// What a report takes of the lane: about what its line would.
const ROOM_BYTES: usize = 32;

/// What a station reports.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportOrder {
    /// The station's id, as a number or as a text.
    #[serde(deserialize_with = "number_or_text")]
    #[schema(value_type = NumberOrText, example = 123)]
    station_id: i64,
    /// Whether its first contact is on.
    alarm1: bool,
    /// Whether its second contact is on.
    alarm2: bool,
}

/// One report, or 1 to 1,000 of them in the order in which they were made.
#[derive(Debug)]
pub(super) struct Sent(Vec<ReportOrder>);

impl FromRequest<Web> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Sent, Problem> {
        let bytes = json_body(request, web).await?;
        let is_one = bytes.trim_ascii_start().first() != Some(&b'[');
        let sent = if is_one { vec![read(&bytes)?] } else { read(&bytes)? };
        Ok(Sent(sent))
    }
}

/// What [`Sent`] reads, for the OpenAPI document.
struct OneOrMany;

impl ToSchema for OneOrMany {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ReportOrder::name().into_owned(), <ReportOrder as utoipa::PartialSchema>::schema()));
        ReportOrder::schemas(schemas);
    }
}

impl utoipa::PartialSchema for OneOrMany {
    fn schema() -> RefOr<Schema> {
        let one = Ref::from_schema_name(ReportOrder::name());
        let many = ArrayBuilder::new().items(one.clone()).min_items(Some(1)).max_items(Some(REPORTS_MAX));
        let about = "One report, or 1 to 1,000 of them in the order in which they were made.";
        OneOfBuilder::new().item(one).item(many).description(Some(about)).into()
    }
}

/// What became of the reports.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReportsObject {
    /// In the order of the request.
    results: Vec<ReportObject>,
}

/// What became of one report.
#[derive(Debug, Serialize, ToSchema)]
struct ReportObject {
    /// Whether it is stored, durably. One that is not must not be sent again: it would be refused again.
    stored: bool,
    /// Why it was refused; docs/protocol.md lists the codes.
    #[schema(example = "stations_max")]
    code: Option<&'static str>,
    /// The same in words.
    detail: Option<String>,
}

/// Report
///
/// One report or an array of them. It is answered when all that is stored is durable, with a result for each.
/// **503 means that they are not stored, or that it is not known: send them again**; that does no harm.
#[utoipa::path(post, path = "/reports", tag = "reports", request_body = OneOrMany,
    responses((status = 200, body = ReportsObject),
        (status = 503, body = Problem, description = "Not stored: send again", content_type = "application/problem+json")))]
pub(super) async fn report(
    State(web): State<Web>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(Deadline(deadline)): Extension<Deadline>,
    caller: Caller,
    Sent(sent): Sent,
) -> Result<Answer<ReportsObject>, Problem> {
    if !(1..=REPORTS_MAX).contains(&sent.len()) {
        return Err(Problem::new(Kind::Unfit, format!("send 1 to {REPORTS_MAX} reports at once")));
    }
    let reports = sent.iter().enumerate().map(|(place, report)| report.checked(place, sent.len()));
    let reports = reports.collect::<Result<Reports, Problem>>()?;
    let origin = Origin::of(web.listener, peer.ip());
    let not_stored = || {
        let detail = "the reports are not stored, or that is not known; send them again";
        Problem::new(Kind::Unavailable, detail)
    };
    let submitted = async {
        let mut speaker = web.lane.speaker();
        let room = poll_fn(|context| speaker.poll_room(context, reports.len() * ROOM_BYTES)).await;
        speaker.submit(reports, origin, room).await
    };
    let verdict = timeout_at(deadline.into(), submitted).await.ok().flatten().ok_or_else(not_stored)?;
    web.lane.refused().note_reports(&verdict, origin, Some(&caller.0.name));
    let mut results: Vec<ReportObject> = sent.iter().map(|_| ReportObject::default()).collect();
    for (place, refusal) in verdict {
        results[place] =
            ReportObject { stored: false, code: Some(refusal.code()), detail: Some(refusal.to_string()) };
    }
    Ok(Answer(ReportsObject { results }))
}

impl ReportOrder {
    fn checked(self, place: usize, of: usize) -> Result<Report, Problem> {
        let ReportOrder { station_id, alarm1, alarm2 } = self;
        let station_id = StationId::new(station_id).ok_or_else(|| {
            let field = if of == 1 { "station_id".to_owned() } else { format!("[{place}].station_id") };
            Problem::unfit(field, format!("a station's id is a number from 0 to {}", StationId::MAX))
        })?;
        Ok(Report { station_id, alarm1, alarm2 })
    }
}

impl Default for ReportObject {
    fn default() -> ReportObject {
        ReportObject { stored: true, code: None, detail: None }
    }
}
