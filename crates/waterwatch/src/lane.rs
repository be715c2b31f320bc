//! The bounded lane from the intake to the writer.
//!
//! What bounds it is room, counted in bytes of the wire: a connection takes
//! room *before* it reads and gives it back when its reports are decided. A
//! full lane therefore makes the intake stop reading; nothing is dropped and
//! nothing acknowledged early. Operators' commands go beside it: they wait
//! neither for room nor behind reports.

mod operators;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use waterwatch_core::wire::Refusal;
use waterwatch_core::{Origin, Report};

use crate::refused::Refused;

use crate::command::NotDone;

pub(crate) use operators::Requests;
pub use operators::{Awaited, COMMANDS_A_BATCH_MAX, COMMANDS_A_REQUEST_MAX, Operators};

/// A connection that has reported within this time may report again while a
/// batch waits for company.
const ACTIVE: Duration = Duration::from_secs(1);

/// Opens a lane with room for `bytes_max` bytes of reports.
#[must_use]
pub fn open(bytes_max: usize) -> (Lane, Operators, Submissions) {
    let room = PollSemaphore::new(Arc::new(Semaphore::new(bytes_max)));
    let queue = Arc::new(Queue::default());
    let entrance = Arc::new(Entrance(Arc::clone(&queue)));
    let operators = Operators(Arc::clone(&queue));
    let submissions = Submissions { queue, taken: VecDeque::new(), active_since: Instant::now() };
    (Lane { room, bytes_max, entrance }, operators, submissions)
}

/// The intake's end.
#[derive(Clone, Debug)]
pub struct Lane {
    room: PollSemaphore,
    bytes_max: usize,
    entrance: Arc<Entrance>,
}

/// A connection's end.
#[derive(Debug)]
pub struct Speaker {
    room: PollSemaphore,
    entrance: Arc<Entrance>,
    mailbox: Arc<Mailbox>,
    /// The last round of [`ACTIVE`] in which it was counted.
    counted_in: u64,
}

/// Where submissions go in; when the last end of the intake is gone, nothing
/// more comes.
#[derive(Debug)]
struct Entrance(Arc<Queue>);

/// Room in the lane, given back when dropped.
#[derive(Debug)]
pub struct Room(OwnedSemaphorePermit);

impl Room {
    /// Keeps only `bytes` of it.
    pub fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.0.num_permits().saturating_sub(bytes);
        drop(self.0.split(surplus));
    }
}

/// Reports in the order in which they arrived. One alone, as most stations
/// send it, takes no memory of its own.
pub type Reports = SmallVec<[Report; 1]>;

/// Reports that one connection sent together.
#[derive(Debug)]
pub struct Submission {
    /// In the order in which they arrived; never empty.
    pub reports: Reports,
    /// Where they came from.
    pub origin: Origin,
    /// Where the verdict goes.
    pub answer: Answer,
    /// Held until the verdict is out.
    pub room: Room,
}

/// What became of a submission that is durable: all of it is acknowledged but
/// these, each with its place among the reports.
pub type Verdict = Vec<(usize, Refusal)>;

/// Takes the verdict to its connection. Dropped without one, the reports were
/// not stored, and the connection ends unanswered.
#[derive(Debug)]
pub struct Answer(Option<Arc<Mailbox>>);

/// Where a connection finds its verdicts, one at a time. It has one for as
/// long as it lives.
#[derive(Debug, Default)]
struct Mailbox(Mutex<Mail>);

#[derive(Debug, Default)]
struct Mail {
    /// What became of the submission; `None` within it: it was not stored.
    decided: Option<Option<Verdict>>,
    /// Who waits for it.
    waker: Option<Waker>,
}

impl Mailbox {
    fn deliver(&self, verdict: Option<Verdict>) {
        let mut mail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mail.decided = Some(verdict);
        let waker = mail.waker.take();
        drop(mail);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Verdict>> {
        let mut mail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(decided) = mail.decided.take() {
            return Poll::Ready(decided);
        }
        mail.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Answer {
    /// Delivers it. A connection that is gone does not hear it; its reports
    /// are stored.
    pub fn send(mut self, verdict: Verdict) {
        if let Some(mailbox) = self.0.take() {
            mailbox.deliver(Some(verdict));
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0.take() {
            mailbox.deliver(None);
        }
    }
}

/// How full a lane is. It does not keep the writer from its end.
#[derive(Clone, Debug)]
pub struct Level {
    room: Arc<Semaphore>,
    bytes_max: usize,
    queue: Arc<Queue>,
}

impl Level {
    /// The room that is taken, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes_max.saturating_sub(self.room.available_permits())
    }

    /// The room that there is, in bytes.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The operators' commands that wait.
    #[must_use]
    pub fn commands_waiting(&self) -> usize {
        self.queue.waiting().requests.commands()
    }
}

impl Lane {
    /// What lines were refused of late.
    #[must_use]
    pub fn refused(&self) -> &Refused {
        &self.entrance.0.refused
    }

    /// How full it is, for whoever looks.
    #[must_use]
    pub fn level(&self) -> Level {
        Level {
            room: self.room.clone_inner(),
            bytes_max: self.bytes_max,
            queue: Arc::clone(&self.entrance.0),
        }
    }

    /// An end for one connection.
    #[must_use]
    pub fn speaker(&self) -> Speaker {
        self.entrance.0.waiting().speakers += 1;
        Speaker {
            room: self.room.clone(),
            entrance: Arc::clone(&self.entrance),
            mailbox: Arc::default(),
            counted_in: 0,
        }
    }
}

impl Speaker {
    /// Where it is kept what lines are refused.
    #[must_use]
    pub fn refused(&self) -> &Refused {
        &self.entrance.0.refused
    }

    /// Room for `bytes`, as soon as there is some.
    ///
    /// # Panics
    /// If more is asked for than the lane has in all; the configuration
    /// rules that out.
    pub fn poll_room(&mut self, context: &mut Context<'_>, bytes: usize) -> Poll<Room> {
        let permits = u32::try_from(bytes).expect("room for one connection is at most 1 MiB");
        self.room
            .poll_acquire_many(context, permits)
            .map(|permit| Room(permit.expect("the lane's room is never closed")))
    }

    /// Hands reports to the writer and waits until they are durable. `None`:
    /// they are not stored, and nobody may be told that they are.
    pub async fn submit(&mut self, reports: Reports, origin: Origin, room: Room) -> Option<Verdict> {
        let answer = Answer(Some(Arc::clone(&self.mailbox)));
        self.entrance.0.push(Submission { reports, origin, answer, room }, &mut self.counted_in);
        poll_fn(|context| self.mailbox.poll(context)).await
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let queue = &self.entrance.0;
        let mut waiting = queue.waiting();
        waiting.speakers -= 1;
        queue.wake_if_due(waiting);
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.end = Some(End::NobodyComes);
        self.0.wake_if_due(waiting);
    }
}

/// What is on its way. Reports are not bounded by it: whatever is in it holds
/// room.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    refused: Arc<Refused>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: Requests,
    submissions: VecDeque<Submission>,
    reports: usize,
    /// Connections, whether they say something or not.
    speakers: usize,
    /// How many of them said something in this round of [`ACTIVE`], and in the
    /// one before.
    active: usize,
    active_before: usize,
    /// Which round it is; the first is 1.
    round: u64,
    /// What the writer sleeps for, if it does.
    sleeps: Option<Sleep>,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NobodyComes,
    NobodyTakes,
}

/// What wakes the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sleep {
    /// Anything.
    ForAny,
    /// Half of those that are to be expected, or so many reports.
    ForCompany { reports_max: usize },
}

impl Waiting {
    /// Whether the writer has what it waits for.
    fn is_due(&self, sleep: Sleep) -> bool {
        // Nobody who is at the telephone waits for company.
        self.end.is_some()
            || !self.requests.is_empty()
            || match sleep {
                Sleep::ForAny => !self.submissions.is_empty(),
                // A connection has one submission at a time, so those that are
                // here already bring nothing more, nor do those that are gone.
                // Half of the others: the rest comes while these are synced,
                // and nobody stands idle.
                Sleep::ForCompany { reports_max } => {
                    let expected = self.active.max(self.active_before).min(self.speakers);
                    self.submissions.len() >= expected.div_ceil(2) || self.reports >= reports_max
                }
            }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, submission: Submission, counted_in: &mut u64) {
        let mut waiting = self.waiting();
        if waiting.end.is_some() {
            return;
        }
        if *counted_in != waiting.round {
            *counted_in = waiting.round;
            waiting.active += 1;
        }
        waiting.reports += submission.reports.len();
        waiting.submissions.push_back(submission);
        self.wake_if_due(waiting);
    }

    fn wake_if_due(&self, mut waiting: MutexGuard<'_, Waiting>) {
        if waiting.sleeps.is_some_and(|sleep| waiting.is_due(sleep)) {
            waiting.sleeps = None;
            drop(waiting);
            self.arrived.notify_one();
        }
    }

    /// Sleeps until there is what is slept for; false if it took too long.
    fn sleep(&self, sleep: Sleep, until: Option<Instant>) -> bool {
        let mut waiting = self.waiting();
        while !waiting.is_due(sleep) {
            waiting.sleeps = Some(sleep);
            waiting = match until {
                None => self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        waiting.sleeps = None;
                        return false;
                    }
                    self.arrived.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        waiting.sleeps = None;
        true
    }
}

/// The writer's end.
#[derive(Debug)]
pub struct Submissions {
    queue: Arc<Queue>,
    /// Taken off the queue, and too much for the last batch.
    taken: VecDeque<Submission>,
    /// When this round of [`ACTIVE`] began.
    active_since: Instant,
}

/// What the writer is to do.
#[derive(Debug)]
pub enum Taken {
    /// Record these, one of which may be empty.
    Batch(Vec<Awaited>, Vec<Submission>),
    /// Nothing came until the given time.
    Nothing,
    /// Every connection and listener is gone, and nothing waits.
    End,
}

impl Submissions {
    /// What lines were refused of late.
    #[must_use]
    pub fn refused(&self) -> Arc<Refused> {
        Arc::clone(&self.queue.refused)
    }

    /// Waits for a submission or a command, until `until` at the longest, and
    /// takes what is there: commands first, up to [`COMMANDS_A_BATCH_MAX`] and one
    /// request that lists several, and all submissions up to `reports_max` reports (one submission may be more
    /// by itself). `company` is how long others may be waited for: until half
    /// the connections are here that have reported within the last second and
    /// are still open.
    pub fn take(&mut self, reports_max: usize, company: Duration, until: Option<Instant>) -> Taken {
        if self.taken.is_empty() {
            if !self.queue.sleep(Sleep::ForAny, until) {
                return Taken::Nothing;
            }
            if company > Duration::ZERO {
                self.queue.sleep(Sleep::ForCompany { reports_max }, Some(Instant::now() + company));
            }
        }
        let commands = self.take_all();
        let mut reports = 0;
        let mut batch = Vec::new();
        while let Some(next) = self.taken.front() {
            reports += next.reports.len();
            if reports > reports_max && !batch.is_empty() {
                break;
            }
            batch.extend(self.taken.pop_front());
        }
        if commands.is_empty() && batch.is_empty() { Taken::End } else { Taken::Batch(commands, batch) }
    }

    /// Takes every submission off the queue unless some are left from before,
    /// and the commands whose turn it is.
    fn take_all(&mut self) -> Vec<Awaited> {
        let now = Instant::now();
        let mut waiting = self.queue.waiting();
        let commands = waiting.requests.take();
        if !self.taken.is_empty() {
            return commands;
        }
        waiting.reports = 0;
        std::mem::swap(&mut waiting.submissions, &mut self.taken);
        let lasted = now.duration_since(self.active_since);
        if waiting.round == 0 || lasted >= ACTIVE {
            self.active_since = now;
            waiting.round += 1;
            waiting.active_before = if lasted < 2 * ACTIVE { waiting.active } else { 0 };
            waiting.active = 0;
        }
        commands
    }
}

impl Drop for Submissions {
    /// Whatever still waits is not stored, which its connections hear by the
    /// dropped verdicts; and no command that waits is done.
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        waiting.end = Some(End::NobodyTakes);
        let requests = waiting.requests.take_all();
        let submissions = std::mem::take(&mut waiting.submissions);
        drop(waiting);
        requests.for_each(|awaited| awaited.answer_not_done(NotDone::Stopping));
        drop(submissions);
    }
}

#[cfg(test)]
mod tests;
