//! The writer: one thread that takes what waits, commands before reports,
//! decides it on copies, records it in one transaction, and only then tells.
//!
//! It knows no socket and no SQL. It is the only caller of
//! [`Store::commit`].

mod clock;
mod command;
pub mod draft;
mod dues;
mod expected;
mod forgetting;
mod gaps;
mod identity;
mod judgement;
mod life;
mod new_stations;
mod pace;
mod quota;
mod recorder;
mod saying;
mod sending;
mod settling;
mod silent;
mod standing;
mod together;
mod tokens;
mod trouble;
mod unreadable;
pub mod watch;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::clock::SystemClock;
use self::recorder::Recorder;
pub use self::tokens::{NewToken, add_token, revoke_token};
use crate::config::Limits;
use crate::health::Health;
use crate::lane::{Submission, Submissions, Taken, Verdict};
use crate::live::Publisher;
use crate::metrics::Recording;
use crate::plan::CurrentPlan;
use crate::store::{Settled, Store};

/// What it goes by.
#[derive(Debug)]
pub struct Rules {
    /// Every limit.
    pub limits: Limits,
    /// How stations and points are judged.
    pub settled: Settled,
    /// Who has duty.
    pub plan: CurrentPlan,
}

/// Who is told how it goes, and never waited for.
#[derive(Debug, Default)]
pub struct Onlookers {
    /// Whether it can store.
    pub health: Arc<Health>,
    /// What is recorded, for those who show it.
    pub publisher: Publisher,
    /// What it does, counted.
    pub counts: Recording,
}

/// Runs until the intake is gone and everything taken is recorded.
///
/// `hang_up` closes every connection: what it acknowledged is durable, what
/// it waits for will be sent again. `stopping` ends retries early.
///
/// # Errors
/// When the database cannot be trusted or opened again: whoever supervises
/// the process must start it afresh.
pub fn run<S: Store>(
    mut submissions: Submissions,
    store: S,
    rules: Rules,
    hang_up: impl Fn(),
    stopping: &CancellationToken,
    onlookers: Onlookers,
) -> anyhow::Result<()> {
    let Onlookers { health, publisher, counts } = onlookers;
    let Rules { limits, settled, plan } = rules;
    let batch_reports_max = limits.batch_reports_max;
    let mut recorder =
        Recorder::start(store, settled, SystemClock, limits, hang_up, stopping.clone(), publisher)
            .with_health(health)
            .counting(counts)
            .on_call(plan);
    recorder.watch.listen_to(submissions.refused());
    loop {
        let due = Some(recorder.due());
        let (requests, taken) = match submissions.take(batch_reports_max, recorder.company(), due) {
            Taken::Batch(requests, taken) => (requests, taken),
            Taken::Nothing => (Vec::new(), Vec::new()),
            Taken::End => break,
        };
        let heard = taken.iter().map(|submission| (&submission.reports[..], submission.origin));
        if let Some(verdicts) = recorder.once(requests, heard)? {
            tell(taken, verdicts);
        }
    }
    recorder.end()
}

fn tell(taken: Vec<Submission>, verdicts: Vec<Verdict>) {
    for (submission, verdict) in taken.into_iter().zip(verdicts) {
        submission.answer.send(verdict);
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
