//! Handing what an operator wants to the writer, and saying what became of it.

use std::time::{Duration, Instant};

use axum::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use waterwatch_core::alarm::{NAME_CHARS_MAX, REASON_CHARS_MAX, State};
use waterwatch_core::token::TOKEN_NAME_CHARS_MAX;

use crate::command::{Command, Done, Outcome, What};
use crate::web::Web;
use crate::web::access::Caller;
use crate::web::extract::{printable, time};
use crate::web::problem::{Kind, Problem};

/// How long a command may wait until it is decided: a person waits no longer,
/// and one whose time has passed is certainly not done.
const DECIDED_WITHIN: Duration = Duration::from_secs(5);

/// What a command came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DoneObject {
    /// The sequence of the newest report or event once it was done: the ledger up to it has what was done.
    #[schema(example = 4711)]
    sequence: i64,
    /// The state of the alarm after it; null where it was about a station as a whole.
    #[schema(example = "acknowledged")]
    state: Option<&'static str>,
    /// The occurrence that is open after it, if one is.
    #[schema(example = 4702)]
    occurrence: Option<i64>,
}

impl From<Done> for DoneObject {
    fn from(Done { sequence, state, occurrence }: Done) -> DoneObject {
        DoneObject { sequence, state: state.map(State::name), occurrence }
    }
}

/// For whom something is done, for the OpenAPI document.
pub(super) struct Person;

/// Why something is done, for the OpenAPI document.
pub(super) struct Reason;

impl ToSchema for Person {}

impl ToSchema for Reason {}

impl utoipa::PartialSchema for Person {
    fn schema() -> RefOr<Schema> {
        let about = "For whom this is done, if the token speaks for a person: the ledger names both.";
        printable(ON_BEHALF_OF_CHARS_MAX).description(Some(about)).into()
    }
}

impl utoipa::PartialSchema for Reason {
    fn schema() -> RefOr<Schema> {
        printable(REASON_CHARS_MAX).description(Some("Why, in words that the ledger keeps.")).into()
    }
}

/// A request in which nothing but who wants it may be said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ByOrder {
    /// For whom this is done, if the token speaks for a person: the ledger names both.
    #[schema(value_type = Option<Person>, example = "Ana")]
    #[serde(default)]
    pub(super) on_behalf_of: Option<String>,
}

/// The same where the body says something else, or there is none.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ByQuery {
    /// For whom this is done, if the token speaks for a person: the ledger names both.
    #[param(value_type = Option<Person>, example = "Ana")]
    pub(super) on_behalf_of: Option<String>,
}

/// A request with an end and a reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UntilOrder {
    /// When it ends by itself, RFC 3339.
    #[schema(value_type = String, format = DateTime, example = "2099-11-24T18:00:00Z")]
    #[serde(deserialize_with = "time")]
    pub(super) until: Timestamp,
    /// Why.
    #[schema(value_type = Reason, example = "pump is being replaced")]
    pub(super) reason: String,
    /// For whom this is done, if the token speaks for a person: the ledger names both.
    #[schema(value_type = Option<Person>, example = "Ana")]
    #[serde(default)]
    pub(super) on_behalf_of: Option<String>,
}

/// A request with a reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonOrder {
    /// Why.
    #[schema(value_type = Reason, example = "the well is filled in")]
    pub(super) reason: String,
    /// For whom this is done, if the token speaks for a person: the ledger names both.
    #[schema(value_type = Option<Person>, example = "Ana")]
    #[serde(default)]
    pub(super) on_behalf_of: Option<String>,
}

/// Hands it to the writer, and waits for what becomes of it.
pub(super) async fn ask(
    web: &Web,
    caller: &Caller,
    on_behalf_of: Option<&str>,
    what: What,
) -> Result<Done, Problem> {
    let by = by(&caller.0.name, on_behalf_of)?;
    let deadline = Instant::now() + DECIDED_WITHIN;
    of_outcome(web.operators.ask(Command { what, by, deadline }).await)
}

/// The same for several things, of which each is done or not by itself: what became of
/// each, in their order. They are recorded together, so what keeps the server from it
/// keeps it from all of them: then none was done, or it is not known of any.
pub(super) async fn ask_all(
    web: &Web,
    caller: &Caller,
    on_behalf_of: Option<&str>,
    wanted: Vec<What>,
) -> Result<impl Iterator<Item = Result<Done, Problem>>, Problem> {
    let by = by(&caller.0.name, on_behalf_of)?;
    let deadline = Instant::now() + DECIDED_WITHIN;
    let commands = wanted.into_iter().map(|what| Command { what, by: by.clone(), deadline });
    let outcomes = web.operators.ask_all(commands.collect()).await;
    let is_undecided = |outcome: &Outcome| matches!(outcome, Outcome::NotDone(_) | Outcome::Unknown);
    match outcomes.first() {
        Some(first) if is_undecided(first) && outcomes.iter().all(|outcome| outcome == first) => {
            Err(of_outcome(first.clone()).err().unwrap_or_else(not_known))
        }
        _ => Ok(outcomes.into_iter().map(of_outcome)),
    }
}

fn of_outcome(outcome: Outcome) -> Result<Done, Problem> {
    match outcome {
        Outcome::Done(done) => Ok(done),
        Outcome::Rejected(rejected) => Err(rejected.into()),
        Outcome::NotDone(why) => Err(why.into()),
        Outcome::Unknown => Err(not_known()),
    }
}

/// Whether it was done is not known.
pub(super) fn not_known() -> Problem {
    Problem::new(
        Kind::Timeout,
        "the server ended before it was certain; whether it was done is in the ledger: look again",
    )
}

/// How long the name of whom a token speaks for may be.
const ON_BEHALF_OF_CHARS_MAX: usize = 60;

// With the longest name of a token it fits into the ledger.
const _: () = assert!(ON_BEHALF_OF_CHARS_MAX + TOKEN_NAME_CHARS_MAX + " (by )".len() <= NAME_CHARS_MAX);

/// For whom a token speaks, as it is written, if for anybody.
fn speaks_for(on_behalf_of: Option<&str>) -> Result<Option<&str>, Problem> {
    let Some(person) = on_behalf_of.map(str::trim) else { return Ok(None) };
    let unfit = |why: String| Err(Problem::unfit("on_behalf_of", why));
    match () {
        () if person.is_empty() => unfit("it must name somebody, or be left out".to_owned()),
        () if person.chars().any(char::is_control) => {
            unfit("it has characters that cannot be printed".to_owned())
        }
        () if person.chars().count() > ON_BEHALF_OF_CHARS_MAX => {
            unfit(format!("it may have {ON_BEHALF_OF_CHARS_MAX} characters"))
        }
        () => Ok(Some(person)),
    }
}

/// The same, as the answer of a route.
pub(super) async fn obey(
    web: &Web,
    caller: &Caller,
    on_behalf_of: Option<&str>,
    what: What,
) -> Result<Json<DoneObject>, Problem> {
    Ok(Json(ask(web, caller, on_behalf_of, what).await?.into()))
}

/// Who wants it, as the ledger names it: `Ana (by gateway)` for whoever speaks for
/// somebody else.
fn by(token: &str, on_behalf_of: Option<&str>) -> Result<Box<str>, Problem> {
    Ok(match speaks_for(on_behalf_of)? {
        Some(person) => format!("{person} (by {token})").into(),
        None => token.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_names_the_person_and_the_token() {
        assert_eq!(by("pager", None).as_deref(), Ok("pager"));
        assert_eq!(by("pager", Some(" Ana ")).as_deref(), Ok("Ana (by pager)"));
        for wrong in [" ", "A\nna", &"x".repeat(ON_BEHALF_OF_CHARS_MAX + 1)] {
            assert!(by("pager", Some(wrong)).is_err(), "{wrong:?}");
        }
    }
}
