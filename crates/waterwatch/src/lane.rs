//! The bounded lane from the intake to the writer.
//!
//! What bounds it is room, counted in bytes of the wire: a connection takes
//! room *before* it reads and gives it back when its reports are decided. A
//! full lane therefore makes the intake stop reading; nothing is dropped and
//! nothing acknowledged early.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::PollSemaphore;
use waterwatch_core::wire::Refusal;
use waterwatch_core::{Report, Source};

/// How long no report may have come until nobody is waited for any more:
/// longer than the time between two reports of a load that is worth waiting
/// for, and too short to be noticed.
const QUIET: Duration = Duration::from_micros(300);

/// Opens a lane with room for `bytes_max` bytes.
#[must_use]
pub fn open(bytes_max: usize) -> (Lane, Submissions) {
    let room = Arc::new(Semaphore::new(bytes_max));
    let queue = Arc::new(Queue::default());
    let entrance = Arc::new(Entrance(Arc::clone(&queue)));
    let submissions = Submissions { queue, taken: VecDeque::new() };
    (Lane { room: PollSemaphore::new(room), entrance }, submissions)
}

/// The intake's end; each connection has one.
#[derive(Clone, Debug)]
pub struct Lane {
    room: PollSemaphore,
    entrance: Arc<Entrance>,
}

/// Where submissions go in; when the last connection is gone, nothing more
/// comes.
#[derive(Debug)]
struct Entrance(Arc<Queue>);

impl Drop for Entrance {
    fn drop(&mut self) {
        self.0.waiting().end = Some(End::NobodyComes);
        self.0.arrived.notify_all();
    }
}

/// What is on its way. Unbounded by itself: whatever is in it holds room.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    submissions: VecDeque<Submission>,
    reports: usize,
    /// The writer sleeps until something arrives.
    writer_sleeps: bool,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NobodyComes,
    NobodyTakes,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

/// Reports that one connection sent together.
#[derive(Debug)]
pub struct Submission {
    /// In the order in which they arrived; never empty.
    pub reports: Vec<Report>,
    /// Where they came from.
    pub source: Source,
    /// Where the verdict goes. Dropped without one, the reports were not
    /// stored, and the connection ends unanswered.
    pub verdict: oneshot::Sender<Verdict>,
    /// Held until the verdict is out.
    pub room: Room,
}

/// What became of a submission that is durable: all of it is acknowledged but
/// these, each with its place among the reports.
pub type Verdict = Vec<(usize, Refusal)>;

impl Lane {
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
    pub async fn submit(&self, reports: Vec<Report>, source: Source, room: Room) -> Option<Verdict> {
        let (verdict, decided) = oneshot::channel();
        self.entrance.0.push(Submission { reports, source, verdict, room });
        decided.await.ok()
    }
}

impl Queue {
    fn push(&self, submission: Submission) {
        let mut waiting = self.waiting();
        if waiting.end.is_some() {
            return;
        }
        waiting.reports += submission.reports.len();
        waiting.submissions.push_back(submission);
        if std::mem::take(&mut waiting.writer_sleeps) {
            drop(waiting);
            self.arrived.notify_one();
        }
    }
}

/// The writer's end.
#[derive(Debug)]
pub struct Submissions {
    queue: Arc<Queue>,
    /// Taken off the queue, and too much for the last batch.
    taken: VecDeque<Submission>,
}

/// What the writer is to do.
#[derive(Debug)]
pub enum Taken {
    /// Record these.
    Batch(Vec<Submission>),
    /// Nothing came until the given time.
    Nothing,
    /// Every connection and listener is gone, and nothing waits.
    End,
}

impl Submissions {
    /// Waits for a submission, until `until` at the longest, and takes all
    /// that are there, up to `reports_max` reports (one submission may be more
    /// by itself). With `company`, others are waited for as long as they keep
    /// coming, and at most that long.
    pub fn take(&mut self, reports_max: usize, company: Duration, until: Option<Instant>) -> Taken {
        if self.taken.is_empty() {
            match self.wait(until) {
                Some(_) if company > Duration::ZERO => self.wait_for_company(reports_max, company),
                Some(_) => {}
                None => return Taken::Nothing,
            }
            let mut waiting = self.queue.waiting();
            waiting.reports = 0;
            std::mem::swap(&mut waiting.submissions, &mut self.taken);
        }
        let mut reports = 0;
        let mut batch = Vec::new();
        while let Some(next) = self.taken.front() {
            reports += next.reports.len();
            if reports > reports_max && !batch.is_empty() {
                break;
            }
            batch.extend(self.taken.pop_front());
        }
        if batch.is_empty() { Taken::End } else { Taken::Batch(batch) }
    }

    /// Waits until there is something or nobody comes any more. `None` if it
    /// took too long.
    fn wait(&self, until: Option<Instant>) -> Option<()> {
        let mut waiting = self.queue.waiting();
        while waiting.submissions.is_empty() && waiting.end.is_none() {
            waiting.writer_sleeps = true;
            let arrived = &self.queue.arrived;
            waiting = match until {
                None => arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.checked_duration_since(Instant::now());
                    let Some(left) = left.filter(|left| !left.is_zero()) else {
                        waiting.writer_sleeps = false;
                        return None;
                    };
                    arrived.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        waiting.writer_sleeps = false;
        Some(())
    }

    fn wait_for_company(&self, reports_max: usize, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut before = 0;
        loop {
            let waiting = self.queue.waiting();
            let (reports, end) = (waiting.reports, waiting.end);
            drop(waiting);
            if reports == before || reports >= reports_max || end.is_some() || Instant::now() >= until {
                return;
            }
            before = reports;
            thread::sleep(QUIET);
        }
    }
}

impl Drop for Submissions {
    /// Whatever still waits is not stored, which its connections hear by the
    /// dropped verdicts.
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        waiting.end = Some(End::NobodyTakes);
        let submissions = std::mem::take(&mut waiting.submissions);
        drop(waiting);
        drop(submissions);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::thread;

    use waterwatch_core::wire;

    use super::*;

    async fn submit(mut lane: Lane, reports: usize) -> Option<Verdict> {
        let room = poll_fn(|context| lane.poll_room(context, 10)).await;
        let report = wire::parse(b"1 0 1").unwrap();
        lane.submit(vec![report; reports], Source::default(), room).await
    }

    /// Submits these sizes at once, and gives the batches that are taken.
    fn batches(bytes_max: usize, reports_max: usize, sizes: &[usize]) -> Vec<Vec<usize>> {
        let (lane, mut submissions) = open(bytes_max);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tasks: Vec<_> = sizes.iter().map(|&size| runtime.spawn(submit(lane.clone(), size))).collect();
        drop(lane);
        // Lets every task come as far as it can.
        runtime.block_on(async { tokio::task::yield_now().await });
        let writer = thread::spawn(move || {
            let mut taken = Vec::new();
            while let Taken::Batch(batch) = submissions.take(reports_max, Duration::ZERO, None) {
                taken.push(batch.iter().map(|submission| submission.reports.len()).collect());
                for submission in batch {
                    submission.verdict.send(Verdict::new()).unwrap();
                }
            }
            taken
        });
        runtime.block_on(async {
            for task in tasks {
                assert_eq!(task.await.unwrap(), Some(vec![]));
            }
        });
        writer.join().unwrap()
    }

    #[test]
    fn what_waits_is_one_batch_up_to_the_limit() {
        assert_eq!(batches(1000, 100, &[1, 2, 3]), [[1, 2, 3]]);
        assert_eq!(batches(1000, 4, &[1, 2, 3, 1]), [vec![1, 2], vec![3, 1]]);
        assert_eq!(batches(1000, 2, &[5, 1]), [vec![5], vec![1]], "a submission is never split");
    }

    #[test]
    fn a_full_lane_lets_in_the_next_when_room_is_given_back() {
        assert_eq!(batches(20, 100, &[1, 2, 3]), [vec![1, 2], vec![3]]);
    }

    #[test]
    fn nothing_comes_until_a_time() {
        let (lane, mut submissions) = open(100);
        let soon = Instant::now() + Duration::from_millis(20);
        assert!(matches!(submissions.take(9, Duration::ZERO, Some(soon)), Taken::Nothing));
        assert!(Instant::now() >= soon);
        drop(lane);
        assert!(matches!(submissions.take(9, Duration::ZERO, Some(soon)), Taken::End));
    }

    /// Submissions that come one after the other are one batch if others are
    /// waited for, and the first does not wait beyond its time for a stream
    /// that never pauses.
    #[test]
    fn company_is_waited_for_as_long_as_it_keeps_coming() {
        let (lane, mut submissions) = open(1_000_000);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let coming = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let stream = {
            let (lane, coming) = (lane.clone(), Arc::clone(&coming));
            let handle = runtime.handle().clone();
            thread::spawn(move || {
                while coming.load(std::sync::atomic::Ordering::Relaxed) {
                    handle.spawn(submit(lane.clone(), 1));
                    thread::sleep(Duration::from_micros(50));
                }
            })
        };
        let take = |submissions: &mut Submissions, company| match submissions.take(65_536, company, None) {
            Taken::Batch(batch) => batch.len(),
            other => panic!("{other:?}"),
        };
        take(&mut submissions, Duration::ZERO);
        let began = Instant::now();
        let together = take(&mut submissions, Duration::from_millis(50));
        let lasted = began.elapsed();
        coming.store(false, std::sync::atomic::Ordering::Relaxed);
        stream.join().unwrap();
        assert!(together > 20, "{together} in {lasted:?}");
        assert!(lasted < Duration::from_secs(5), "{lasted:?}");
        drop(lane);
    }

    #[test]
    fn when_the_writer_is_gone_nothing_counts_as_stored() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (lane, submissions) = open(100);
        drop(submissions);
        assert_eq!(runtime.block_on(submit(lane, 1)), None);
    }
}
