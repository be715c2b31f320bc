//! What is shown while the fleet plays: a line that renews itself on a
//! terminal, and a plain line now and then for a file or a pipe.

use std::cell::RefCell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::tally::Tally;
use crate::terminal::has_cursor;

/// How often the counts are looked at: a person sees it move, and a rate
/// over it does not jump about.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks between two plain lines: ten seconds, so that a file stays short.
const LOOKS_PER_PLAIN_LINE: u32 = 10;

/// Shows the fleet's progress on standard error.
pub(super) struct Progress {
    stations: u32,
    /// The renewed line; `None` if standard error is no terminal.
    bar: Option<ProgressBar>,
    /// Refusals and failures are each told once, when the first one is seen.
    told: [bool; 2],
    counted_at: Instant,
    counted: u64,
}

impl Progress {
    pub(super) fn new(stations: u32) -> Progress {
        let bar = has_cursor(&std::io::stderr()).then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("a constant template");
            ProgressBar::new_spinner().with_style(style)
        });
        Progress { stations, bar, told: [false; 2], counted_at: Instant::now(), counted: 0 }
    }

    /// Shows what `tally` says, again and again, until dropped.
    pub(super) async fn watch(&mut self, tally: &RefCell<Tally>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        looks.tick().await;
        for look in 1_u32.. {
            looks.tick().await;
            let tally = tally.borrow();
            self.tell_troubles(&tally);
            if self.bar.is_some() || look.is_multiple_of(LOOKS_PER_PLAIN_LINE) {
                self.show(&tally);
            }
        }
    }

    /// Takes the line away; the summary says it all.
    pub(super) fn finish(&mut self, tally: &Tally) {
        self.tell_troubles(tally);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&mut self, tally: &Tally) {
        let now = Instant::now();
        let acknowledged = tally.acknowledged_total();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people, to one decimal")]
        let reports = (acknowledged - self.counted) as f64;
        let reports_per_s = reports / now.duration_since(self.counted_at).as_secs_f64();
        (self.counted_at, self.counted) = (now, acknowledged);
        let line = tally.line(self.stations, reports_per_s);
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None => eprintln!("{line}"),
        }
    }

    fn tell_troubles(&mut self, tally: &Tally) {
        for (told, trouble) in self.told.iter_mut().zip(tally.first_troubles()) {
            let Some(trouble) = trouble.filter(|_| !*told) else { continue };
            *told = true;
            match &self.bar {
                Some(bar) => bar.println(trouble),
                None => eprintln!("{trouble}"),
            }
        }
    }
}
