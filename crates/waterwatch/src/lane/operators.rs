//! The operators' way to the writer, beside the reports'.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::{Queue, Waiting};
use crate::command::{Command, NotDone, Outcome};

/// How many commands may wait, each of a few hundred bytes: more than people
/// give within the seconds in which a disk has no room.
pub(super) const COMMANDS_WAITING_MAX: usize = 256;

/// How many are taken with one batch: each is a few entries of the ledger, so
/// that reports wait for them no longer than for a hundred others.
pub const COMMANDS_A_BATCH_MAX: usize = 32;

/// The operators' end: whoever speaks for them has a copy. It does not keep
/// the writer from its end.
#[derive(Clone, Debug)]
pub struct Operators(pub(super) Arc<Queue>);

/// A command that waits for its outcome. Dropped without one, it is not known.
#[derive(Debug)]
pub struct Awaited {
    /// What is wanted.
    pub command: Command,
    outcome: oneshot::Sender<Outcome>,
}

impl Awaited {
    /// With the end at which its outcome arrives.
    pub(crate) fn new(command: Command) -> (Awaited, oneshot::Receiver<Outcome>) {
        let (outcome, arrives) = oneshot::channel();
        (Awaited { command, outcome }, arrives)
    }

    /// Tells whoever waits; if nobody does any more, nobody.
    pub fn answer(self, outcome: Outcome) {
        drop(self.outcome.send(outcome));
    }
}

impl Operators {
    /// Hands a command to the writer and waits for what becomes of it. That
    /// may be known a little after its deadline, if the writer took it before; if it
    /// has not by then, which a disk without room may keep it from, it is taken back.
    pub async fn ask(&self, command: Command) -> Outcome {
        let deadline = command.deadline;
        let (awaited, mut outcome) = Awaited::new(command);
        self.push(awaited);
        tokio::select! {
            biased;
            told = &mut outcome => return told.unwrap_or(Outcome::Unknown),
            () = tokio::time::sleep_until(deadline.into()) => self.take_back(deadline),
        }
        outcome.await.unwrap_or(Outcome::Unknown)
    }

    /// Whoever waits for one of these waits no more, and nobody has taken them.
    fn take_back(&self, deadline: Instant) {
        let mut waiting = self.0.waiting();
        let commands = std::mem::take(&mut waiting.commands);
        let is_late = |awaited: &Awaited| awaited.command.deadline <= deadline;
        let late: VecDeque<Awaited>;
        (late, waiting.commands) = commands.into_iter().partition(is_late);
        drop(waiting);
        late.into_iter().for_each(|awaited| awaited.answer(Outcome::NotDone(NotDone::TooLate)));
    }

    pub(super) fn push(&self, awaited: Awaited) {
        let mut waiting = self.0.waiting();
        let why = if waiting.end.is_some() {
            NotDone::Stopping
        } else if waiting.commands.len() >= COMMANDS_WAITING_MAX {
            NotDone::Busy
        } else {
            waiting.commands.push_back(awaited);
            self.0.wake_if_due(waiting);
            return;
        };
        drop(waiting);
        awaited.answer(Outcome::NotDone(why));
    }
}

impl Waiting {
    pub(super) fn take_commands(&mut self) -> Vec<Awaited> {
        let count = self.commands.len().min(COMMANDS_A_BATCH_MAX);
        self.commands.drain(..count).collect()
    }
}
