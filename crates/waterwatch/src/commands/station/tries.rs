//! How long a command that changes stations goes on asking a server that does not answer.

use std::thread;
use std::time::Duration;

use crate::http_client::HttpError;

/// How often a request is tried that had no answer, or that the server has no room for:
/// with the pauses between, some 15 s, as long as a server needs that restarts.
const TRIES_MAX: u32 = 6;

/// The first pause between two tries; each is twice as long as the one before.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// The tries of one thing that is wanted, whatever requests it needs.
pub(super) struct Tries {
    failed: u32,
    pause: Duration,
}

impl Tries {
    pub(super) fn new(first_pause: Duration) -> Tries {
        Tries { failed: 0, pause: first_pause }
    }

    /// Waits, and says whether to try again after one that failed.
    pub(super) fn again(&mut self) -> bool {
        self.failed += 1;
        if self.failed >= TRIES_MAX {
            return false;
        }
        thread::sleep(self.pause);
        self.pause *= 2;
        true
    }
}

/// Whether the server did not answer, or says that it cannot just now.
pub(super) fn is_away(error: &HttpError) -> bool {
    match error {
        HttpError::Unreached { .. } | HttpError::Lost { .. } => true,
        HttpError::Refused(refusal) => refusal.status == 503,
        HttpError::TooLong { .. } | HttpError::Strange { .. } => false,
    }
}
