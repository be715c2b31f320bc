//! What lines and reports were refused of late: a station that sends, and is refused, looks
//! silent, and whoever looks for the reason finds it here.
//!
//! In memory alone, and bounded whatever is sent.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use waterwatch_core::wire::Refusal;
use waterwatch_core::{Origin, StationId};

/// Lines that are kept for whoever looks: what came within the last minutes of an
/// ordinary day.
const LINES_MAX: usize = 256;

/// Reports of one request, or of one piece that a gateway sent, that are kept there: the
/// others are refused alike, and must not push out what others sent.
const LINES_TOGETHER_MAX: usize = 16;

/// Bytes of a line that are kept: enough to recognise it.
const LINE_BYTES_KEPT: usize = 80;

/// Stations whose last refusal is kept, in each of two halves: more than are ever
/// wrongly set up at once. Beyond that those that were not refused for longest go.
const STATIONS_MAX: usize = 4_096;

/// Stations that the writer is told of at a time. The others are told again with
/// their next line.
const NEWS_MAX: usize = 1_024;

/// What lines were refused of late.
#[derive(Debug, Default)]
pub struct Refused {
    kept: Mutex<Kept>,
    /// The newest sequence that is recorded.
    sequence: AtomicI64,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<RefusedLine>,
    /// The last refusal of each station: lately, and before.
    lately: HashMap<StationId, LastRefusal>,
    before: HashMap<StationId, LastRefusal>,
    /// Stations that were refused since the writer last asked.
    news: Vec<StationId>,
}

/// One line that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine {
    /// When, in milliseconds UTC.
    pub at_ms: i64,
    /// Where it came from.
    pub origin: Origin,
    /// With which token it came; none comes over the line protocol.
    pub token: Option<Box<str>>,
    /// The code of the reply.
    pub code: &'static str,
    /// Its beginning, with all escaped that is not printable; of a whole report its
    /// station.
    pub text: String,
}

/// The last refusal of a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRefusal {
    /// When, in milliseconds UTC.
    pub at_ms: i64,
    /// Where the line came from.
    pub origin: Origin,
    /// Why.
    pub refusal: Refusal,
    /// The newest sequence that was recorded then: what the station reported with
    /// a later one came after it.
    after_sequence: i64,
}

impl Refused {
    /// Keeps that a line was refused, of this station if it could be told.
    pub fn note(&self, station: Option<StationId>, line: &[u8], origin: Origin, refusal: Refusal) {
        let text = line[..line.len().min(LINE_BYTES_KEPT)].escape_ascii().to_string();
        self.keep_line((text, None), origin, &refusal);
        if let Some(id) = station {
            self.keep_station(id, origin, refusal);
        }
    }

    /// Keeps which of the reports that came together were refused, by whichever door. Each
    /// was whole: which station it was of says what is wrong.
    pub fn note_reports(&self, verdict: &[(usize, Refusal)], origin: Origin, token: Option<&str>) {
        for (place, (_, refusal)) in verdict.iter().enumerate() {
            let station = refusal.station_id();
            if place < LINES_TOGETHER_MAX {
                let text = station.map_or(String::new(), |id| id.to_string());
                self.keep_line((text, token.map(Into::into)), origin, refusal);
            }
            if let Some(id) = station {
                self.keep_station(id, origin, *refusal);
            }
        }
    }

    fn keep_line(&self, (text, token): (String, Option<Box<str>>), origin: Origin, refusal: &Refusal) {
        let at_ms = Timestamp::now().as_millisecond();
        let mut kept = self.kept();
        if kept.lines.len() == LINES_MAX {
            kept.lines.pop_front();
        }
        kept.lines.push_back(RefusedLine { at_ms, origin, token, code: refusal.code(), text });
    }

    fn keep_station(&self, id: StationId, origin: Origin, refusal: Refusal) {
        let at_ms = Timestamp::now().as_millisecond();
        let after_sequence = self.sequence.load(Ordering::Relaxed);
        let mut kept = self.kept();
        if kept.lately.len() == STATIONS_MAX && !kept.lately.contains_key(&id) {
            kept.before = std::mem::take(&mut kept.lately);
        }
        kept.lately.insert(id, LastRefusal { at_ms, origin, refusal, after_sequence });
        if kept.news.len() < NEWS_MAX && kept.news.last() != Some(&id) {
            kept.news.push(id);
        }
    }

    /// The newest sequence that is recorded.
    pub fn recorded(&self, sequence: i64) {
        self.sequence.store(sequence, Ordering::Relaxed);
    }

    /// The last refusal of a station whose last report has this sequence, if all
    /// that came from it since was refused.
    #[must_use]
    pub fn since(&self, id: StationId, sequence: i64) -> Option<LastRefusal> {
        let kept = self.kept();
        let last = kept.lately.get(&id).or_else(|| kept.before.get(&id)).copied();
        last.filter(|last| last.after_sequence >= sequence)
    }

    /// The lines that were refused of late, the newest last.
    #[must_use]
    pub fn lines(&self) -> Vec<RefusedLine> {
        self.kept().lines.iter().cloned().collect()
    }

    /// Stations that were refused since this was last asked.
    pub(crate) fn take_news(&self) -> Vec<StationId> {
        std::mem::take(&mut self.kept().news)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> StationId {
        StationId::new(number).unwrap()
    }

    #[test]
    fn a_refusal_counts_until_the_station_reports() {
        let refused = Refused::default();
        refused.recorded(40);
        refused.note(Some(id(7)), b"7 0 2", Origin::default(), Refusal::Empty);
        assert!(refused.since(id(7), 40).is_some(), "its last report was before");
        assert_eq!(refused.since(id(7), 41), None, "it has reported since");
        assert_eq!(refused.since(id(8), 0), None);
        assert_eq!(refused.take_news(), [id(7)]);
        assert_eq!(refused.take_news(), []);
    }

    #[test]
    fn whatever_is_sent_no_more_is_kept_than_may_be() {
        let refused = Refused::default();
        for number in 0..20_000 {
            refused.note(Some(id(number)), &[0xff; 70_000], Origin::default(), Refusal::Empty);
        }
        let kept = refused.kept();
        assert_eq!((kept.lines.len(), kept.news.len()), (LINES_MAX, NEWS_MAX));
        assert!(kept.lately.len() <= STATIONS_MAX && kept.before.len() <= STATIONS_MAX);
        assert!(kept.lately.contains_key(&id(19_999)) && kept.before.len() == STATIONS_MAX);
        assert!(kept.lines.iter().all(|line| line.text.len() <= 4 * LINE_BYTES_KEPT));
        assert!(kept.lines[0].text.starts_with("\\xff"));
    }

    #[test]
    fn many_reports_of_one_request_push_out_nobody_elses() {
        let refused = Refused::default();
        refused.note(None, b"123;0;1", Origin::default(), Refusal::Empty);
        let verdict: Vec<_> = (0..1_000).map(|of| (0, Refusal::NotAllowed { station_id: id(of) })).collect();
        refused.note_reports(&verdict, Origin::default(), Some("gateway"));
        let lines = refused.lines();
        assert_eq!(lines.len(), 1 + LINES_TOGETHER_MAX);
        assert_eq!((&*lines[0].text, &*lines[1].text), ("123;0;1", "0"));
        // What it means for each station is kept all the same.
        assert!((0..1_000).all(|of| refused.since(id(of), 0).is_some()));
    }
}
