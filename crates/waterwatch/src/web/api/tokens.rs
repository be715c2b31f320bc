//! Who may ask: the tokens.

use axum::Json as Answer;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waterwatch_core::Token;
use waterwatch_core::token::{Right, Rights, Role, TOKEN_NAME_CHARS_MAX};

use super::alarms::limit;
use super::order::{DoneObject, ask, obey};
use crate::command::What;
use crate::shown::words::{TokenRight, TokenRole};
use crate::tokens::Secret;
use crate::web::Web;
use crate::web::access::Caller;
use crate::web::extract::{Json, NamePath, QueryString};
use crate::web::problem::{Kind, Problem};

/// Which tokens are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TokensQuery {
    /// At most so many, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, example = 100)]
    limit: Option<usize>,
    /// Those after this name: `next` of the page before.
    after: Option<String>,
}

/// A page of the tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokensObject {
    /// In the order of their names, those that were revoked too. No secret is known to the server.
    tokens: Vec<TokenObject>,
    /// Where the next page goes on: `after`; null if this is the last.
    next: Option<String>,
}

/// One token.
#[derive(Debug, Serialize, ToSchema)]
struct TokenObject {
    /// What the ledger calls whoever has it.
    #[schema(example = "pager")]
    name: String,
    /// viewer, operator or admin.
    #[schema(value_type = TokenRole, example = "operator")]
    role: &'static str,
    /// What it may do beyond its role: acknowledge, report.
    #[schema(value_type = Vec<TokenRight>)]
    may: Vec<&'static str>,
    /// When it was made.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// Who made it; null if the server did, at its first start.
    created_by: Option<String>,
    /// Since when it is valid no more; null if it is.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// Who revoked it.
    revoked_by: Option<String>,
}

impl TokenObject {
    fn new(token: &Token) -> TokenObject {
        let time = |ms| Timestamp::from_millisecond(ms).ok();
        TokenObject {
            name: token.name.to_string(),
            role: token.role.name(),
            may: token.rights.iter().map(Right::name).collect(),
            created_at: time(token.created_at_ms),
            created_by: token.created_by.as_deref().map(str::to_owned),
            revoked_at: token.revoked.as_ref().and_then(|revoked| time(revoked.at_ms)),
            revoked_by: token.revoked.as_ref().map(|revoked| revoked.by.to_string()),
        }
    }
}

/// The tokens
#[utoipa::path(get, path = "/tokens", tag = "tokens", params(TokensQuery), responses((status = 200, body = TokensObject)))]
pub(super) async fn list(
    State(web): State<Web>,
    QueryString(asked): QueryString<TokensQuery>,
) -> Result<Answer<TokensObject>, Problem> {
    let limit = limit(asked.limit)?;
    let mut tokens = web.tokens.after(asked.after.as_deref().unwrap_or_default(), limit + 1);
    let has_more = tokens.len() > limit;
    tokens.truncate(limit);
    let next = tokens.last().filter(|_| has_more).map(|last| last.name.to_string());
    Ok(Answer(TokensObject { tokens: tokens.iter().map(|token| TokenObject::new(token)).collect(), next }))
}

/// A token that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenOrder {
    /// What the ledger calls whoever has it; no other token has, or had, this name.
    #[schema(
        example = "pager",
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// viewer: look; operator: set alarms aside; admin: change settings and tokens.
    #[schema(value_type = TokenRole, example = "operator")]
    role: String,
    /// What it may do beyond its role: acknowledge alarms, report as a station does.
    #[schema(value_type = Vec<TokenRight>, example = json!(["acknowledge"]))]
    #[serde(default)]
    may: Vec<String>,
}

/// A token that was made. It is not for the log.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeObject {
    /// Its name.
    #[schema(example = "pager")]
    name: String,
    /// Its secret, which is shown this once and cannot be found out again.
    secret: String,
}

/// Make a token
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = TokenOrder,
    responses((status = 200, body = MadeObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn add(
    State(web): State<Web>,
    caller: Caller,
    Json(order): Json<TokenOrder>,
) -> Result<Answer<MadeObject>, Problem> {
    let role = Role::from_name(&order.role)
        .ok_or_else(|| Problem::unfit("role", "it must be viewer, operator or admin"))?;
    let rights = order.may.iter().map(|right| {
        let unknown = || Problem::unfit("may", "there are acknowledge and report");
        Right::from_name(right).ok_or_else(unknown)
    });
    let rights = rights.collect::<Result<Rights, Problem>>()?;
    if Secret::parse(&order.name).is_some() {
        return Err(Problem::unfit(
            "name",
            "this is the secret of a token, and the ledger shows names: choose one",
        ));
    }
    let secret = Secret::random().map_err(|error| {
        tracing::error!(%error, "the system gives no random numbers");
        Problem::new(Kind::Internal, "the system gives no random numbers")
    })?;
    let name = order.name.trim().to_owned();
    let what = What::AddToken { name: name.clone().into(), role, rights, digest: secret.digest() };
    ask(&web, &caller, None, what).await?;
    Ok(Answer(MadeObject { name, secret: secret.reveal().to_owned() }))
}

/// Revoke a token
///
/// It is valid no more, at once. Its name stays taken, since the ledger names it.
#[utoipa::path(delete, path = "/tokens/{name}", tag = "tokens",
    params(("name" = String, Path, description = "The token's name")),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn revoke(
    State(web): State<Web>,
    caller: Caller,
    NamePath(name): NamePath,
) -> Result<Answer<DoneObject>, Problem> {
    if Secret::parse(&name).is_some() {
        let detail = "this is the secret of a token, and is not looked for: write its name; GET /api/v1/tokens has all";
        return Err(Problem::new(Kind::NotFound, detail));
    }
    if name.chars().count() > TOKEN_NAME_CHARS_MAX {
        let detail = format!("a token's name has up to {TOKEN_NAME_CHARS_MAX} characters");
        return Err(Problem::new(Kind::NotFound, detail));
    }
    obey(&web, &caller, None, What::RevokeToken { name: name.into() }).await
}
