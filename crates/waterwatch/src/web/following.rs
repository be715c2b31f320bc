//! One who follows the ledger: from where they were, without gap or repetition, and
//! then entry by entry as it is recorded.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::timeout_at;

use super::Web;
use super::asker::Asker;
use super::feed::Told;
use crate::metrics::OpenStream;
use crate::shown::event::{EventObject, UnreadableObject};
use crate::store::reader::{Asked, Entry, Page, Reader, Window};
use crate::store::readers::ReadersError;

/// How often something is said where nothing happens, so that nobody on the way takes
/// the connection for dead, and that we notice who is gone without a word.
const QUIET_MAX: Duration = Duration::from_secs(15);

/// After how long whoever was cut off should come back, in milliseconds.
const COME_BACK_MS: u32 = 2_000;

/// Entries that are read at once by who is not level.
const READ_MAX: usize = 100;

/// Bytes of them that are held until they are sent: one who is slow holds no more,
/// but for a single longer entry.
const HELD_BYTES_MAX: usize = 128 * 1024;

/// How long one reading may take.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// One who follows.
#[derive(Debug)]
pub(super) struct Following {
    web: Web,
    /// By whose token.
    token: Box<str>,
    asker: Asker,
    asked: Asked,
    told: broadcast::Receiver<Arc<Told>>,
    /// All up to there is sent, held, or not asked for.
    position: i64,
    /// What is told next comes right after the position.
    is_level: bool,
    /// What is read and not yet sent.
    held: VecDeque<Bytes>,
    /// When something must be said.
    quiet_until: Instant,
    _place: OwnedSemaphorePermit,
    _counted: OpenStream,
}

/// What is read by who is not level.
#[derive(Debug)]
struct Piece {
    frames: VecDeque<Bytes>,
    position: i64,
    is_all: bool,
}

impl Following {
    /// Follows after this sequence what is asked for.
    pub(super) fn new(
        web: Web,
        place: OwnedSemaphorePermit,
        token: Box<str>,
        asker: Asker,
        asked: Asked,
        position: i64,
    ) -> Following {
        // Before anything is read: what is recorded in between is there twice rather
        // than not at all, and the position tells.
        let told = web.feed.follow();
        let begin = format!("retry: {COME_BACK_MS}\nid: {position}\n\n");
        let quiet_until = Instant::now() + QUIET_MAX;
        let counted = web.metrics.streams.open();
        Following {
            web,
            token,
            asker,
            asked,
            told,
            position,
            is_level: false,
            held: VecDeque::from([begin.into()]),
            quiet_until,
            _place: place,
            _counted: counted,
        }
    }

    /// What is to be sent next; `None`: that was all, also if it could not be believed any
    /// more. Whoever follows comes back then, and goes on from where they were.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let (web, token, asker) = (self.web.clone(), self.token.clone(), self.asker.clone());
        let next = tokio::select! {
            biased;
            () = web.stopping.cancelled() => None,
            // One that is revoked ends what it has begun.
            () = web.tokens.revoked(&token) => None,
            () = web.feed.until_stale() => None,
            // Their place is another's at once: whoever reloads a page comes back for it.
            () = asker.gone() => None,
            next = self.recorded() => next,
        };
        self.quiet_until = Instant::now() + QUIET_MAX;
        next
    }

    async fn recorded(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.held.pop_front() {
                return Some(frame);
            }
            if !self.is_level {
                let read = self.read_on().await;
                if let Err(error) = read {
                    tracing::debug!(%error, "a stream of events ends: the ledger was not read");
                    return None;
                }
                continue;
            }
            match timeout_at(self.quiet_until.into(), self.told.recv()).await {
                Ok(Ok(told)) if told.entry.sequence() > self.position => {
                    self.position = told.entry.sequence();
                    if told.fits(&self.asked) {
                        return Some(told.frame.clone());
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Lagged(_))) => self.is_level = false,
                Ok(Err(RecvError::Closed)) => return None,
                // With the position: what was not asked for is not gone through again.
                Err(_) => return Some(format!(": still here\nid: {}\n\n", self.position).into()),
            }
        }
    }

    /// Reads from the ledger what comes after the position: a piece of it.
    async fn read_on(&mut self) -> Result<(), ReadersError> {
        let recorded = self.web.feed.newest();
        let asked =
            Asked { window: Window::After(self.position), entries_max: READ_MAX, ..self.asked.clone() };
        let position = self.position;
        let read = move |reader: &Reader| reader.events(&asked).map(|page| Piece::of(page, position));
        let Piece { frames, position, is_all } =
            self.web.readers.read(Instant::now() + READ_WITHIN, read).await?;
        self.held = frames;
        self.position = if is_all { position.max(recorded) } else { position };
        self.is_level = is_all;
        Ok(())
    }
}

impl Piece {
    fn of(mut page: Page, mut position: i64) -> Piece {
        let (listeners, next) = (std::mem::take(&mut page.listeners), page.next);
        let (mut frames, mut bytes) = (VecDeque::new(), 0);
        for entry in page.into_entries() {
            if bytes >= HELD_BYTES_MAX {
                return Piece { frames, position, is_all: false };
            }
            let frame = frame(&entry, &listeners);
            bytes += frame.len();
            frames.push_back(frame);
            position = entry.sequence();
        }
        if let Some(Window::After(next)) = next {
            position = next;
        }
        Piece { frames, position, is_all: next.is_none() }
    }
}

/// An entry as it is sent: its sequence is the id by which whoever was cut off goes on.
pub(super) fn frame(entry: &Entry, listeners: &HashMap<u16, String>) -> Bytes {
    // Numbers and texts: it cannot fail. JSON has no newline but in its blanks.
    let (kind, json) = match entry {
        Entry::Read(event) => {
            let object = EventObject::new(event, listeners);
            (object.kind, serde_json::to_string(&object).unwrap_or_default())
        }
        Entry::Unreadable(entry) => {
            let object = UnreadableObject::new(entry);
            (UnreadableObject::KIND, serde_json::to_string(&object).unwrap_or_default())
        }
    };
    let mut frame = String::with_capacity(json.len() + 64);
    let _ = write!(frame, "id: {}\nevent: {kind}\ndata: {json}\n\n", entry.sequence());
    frame.into()
}
