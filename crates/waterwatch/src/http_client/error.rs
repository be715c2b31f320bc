//! Why a request to the server did not come to what was wanted.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use anyhow::anyhow;
use serde::Deserialize;
use thiserror::Error;

use super::ServerUrl;
use crate::failure::Failure;
use crate::shown::text::plain;

/// How much of what a server says is shown: some sentences.
const SAID_CHARS_MAX: usize = 1_000;

/// Why there is no answer that is well.
#[derive(Debug, Error)]
pub enum HttpError {
    /// Nobody is there: nothing was sent.
    #[error("no server answers at {server}: {why}")]
    Unreached {
        /// Where.
        server: ServerUrl,
        /// What the system says.
        why: String,
    },
    /// The server said why not.
    #[error(transparent)]
    Refused(Refusal),
    /// It was sent, and no whole answer came.
    #[error("the server at {server} did not answer: {why}")]
    Lost {
        /// Where.
        server: ServerUrl,
        /// What the system says.
        why: String,
    },
    /// What came goes on for longer than any answer of ours.
    #[error("the answer of the server at {server} has more than {bytes_max} bytes, and was not read")]
    TooLong {
        /// Where.
        server: ServerUrl,
        /// How many it may have.
        bytes_max: u64,
    },
    /// What came is no answer of ours.
    #[error("what answers at {server} is no waterwatch, or another version of it (HTTP status {status})")]
    Strange {
        /// Where.
        server: ServerUrl,
        /// The status.
        status: u16,
    },
}

/// What the server says is wrong.
#[derive(Debug, Error)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, and what to do.
    pub detail: String,
    /// Which field of the request is wrong, if one is.
    pub field: Option<String>,
    /// The occurrence that is open, where another was named.
    pub current_occurrence: Option<i64>,
    /// The file with the token that was sent.
    token_file: Option<PathBuf>,
}

impl Refusal {
    /// Whether it may have been done all the same.
    fn is_open(&self) -> bool {
        matches!(self.status, 500 | 504)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { status, detail, field, .. } = self;
        let token = self.token_file.as_ref().map(|file| file.display());
        match (status, field, token) {
            (401, _, Some(file)) => {
                write!(
                    f,
                    "the server does not take the token in {file}: {detail}; --token-file names another one"
                )
            }
            (403, _, Some(file)) => {
                write!(f, "{detail}; it is in {file}, and --token-file names another one")
            }
            (422, Some(field), _) => write!(f, "{field}: {detail}"),
            _ => f.write_str(detail),
        }
    }
}

/// A problem as the server writes it (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
    field: Option<String>,
    current_occurrence: Option<i64>,
}

impl HttpError {
    pub(super) fn of_sending(server: &ServerUrl, error: &reqwest::Error) -> HttpError {
        let server = server.clone();
        if error.is_connect() {
            return HttpError::Unreached { server, why: root(error) };
        }
        let why = if error.is_timeout() { "it takes too long".to_owned() } else { root(error) };
        HttpError::Lost { server, why }
    }

    /// Of what was asked before anything was to change.
    pub fn before_a_change(self) -> Failure {
        match Failure::from(self) {
            Failure::Failed(error) => Failure::Failed(anyhow!("{error:#}; nothing was changed")),
            wrong => wrong,
        }
    }

    pub(super) fn of_answer(
        server: &ServerUrl,
        status: u16,
        body: &[u8],
        token_file: Option<PathBuf>,
    ) -> HttpError {
        let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
            return HttpError::Strange { server: server.clone(), status };
        };
        let said = |text: String| plain(&text).chars().take(SAID_CHARS_MAX).collect();
        HttpError::Refused(Refusal {
            status,
            detail: said(problem.detail),
            field: problem.field.map(said),
            current_occurrence: problem.current_occurrence,
            token_file,
        })
    }

    /// Whether it may have been done all the same.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self {
            HttpError::Unreached { .. } => false,
            HttpError::Refused(refusal) => refusal.is_open(),
            HttpError::Lost { .. } | HttpError::TooLong { .. } | HttpError::Strange { .. } => true,
        }
    }

    /// Whether the same request is refused again, however late it comes.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            // Not: it took too long, somebody else was first, too many at once.
            HttpError::Refused(Refusal { status, .. }) => {
                (400..500).contains(status) && !matches!(status, 408 | 409 | 412 | 429)
            }
            HttpError::Strange { .. } | HttpError::TooLong { .. } => true,
            HttpError::Unreached { .. } | HttpError::Lost { .. } => false,
        }
    }

    /// How a command ends that wanted something changed. `look` is the command that
    /// shows whether it was.
    #[must_use]
    pub fn of_a_change(self, look: &str) -> Failure {
        match self {
            HttpError::Refused(refusal) if refusal.status == 422 => Failure::wrong_input(refusal),
            // The server says itself that it is not known.
            HttpError::Refused(refusal) if refusal.is_open() => {
                Failure::Failed(anyhow!("{refusal} (`{look}` shows it)"))
            }
            error if error.is_open() => {
                Failure::Failed(anyhow!("{error}; whether it was done is not known: `{look}` shows it"))
            }
            error => Failure::Failed(error.into()),
        }
    }
}

/// What is at the bottom of an error: what the system says, and not how it was come by.
fn root(error: &reqwest::Error) -> String {
    let mut bottom: &dyn Error = error;
    while let Some(source) = bottom.source() {
        bottom = source;
    }
    bottom.to_string()
}
