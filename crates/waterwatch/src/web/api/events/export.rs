//! The ledger as CSV, of any length: read page by page, each when the one before is
//! on its way, so that an export of millions holds neither memory nor the database.

use std::io;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::newest;
use crate::shown::csv::write_events;
use crate::store::reader::{Asked, Page, Reader, Window};
use crate::web::api::read;
use crate::web::problem::Problem;
use crate::web::{Deadline, Web};

/// Entries of a page.
const PAGE: u64 = 1_000;

/// How long one page may take to read.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// An export that goes on.
struct Export {
    web: Web,
    /// By whose token.
    token: Box<str>,
    asked: Asked,
    /// How many more rows are wanted.
    left: u64,
    /// Entries that were recorded after it began are not part of it: it has an end.
    end: i64,
    /// Its header is on its way.
    is_begun: bool,
    is_over: bool,
}

/// What is read at once.
struct Piece {
    rows: Vec<u8>,
    count: usize,
    next: Option<Window>,
}

/// So many rows at most; all if nothing is said.
pub(super) async fn answer(
    web: Web,
    token: Box<str>,
    deadline: Deadline,
    asked: Asked,
    limit: Option<u64>,
) -> Result<Response, Problem> {
    let end = newest(&web, deadline).await?;
    let left = limit.unwrap_or(u64::MAX);
    let mut export = Export { web, token, asked, left, end, is_begun: false, is_over: false };
    // As long as nothing is sent, what fails can be said.
    let first = export.piece().await?;
    let pieces = stream::try_unfold((Some(first), export), async |(first, mut export)| {
        let piece = match first {
            Some(first) => Some(first),
            None => export.next().await?,
        };
        Ok::<_, io::Error>(piece.map(|piece| (piece, (None, export))))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"events.csv\"")),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

impl Export {
    /// The next rows; `None`: that was all. After an error the connection is closed
    /// before the end of the body, so that who reads it knows that something is
    /// missing.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let (web, token) = (self.web.clone(), self.token.clone());
        while !self.is_over {
            let rows = tokio::select! {
                biased;
                () = web.stopping.cancelled() => return Err(io::Error::other("the server stops")),
                () = web.tokens.revoked(&token) => return Err(io::Error::other("its token was revoked")),
                rows = self.piece() => rows.map_err(|problem| io::Error::other(problem.detail().to_owned()))?,
            };
            // Among what was looked at there may be nothing.
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    /// One page of it.
    async fn piece(&mut self) -> Result<Bytes, Problem> {
        let entries_max = usize::try_from(self.left.min(PAGE)).unwrap_or(usize::MAX);
        let asked = Asked { entries_max, ..self.asked.clone() };
        let (end, with_header) = (self.end, !self.is_begun);
        let page = move |reader: &Reader| {
            let mut page = reader.events(&asked)?;
            let (listeners, next) = (std::mem::take(&mut page.listeners), page.next);
            let mut entries = Page::into_entries(page);
            match asked.window {
                Window::After(_) => entries.retain(|entry| entry.sequence() <= end),
                Window::Before(_) | Window::Newest => entries.reverse(),
            }
            let mut rows = Vec::new();
            let written = write_events(&mut rows, with_header, &entries, &listeners);
            Ok(written.map(|()| Piece { rows, count: entries.len(), next }))
        };
        let written = read(&self.web, Deadline(Instant::now() + READ_WITHIN), page).await?;
        // Into memory, and each row has as many cells as the header.
        let Piece { rows, count, next } = written.expect("rows can be written");
        self.is_begun = true;
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        match next {
            Some(next) if self.left > 0 && !self.is_behind(next) => self.asked.window = next,
            _ => self.is_over = true,
        }
        Ok(rows.into())
    }

    /// Whether nothing is there that was recorded when the export began.
    fn is_behind(&self, next: Window) -> bool {
        matches!(next, Window::After(sequence) if sequence >= self.end)
    }
}
