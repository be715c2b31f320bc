//! Tags of what is said, and changes that are made only while it is that
//! (RFC 9110, sections 8.8.3 and 13.1.1).

use axum::Json as Answer;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::said_tag::SaidTag;
use crate::web::Web;
use crate::web::problem::{Kind, Problem};

/// Settings as they are read, with the tag of what is said there.
pub(in crate::web::api) struct Tagged<T>(pub(super) SaidTag, pub(super) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let Tagged(tag, body) = self;
        ([(header::ETAG, format!("\"{tag}\""))], Answer(body)).into_response()
    }
}

/// What must be said until now for a change to be made; `None`: whatever is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web::api) struct IfMatch(pub(in crate::web::api) Option<Box<[SaidTag]>>);

impl FromRequestParts<Web> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _web: &Web) -> Result<IfMatch, Problem> {
        if_match(&parts.headers)
    }
}

/// The same for those who put: they may ask as well that nothing is said there yet.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web::api) enum OnlyIf {
    /// One of these is the tag of what is said; `None`: whatever is said.
    Said(Option<Box<[SaidTag]>>),
    /// Nothing is said.
    Nothing,
}

impl OnlyIf {
    /// As the writer takes it.
    pub(super) fn said(&self) -> Option<Box<[SaidTag]>> {
        match self {
            OnlyIf::Said(tags) => tags.clone(),
            OnlyIf::Nothing => Some([SaidTag::of(&[])].into()),
        }
    }

    /// What is told of what became of it.
    pub(super) fn told<T>(&self, done: Result<T, Problem>) -> Result<T, Problem> {
        match (self, done) {
            (OnlyIf::Nothing, Err(problem)) if problem.is(Kind::Changed) => {
                let detail = "something is said there already: read it, and change that";
                Err(Problem::new(Kind::Changed, detail).of_field("If-None-Match"))
            }
            (_, done) => done,
        }
    }
}

impl FromRequestParts<Web> for OnlyIf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _web: &Web) -> Result<OnlyIf, Problem> {
        only_if(&parts.headers)
    }
}

fn only_if(headers: &HeaderMap) -> Result<OnlyIf, Problem> {
    let said = if_match(headers)?;
    let mut none = headers.get_all(header::IF_NONE_MATCH).iter();
    let unfit = |detail| Problem::new(Kind::BadRequest, detail).of_field("If-None-Match");
    match (none.next(), none.next(), said) {
        (None, _, IfMatch(tags)) => Ok(OnlyIf::Said(tags)),
        (Some(_), _, IfMatch(Some(_))) => Err(unfit("send this or If-Match, not both")),
        (Some(any), None, IfMatch(None)) if any.as_bytes().trim_ascii() == b"*" => Ok(OnlyIf::Nothing),
        _ => Err(unfit("it can only be *: put if nothing is said there; If-Match takes tags")),
    }
}

/// The header, for the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `IfMatch` reads")]
pub(in crate::web::api) struct IfMatchParams {
    /// The `ETag` of the settings as they were read: nothing is changed if something else is said there by now.
    #[param(rename = "If-Match", value_type = String, required = false, pattern = r#"^"[0-9a-f]{32}"$"#,
        example = "\"e3b0c44298fc1c149afbf4c8996fb924\"")]
    if_match: Option<String>,
}

/// The other header, for the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `OnlyIf` reads")]
pub(in crate::web::api) struct IfNoneMatchParams {
    /// `*`: put only if nothing is said there yet.
    #[param(rename = "If-None-Match", value_type = String, required = false, pattern = r"^\*$", example = "*")]
    if_none_match: Option<String>,
}

/// What the header says. Its length is bounded by that of a head.
fn if_match(headers: &HeaderMap) -> Result<IfMatch, Problem> {
    let mut lines = headers.get_all(header::IF_MATCH).iter().peekable();
    if lines.peek().is_none() {
        return Ok(IfMatch(None));
    }
    let mut tags = Vec::new();
    for line in lines {
        // Something is always there, if only that nothing is said.
        if line.as_bytes().trim_ascii() == b"*" {
            return Ok(IfMatch(None));
        }
        tags.extend(tags_of(line.as_bytes()).ok_or_else(|| {
            Problem::new(Kind::BadRequest, "write it as the ETag was, with its quotes, or leave it out")
                .of_field("If-Match")
        })?);
    }
    Ok(IfMatch(Some(tags.into())))
}

/// The tags of ours in a list; weak ones and those of others are the tag of nothing.
fn tags_of(mut list: &[u8]) -> Option<Vec<SaidTag>> {
    let mut tags = Vec::new();
    loop {
        list = list.trim_ascii_start();
        let weak = list.strip_prefix(b"W/");
        let opaque = weak.unwrap_or(list).strip_prefix(b"\"")?;
        let end = opaque.iter().position(|byte| *byte == b'"')?;
        let (tag, rest) = opaque.split_at(end);
        if weak.is_none() {
            tags.extend(std::str::from_utf8(tag).ok().and_then(|tag| tag.parse::<SaidTag>().ok()));
        }
        list = match rest.get(1..)?.trim_ascii() {
            [] => return Some(tags),
            [b',', list @ ..] => list,
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_read_as_the_standard_says() {
        let (ours, other) = (SaidTag::of(&[]).to_string(), "0".repeat(32));
        let tag = |text: &str| text.parse::<SaidTag>().unwrap();
        for (lines, wanted) in [
            (&[][..], Some(None)),
            (&["*"], Some(None)),
            (&[&format!("\"{ours}\"")], Some(Some(vec![tag(&ours)]))),
            (&[&format!(" \"{other}\" ,\"{ours}\"")], Some(Some(vec![tag(&other), tag(&ours)]))),
            (&[&format!("\"{other}\""), &format!("\"{ours}\"")], Some(Some(vec![tag(&other), tag(&ours)]))),
            // A comparison is strong; what is no tag of ours is that of nothing.
            (&[&format!("W/\"{ours}\", \"a,b\", \"\"")], Some(Some(vec![]))),
            (&[&ours], None),
            (&[&format!("\"{ours}")], None),
            (&[&format!("\"{ours}\" \"{other}\"")], None),
            (&[&format!("\"{ours}\",")], None),
            (&[""], None),
        ] {
            let mut headers = HeaderMap::new();
            lines.iter().for_each(|line: &&str| {
                headers.append(header::IF_MATCH, line.parse().unwrap());
            });
            let read = if_match(&headers).ok().map(|IfMatch(tags)| tags.map(Vec::from));
            assert_eq!(read, wanted, "{lines:?}");
        }
    }
    #[test]
    fn whoever_puts_may_ask_that_nothing_is_there() {
        let ours = format!("\"{}\"", SaidTag::of(&[]));
        let nothing = Some(OnlyIf::Nothing);
        for (none, matches, wanted) in [
            (&[][..], "*", Some(OnlyIf::Said(None))),
            (&[" *"], "*", nothing),
            (&["*"], &*ours, None),
            (&["*", "*"], "*", None),
            (&[&*ours], "*", None),
            (&[""], "*", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, matches.parse().unwrap());
            none.iter().for_each(|line: &&str| {
                headers.append(header::IF_NONE_MATCH, line.parse().unwrap());
            });
            assert_eq!(only_if(&headers).ok(), wanted, "{none:?} {matches}");
        }
    }
}
