//! The operators' way to the writer, beside the reports'.

use std::sync::Arc;

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
    /// may be known a little after its deadline, if it was decided before.
    pub async fn ask(&self, command: Command) -> Outcome {
        let (awaited, outcome) = Awaited::new(command);
        self.push(awaited);
        outcome.await.unwrap_or(Outcome::Unknown)
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
