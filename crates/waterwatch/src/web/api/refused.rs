//! The lines and reports that were refused of late.

use std::collections::HashMap;
use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{Code, Word};
use crate::refused::RefusedLine;
use crate::shown::words;
use crate::web::Web;
use crate::web::extract::{List, QueryString};

/// Which of them are asked for.
// Not imported: what the macros write would be a path too long then.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only with these codes, with commas between them.
    #[serde(default)]
    #[param(value_type = Option<Vec<words::RefusalCode>>, style = Form, explode = false, min_items = 1)]
    code: List<Word<Code>>,
    /// Only from this address.
    #[param(value_type = Option<String>, example = "10.20.0.7")]
    peer: Option<IpAddr>,
}

/// The lines and reports that were refused of late.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedObject {
    /// The newest first, 256 at most; forgotten when the server ends.
    lines: Vec<RefusedLineObject>,
}

/// One line that was refused, or a report that came over HTTP.
#[derive(Debug, Serialize, ToSchema)]
struct RefusedLineObject {
    /// When it came.
    #[schema(value_type = Option<String>, format = DateTime)]
    received_at: Option<Timestamp>,
    /// The address that it came from.
    #[schema(example = "10.20.0.7")]
    peer: Option<String>,
    /// The address that heard it; null if that is not known.
    listener: Option<String>,
    /// The name of the token with which it came; null over the line protocol.
    #[schema(example = "gateway")]
    token: Option<String>,
    /// The code of the reply; docs/protocol.md lists them.
    #[schema(value_type = words::RefusalCode, example = "fields")]
    code: &'static str,
    /// Its beginning, 80 bytes at most, escaped where it is not printable ASCII; of a whole report, which is refused
    /// for its station, the station's id.
    #[schema(example = "123;0;1")]
    text: String,
}

/// The last lines that were refused
///
/// A station that sends what is refused looks silent: here is what it sends, and from where. Reports over HTTP that
/// are refused by themselves are among them; a request that is refused as a whole is not.
#[utoipa::path(get, path = "/refused", tag = "reports", params(Asked), responses((status = 200, body = RefusedObject)))]
pub(super) async fn refused(
    State(web): State<Web>,
    QueryString(asked): QueryString<Asked>,
) -> Json<RefusedObject> {
    let is_asked = |line: &RefusedLine| {
        let codes = &asked.code.0;
        let is_code = codes.is_empty() || codes.iter().any(|Word(Code(code))| *code == line.code);
        is_code && asked.peer.is_none_or(|peer| line.origin.address() == Some(peer.to_canonical()))
    };
    let lines = web.lane.refused().lines().into_iter().rev().filter(is_asked);
    Json(RefusedObject { lines: lines.map(|line| object(line, &web.listeners)).collect() })
}

fn object(line: RefusedLine, listeners: &HashMap<u16, String>) -> RefusedLineObject {
    let RefusedLine { at_ms, origin, token, code, text } = line;
    RefusedLineObject {
        received_at: Timestamp::from_millisecond(at_ms).ok(),
        peer: origin.address().map(|address| address.to_string()),
        listener: listeners.get(&origin.listener).cloned(),
        token: token.map(Into::into),
        code,
        text,
    }
}
