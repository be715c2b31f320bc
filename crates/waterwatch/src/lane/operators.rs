//! The operators' way to the writer, beside the reports'.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::Queue;
use crate::command::{Command, NotDone, Outcome};

/// How many requests for one thing may wait, each of a few hundred bytes: more than
/// people make within the seconds in which a disk has no room.
pub(super) const COMMANDS_WAITING_MAX: usize = 256;

/// How many of them are taken with one batch: each is a few entries of the ledger, so
/// that reports wait for them no longer than for a hundred others.
pub const COMMANDS_A_BATCH_MAX: usize = 32;

/// How many commands one request may list: as many alarms as a person sees. One such
/// request is taken with a batch, besides those for one thing.
pub const COMMANDS_A_REQUEST_MAX: usize = 100;

/// How many requests that list several may wait, each of some 20 KB: at one a batch the
/// last of them is decided within a second or two, and its caller waits for five.
pub(super) const LISTS_WAITING_MAX: usize = 64;

/// The operators' end: whoever speaks for them has a copy. It does not keep
/// the writer from its end.
#[derive(Clone, Debug)]
pub struct Operators(pub(super) Arc<Queue>);

/// What one request wants, and where its outcomes arrive. All of it is decided in one
/// batch, in its order and each command by itself, and told together. Dropped without
/// outcomes, they are not known.
#[derive(Debug)]
pub struct Awaited {
    /// What is wanted.
    pub commands: Vec<Command>,
    outcomes: oneshot::Sender<Vec<Outcome>>,
}

impl Awaited {
    /// With the end at which the outcomes arrive, one for each command.
    pub(crate) fn new(commands: Vec<Command>) -> (Awaited, oneshot::Receiver<Vec<Outcome>>) {
        debug_assert!((1..=COMMANDS_A_REQUEST_MAX).contains(&commands.len()));
        let (outcomes, arrive) = oneshot::channel();
        (Awaited { commands, outcomes }, arrive)
    }

    /// Tells whoever waits; if nobody does any more, nobody.
    pub fn answer(self, outcomes: Vec<Outcome>) {
        debug_assert_eq!(outcomes.len(), self.commands.len());
        drop(self.outcomes.send(outcomes));
    }

    /// Tells that nothing was done of it, and why.
    pub fn answer_not_done(self, why: NotDone) {
        let outcomes = vec![Outcome::NotDone(why); self.commands.len()];
        self.answer(outcomes);
    }
}

impl Operators {
    /// Hands a command to the writer and waits for what becomes of it. That
    /// may be known a little after its deadline, if the writer took it before; if it
    /// has not by then, which a disk without room may keep it from, it is taken back.
    pub async fn ask(&self, command: Command) -> Outcome {
        self.ask_all(vec![command]).await.pop().unwrap_or(Outcome::Unknown)
    }

    /// The same for up to [`COMMANDS_A_REQUEST_MAX`] commands: they take one place, none is
    /// decided after the first of their deadlines, and all that are done are in one commit.
    /// An outcome for each, in their order.
    pub async fn ask_all(&self, commands: Vec<Command>) -> Vec<Outcome> {
        let Some(deadline) = commands.iter().map(|command| command.deadline).min() else {
            return Vec::new();
        };
        let unknown = vec![Outcome::Unknown; commands.len()];
        let (awaited, mut outcomes) = Awaited::new(commands);
        self.push(awaited);
        tokio::select! {
            biased;
            told = &mut outcomes => return told.unwrap_or(unknown),
            () = tokio::time::sleep_until(deadline.into()) => self.take_back(deadline),
        }
        outcomes.await.unwrap_or(unknown)
    }

    /// Whoever waits for one of these waits no more, and nobody has taken them.
    fn take_back(&self, deadline: Instant) {
        let late = self.0.waiting().requests.take_late(deadline);
        late.into_iter().for_each(|awaited| awaited.answer_not_done(NotDone::TooLate));
    }

    pub(super) fn push(&self, awaited: Awaited) {
        let mut waiting = self.0.waiting();
        let refused = match waiting.end {
            Some(_) => Err((awaited, NotDone::Stopping)),
            None => waiting.requests.push(awaited).map_err(|awaited| (awaited, NotDone::Busy)),
        };
        match refused {
            Ok(()) => self.0.wake_if_due(waiting),
            Err((awaited, why)) => {
                drop(waiting);
                awaited.answer_not_done(why);
            }
        }
    }
}

/// Requests that wait for the writer. Those that list several stand in a line of their
/// own: whoever wants one thing neither waits behind them nor finds no place for them.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    single: VecDeque<Awaited>,
    lists: VecDeque<Awaited>,
}

impl Requests {
    pub(crate) fn is_empty(&self) -> bool {
        self.single.is_empty() && self.lists.is_empty()
    }

    /// How many commands are in them.
    pub(crate) fn commands(&self) -> usize {
        self.single.len() + self.lists.iter().map(|list| list.commands.len()).sum::<usize>()
    }

    /// # Errors
    /// With the request, if too many wait.
    pub(crate) fn push(&mut self, awaited: Awaited) -> Result<(), Awaited> {
        let (line, waiting_max) = match awaited.commands.len() {
            ..=1 => (&mut self.single, COMMANDS_WAITING_MAX),
            _ => (&mut self.lists, LISTS_WAITING_MAX),
        };
        if line.len() >= waiting_max {
            return Err(awaited);
        }
        line.push_back(awaited);
        Ok(())
    }

    /// Those whose turn it is: up to [`COMMANDS_A_BATCH_MAX`] for one thing, and one that
    /// lists several.
    pub(crate) fn take(&mut self) -> Vec<Awaited> {
        let count = self.single.len().min(COMMANDS_A_BATCH_MAX);
        self.single.drain(..count).chain(self.lists.pop_front()).collect()
    }

    /// Those of which nobody waits any more for something.
    fn take_late(&mut self, deadline: Instant) -> Vec<Awaited> {
        let mut late = Vec::new();
        for line in [&mut self.single, &mut self.lists] {
            for awaited in std::mem::take(line) {
                let is_late = awaited.commands.iter().any(|command| command.deadline <= deadline);
                if is_late { late.push(awaited) } else { line.push_back(awaited) }
            }
        }
        late
    }

    /// All of them.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Awaited> + use<> {
        let Requests { single, lists } = std::mem::take(self);
        single.into_iter().chain(lists)
    }
}
