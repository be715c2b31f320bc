//! The API: every route, who may ask for it, and the document that describes
//! them.

mod alarm_commands;
mod alarms;
mod events;
mod oncall;
mod order;
mod refused;
mod reports;
mod settings;
mod station_commands;
mod stations;
mod stream;
mod tokens;
mod words;

use std::sync::Arc;

use axum::Extension;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserializer;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, Info, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Access, SCHEME, operations, problem};
use super::extract::number_or_text;
use super::problem::{Kind, Problem};
use super::{Deadline, Web, health, metrics};
use crate::store::reader::{ReadError, Reader};
use crate::store::readers::ReadersError;

/// Every route there is.
pub(super) fn routes(web: &Web) -> OpenApiRouter<Web> {
    use Access as Of;
    let table = [
        (Of::VIEWER, routes!(alarms::list)),
        (Of::VIEWER, routes!(alarms::one)),
        (Of::VIEWER, routes!(alarms::explain)),
        (Of::ACKNOWLEDGE, routes!(alarm_commands::acknowledge)),
        (Of::ACKNOWLEDGE, routes!(alarm_commands::acknowledge_many)),
        (Of::OPERATOR, routes!(alarm_commands::shelve)),
        (Of::OPERATOR, routes!(alarm_commands::unshelve)),
        (Of::OPERATOR, routes!(alarm_commands::take_out_of_service)),
        (Of::OPERATOR, routes!(alarm_commands::return_to_service)),
        (Of::OPERATOR, routes!(alarm_commands::note)),
        (Of::VIEWER, routes!(stations::list)),
        (Of::VIEWER, routes!(stations::one)),
        (Of::VIEWER, routes!(stations::spans)),
        (Of::OPERATOR, routes!(station_commands::pause)),
        (Of::OPERATOR, routes!(station_commands::resume)),
        (Of::OPERATOR, routes!(station_commands::begin_visit)),
        (Of::OPERATOR, routes!(station_commands::end_visit)),
        (Of::OPERATOR, routes!(station_commands::retire)),
        (Of::ADMIN, routes!(station_commands::forget)),
        (Of::ADMIN, routes!(settings::put_station)),
        (Of::VIEWER, routes!(settings::station)),
        (Of::VIEWER, routes!(settings::listed::stations)),
        (Of::VIEWER, routes!(settings::areas)),
        (Of::VIEWER, routes!(settings::area)),
        (Of::ADMIN, routes!(settings::put_area)),
        (Of::VIEWER, routes!(settings::fleet)),
        (Of::ADMIN, routes!(settings::put_fleet)),
        (Of::REPORT, routes!(reports::report)),
        (Of::VIEWER, routes!(refused::refused)),
        (Of::VIEWER, routes!(events::events)),
        (Of::VIEWER, routes!(stream::stream)),
        (Of::VIEWER, routes!(oncall::oncall)),
        (Of::ADMIN, routes!(tokens::list, tokens::add)),
        (Of::ADMIN, routes!(tokens::revoke)),
        (Of::VIEWER, routes!(openapi)),
    ];
    let api = table
        .into_iter()
        .fold(OpenApiRouter::new(), |api, (access, routes)| api.routes(access.guards(routes, web)));
    OpenApiRouter::with_openapi(described())
        .nest("/api/v1", api)
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(Access::VIEWER.guards(routes!(metrics::metrics), web))
}

fn described() -> OpenApi {
    let description = "Hears remote water stations, keeps their alarms, and says what happened. \
        Times are RFC 3339, UTC. Every call but health needs a token (Authorization: Bearer). A station's \
        `station_id` is a number up to 2^63-1, which JavaScript cannot hold above 2^53-1: `id` is the same as a text, \
        and a request may write either.";
    let mut info = Info::new("waterwatch", env!("CARGO_PKG_VERSION"));
    info.description = Some(description.to_owned());
    let mut components = Components::new();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token, as `waterwatch token add` prints it"))
        .build();
    components.security_schemes.insert(SCHEME.to_owned(), SecurityScheme::Http(token).into());
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// The document of all of them, as it is served.
#[derive(Clone, Debug)]
pub(super) struct Document(Arc<str>);

impl Document {
    /// Of routes that are complete.
    pub(super) fn of(mut described: OpenApi) -> Document {
        for operation in described.paths.paths.values_mut().flat_map(operations) {
            // Whatever else goes wrong is a problem as well.
            operation.responses.responses.insert("default".to_owned(), problem("Anything else").into());
        }
        // Texts and numbers: it cannot fail.
        Document(serde_json::to_string(&described).unwrap_or_default().into())
    }
}

/// The OpenAPI document of this API
#[utoipa::path(get, path = "/openapi.json", tag = "health", responses((status = 200, body = serde_json::Value)))]
async fn openapi(Extension(Document(text)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text.to_string()).into_response()
}

/// What is read beside the writer, within the time of the request.
async fn read<T: Send + 'static>(
    web: &Web,
    Deadline(deadline): Deadline,
    read: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
) -> Result<T, Problem> {
    web.readers.read(deadline, read).await.map_err(|error| match error {
        ReadersError::TimedOut => Problem::new(Kind::Unavailable, format!("{error}; ask again, or for less")),
        ReadersError::Failed(error) => {
            tracing::error!(%error, "cannot read the database for an HTTP request");
            Problem::new(Kind::Internal, "the database cannot be read; the log says more")
        }
    })
}

/// A number in a query, if it is there.
fn number_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    number_or_text(deserializer).map(Some)
}
