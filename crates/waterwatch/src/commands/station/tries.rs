//! How long a command that changes stations goes on asking a server that does not answer.

use std::thread;
use std::time::{Duration, Instant};

use crate::http_client::HttpError;

/// How often a request is tried that had no answer, or that the server has no room for:
/// with the pauses between, some 15 s, as long as a server needs that restarts.
const TRIES_MAX: u32 = 6;

/// How long is gone on trying, whatever the answers take: a disk without room keeps each
/// of them waiting, and whoever sits there is to hear of it.
const TRIED_FOR_MAX: Duration = Duration::from_secs(30);

/// The first pause between two tries; each is twice as long as the one before.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// The tries of one thing that is wanted, whatever requests it needs.
pub(super) struct Tries {
    began: Instant,
    failed: u32,
    pause: Duration,
}

impl Tries {
    pub(super) fn new(first_pause: Duration) -> Tries {
        Tries { began: Instant::now(), failed: 0, pause: first_pause }
    }

    /// Waits, and says whether to try again after one that failed.
    pub(super) fn again(&mut self) -> bool {
        self.failed += 1;
        if self.failed >= TRIES_MAX || self.began.elapsed() >= TRIED_FOR_MAX {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_after_some_tries_or_some_time() {
        let mut tries = Tries::new(Duration::ZERO);
        assert_eq!([(); TRIES_MAX as usize].map(|()| tries.again()), [true, true, true, true, true, false]);
        let mut slow = Tries::new(Duration::ZERO);
        slow.began -= TRIED_FOR_MAX;
        assert!(!slow.again());
    }
}
