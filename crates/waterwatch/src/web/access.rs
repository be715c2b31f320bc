//! Who may ask for what: each route says it once, where it is listed; the
//! request is checked by it, and the OpenAPI document says it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::UtoipaMethodRouter;
use waterwatch_core::Token;
use waterwatch_core::token::{Right, Role};

use super::places::Standing;
use super::problem::{Kind, MEDIA_TYPE, Problem};
use super::{Peer, Web};
use crate::log::Seldom;

/// The name of the way to say who asks, in the OpenAPI document.
pub(super) const SCHEME: &str = "token";

/// What a token must have for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    role: Role,
    right: Option<Right>,
}

impl Access {
    /// Whoever has a token.
    pub(super) const VIEWER: Access = Access { role: Role::Viewer, right: None };
    /// Operators, and admins.
    pub(super) const OPERATOR: Access = Access { role: Role::Operator, right: None };
    /// Admins.
    pub(super) const ADMIN: Access = Access { role: Role::Admin, right: None };
    /// Operators that may answer alarms.
    pub(super) const ACKNOWLEDGE: Access = Access { role: Role::Operator, right: Some(Right::Acknowledge) };
    /// Whoever may send reports.
    pub(super) const REPORT: Access = Access { role: Role::Viewer, right: Some(Right::Report) };

    fn allows(self, token: &Token) -> bool {
        let has_right = self.right.is_none_or(|right| token.rights.has(right));
        token.role >= self.role && has_right
    }

    /// What is wanted, in words.
    fn wanted(self) -> String {
        let role = self.role.name();
        match self.right.map(Right::name) {
            None => format!("this needs the role {role}"),
            Some(right) if self.role == Role::Viewer => format!("this needs the right to {right}"),
            Some(right) => format!("this needs the role {role}, and the right to {right}"),
        }
    }

    /// Routes that only such tokens reach, described as such.
    pub(super) fn guards(self, routes: UtoipaMethodRouter<Web>, web: &Web) -> UtoipaMethodRouter<Web> {
        let (schemas, mut paths, methods) = routes;
        let mut takes = Takes::default();
        for item in paths.paths.values_mut() {
            takes.add(item);
            operations(item).for_each(|operation| self.describe(operation));
        }
        let guard = middleware::from_fn_with_state((self, Arc::new(takes), web.clone()), guard);
        (schemas, paths, methods.route_layer(guard))
    }

    fn describe(self, operation: &mut Operation) {
        operation.security = Some(vec![SecurityRequirement::new(SCHEME, [] as [&str; 0])]);
        let access = json!({ "role": self.role.name(), "right": self.right.map(Right::name) });
        operation.extensions = Some(Extensions::builder().add("x-access", access).build());
        let sentence = self.wanted();
        let description = operation.description.take().unwrap_or_default();
        operation.description = Some(format!("{description}\n\nAccess: {sentence}.").trim_start().to_owned());
        for (status, why) in [("401", "No valid token"), ("403", "The token does not allow it")] {
            operation.responses.responses.insert(status.to_owned(), problem(why).into());
        }
    }
}

/// What a route reads of a request beside its path, as it is described. Whatever else is
/// said is refused: who said it means something by it.
#[derive(Debug, Default)]
struct Takes {
    /// Methods that read parameters of the address.
    query: Vec<Method>,
    /// Methods that read a body.
    body: Vec<Method>,
    /// Methods that go by a condition, and which.
    conditions: Vec<(Method, HeaderName)>,
}

/// What says that something is to be done only if it is still, or not yet, there. Who only
/// looks may say it in vain.
const CONDITIONS: [HeaderName; 2] = [header::IF_MATCH, header::IF_NONE_MATCH];

impl Takes {
    fn add(&mut self, item: &PathItem) {
        let PathItem { get, put, post, delete, .. } = item;
        let methods = [Method::GET, Method::PUT, Method::POST, Method::DELETE];
        for (method, operation) in methods.into_iter().zip([get, put, post, delete]) {
            let Some(operation) = operation else { continue };
            let parameters = operation.parameters.iter().flatten();
            let described = parameters.filter_map(|parameter| match parameter {
                RefOr::T(parameter) => Some(parameter),
                RefOr::Ref(_) => None,
            });
            let described: Vec<&Parameter> = described.collect();
            if described.iter().any(|parameter| parameter.parameter_in == ParameterIn::Query) {
                self.query.push(method.clone());
            }
            let is_read = |condition: &HeaderName| {
                described.iter().any(|parameter| parameter.name.eq_ignore_ascii_case(condition.as_str()))
            };
            let conditions = CONDITIONS.into_iter().filter(is_read);
            self.conditions.extend(conditions.map(|condition| (method.clone(), condition)));
            if operation.request_body.is_some() {
                self.body.push(method);
            }
        }
    }

    fn all_of(&self, request: &Request) -> Result<(), Problem> {
        // HEAD is GET without its answer.
        let method = if *request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let query = request.uri().query().filter(|query| !query.is_empty());
        if let Some(query) = query.filter(|_| !self.query.contains(method)) {
            let name = query.split(['=', '&']).next().unwrap_or_default();
            let name: String = name.chars().take(60).collect();
            return Err(Problem::unfit(name, "nothing is read of this page's address behind the `?`"));
        }
        let is_said = |condition: &HeaderName| {
            request.headers().contains_key(condition)
                && !self.conditions.iter().any(|(of, read)| of == method && read == condition)
        };
        if *method != Method::GET
            && let Some(condition) = CONDITIONS.into_iter().find(is_said)
        {
            let problem = Problem::new(Kind::BadRequest, "nothing here goes by this condition: leave it out");
            return Err(problem.of_field(condition.to_string()));
        }
        let has_body = request.headers().contains_key(header::TRANSFER_ENCODING)
            || request.headers().get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
        if has_body && !self.body.contains(method) {
            return Err(Problem::new(Kind::BadRequest, "no body is read here: leave it out"));
        }
        Ok(())
    }
}

/// A response with a problem, for the OpenAPI document.
pub(super) fn problem(why: &str) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(why).content(MEDIA_TYPE, content).build()
}

/// All operations of a path.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().filter_map(Option::as_mut)
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) Arc<Token>);

impl FromRequestParts<Web> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _web: &Web) -> Result<Caller, Problem> {
        // Whoever forgot the guard reaches nothing.
        parts
            .extensions
            .get::<Caller>()
            .cloned()
            .ok_or_else(|| Problem::new(Kind::Internal, "this page has no guard; nobody may ask for it"))
    }
}

type Guarded = (Access, Arc<Takes>, Web);

async fn guard(State((access, takes, web)): State<Guarded>, mut request: Request, next: Next) -> Response {
    let caller = caller(&web, request.headers());
    if let Some(standing) = request.extensions().get::<Standing>() {
        standing.shows_token(caller.is_ok());
    }
    match caller {
        Ok(token) if access.allows(&token) => {
            if let Err(problem) = takes.all_of(&request) {
                return problem.into_response();
            }
            request.extensions_mut().insert(Caller(token));
            next.run(request).await
        }
        Ok(token) => {
            let detail = format!("the token \"{}\" does not allow this: {}", token.name, access.wanted());
            Problem::new(Kind::Forbidden, detail).into_response()
        }
        Err(why) => {
            static NO_TOKEN: Seldom = Seldom::new(Seldom::EVERY);
            let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
            NO_TOKEN.say(|held_back| {
                tracing::warn!(?peer, held_back, "refused an HTTP request: {}", why.detail());
            });
            why.into_response()
        }
    }
}

/// The token that is sent as `Authorization: Bearer …`.
fn caller(web: &Web, headers: &HeaderMap) -> Result<Arc<Token>, Problem> {
    let Some(said) = headers.get(header::AUTHORIZATION) else {
        return Err(Problem::new(Kind::Unauthorized, "send a token: Authorization: Bearer ww_…"));
    };
    let secret = said.to_str().ok().and_then(|said| {
        let (scheme, secret) = said.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    });
    secret
        .and_then(|secret| web.tokens.find(secret))
        .ok_or_else(|| Problem::new(Kind::Unauthorized, "this token is not valid, or was revoked"))
}
