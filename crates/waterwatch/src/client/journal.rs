//! What the client tells its log: each thing once, until it changes.
//!
//! A station may be cut off for weeks with nobody there to read the log, and
//! the one line that says why must not drown in its repetitions.

use std::time::Duration;

use tracing::{debug, error, info, warn};
use waterwatch_core::Report;
use waterwatch_core::wire::Reply;

use super::exchange::{Outcome, TroubleKind};
use super::status_file::{Reading, StatusFile};
use crate::server_address::ServerAddress;

/// Writes the client's log.
pub(super) struct Journal {
    file: StatusFile,
    server: ServerAddress,
    /// How the last report went.
    verdict: Option<Verdict>,
}

/// How a report went, as far as the log is concerned: an equal verdict is no
/// news.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Acknowledged(Report),
    /// The whole reply, so that another reason is news.
    Refused {
        code: String,
        sentence: String,
    },
    /// The kind alone: the text of one kind of failure may differ each time.
    Failed(TroubleKind),
}

impl Journal {
    pub(super) fn new(file: StatusFile, server: ServerAddress) -> Journal {
        Journal { file, server, verdict: None }
    }

    /// The file says something else than before.
    pub(super) fn reading(&self, before: Option<&Reading>, now: &Reading) {
        let path = self.file.path.display();
        match (before, now) {
            (_, Reading::Wrong(wrong)) => error!("{wrong} (nothing is reported until it is mended)"),
            (_, Reading::Stale) => warn!("{}; it is not reported until it is changed", stale(&self.file)),
            (Some(Reading::Wrong(_)), Reading::Fresh(report)) => info!("{path} is mended: {report}"),
            (Some(Reading::Stale), Reading::Fresh(report)) => info!("{path} is kept up again: {report}"),
            (_, Reading::Fresh(report)) => debug!("{path} says {report}"),
        }
    }

    /// A report was tried; `failures` attempts in a row had failed before.
    pub(super) fn outcome(&mut self, report: Report, outcome: &Outcome, failures: u32) {
        let server = &self.server;
        let verdict = Verdict::of(report, outcome);
        let is_news = self.verdict.as_ref() != Some(&verdict);
        self.verdict = Some(verdict);
        match outcome {
            Ok(Reply::Ok) if !is_news => debug!("{server} acknowledged {report}"),
            Ok(Reply::Ok) if failures == 0 => info!("{server} acknowledged {report}"),
            Ok(Reply::Ok) => info!("{server} acknowledged {report}, after {failures} failed attempts"),
            Ok(Reply::Refused { code, sentence }) if is_news => {
                error!("{server} refused {report}: {code}: {sentence}");
            }
            Ok(Reply::Refused { code, sentence }) => {
                debug!("{server} refused {report}: {code}: {sentence}");
            }
            Err(trouble) if is_news => {
                warn!("{server} did not acknowledge {report}: {trouble} (trying again until it does)");
            }
            Err(trouble) => debug!("{server} did not acknowledge {report}: {trouble}"),
        }
    }
}

impl Verdict {
    fn of(report: Report, outcome: &Outcome) -> Verdict {
        match outcome {
            Ok(Reply::Ok) => Verdict::Acknowledged(report),
            Ok(Reply::Refused { code, sentence }) => {
                Verdict::Refused { code: code.clone(), sentence: sentence.clone() }
            }
            Err(trouble) => Verdict::Failed(trouble.kind()),
        }
    }
}

/// That the file is stale, as the beginning of a sentence.
pub(super) fn stale(file: &StatusFile) -> String {
    let limit = file.stale_after.map(in_words).unwrap_or_default();
    format!("{} was last changed more than {limit} ago", file.path.display())
}

/// A span of time as a person writes it: `1m`, `1h 30m`.
pub(super) fn in_words(span: Duration) -> String {
    jiff::SignedDuration::try_from(span).map_or_else(|_| format!("{span:?}"), |span| format!("{span:#}"))
}

#[cfg(test)]
mod tests {
    use super::super::exchange::Trouble;
    use super::*;

    #[test]
    fn only_what_differs_is_news() {
        let report = |line: &[u8]| waterwatch_core::wire::parse(line).unwrap();
        let refused =
            |sentence: &str| Ok(Reply::Refused { code: "alarm".to_owned(), sentence: sentence.to_owned() });
        let (off, on) = (report(b"123 0 0"), report(b"123 1 0"));
        assert_eq!(Verdict::of(off, &Ok(Reply::Ok)), Verdict::of(off, &Ok(Reply::Ok)));
        assert_ne!(Verdict::of(off, &Ok(Reply::Ok)), Verdict::of(on, &Ok(Reply::Ok)));
        assert_eq!(Verdict::of(off, &refused("a")), Verdict::of(on, &refused("a")));
        assert_ne!(Verdict::of(off, &refused("a")), Verdict::of(off, &refused("b")));
        assert_eq!(Verdict::of(off, &Err(Trouble::Closed)), Verdict::of(on, &Err(Trouble::Closed)));
        assert_ne!(Verdict::of(off, &Err(Trouble::Closed)), Verdict::of(off, &Ok(Reply::Ok)));
    }

    #[test]
    fn spans_are_told_as_they_are_written() {
        assert_eq!(in_words(Duration::from_secs(60)), "1m");
        assert_eq!(in_words(Duration::from_secs(5400)), "1h 30m");
        assert_eq!(in_words(Duration::MAX), format!("{:?}", Duration::MAX));
    }
}
