//! The bounded lane from the intake to the writer.
//!
//! What bounds it is room, counted in bytes of the wire: a connection takes
//! room *before* it reads and gives it back when its reports are decided. A
//! full lane therefore makes the intake stop reading; nothing is dropped and
//! nothing acknowledged early.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::PollSemaphore;
use waterwatch_core::Report;
use waterwatch_core::wire::Refusal;

/// Opens a lane with room for `bytes_max` bytes.
#[must_use]
pub fn open(bytes_max: usize) -> (Lane, Submissions) {
    let room = Arc::new(Semaphore::new(bytes_max));
    // Unbounded by itself: whatever is in it holds room.
    let (sender, receiver) = mpsc::unbounded_channel();
    (Lane { room: PollSemaphore::new(room), sender }, Submissions { receiver, waiting: None })
}

/// The intake's end; each connection has one.
#[derive(Clone, Debug)]
pub struct Lane {
    room: PollSemaphore,
    sender: mpsc::UnboundedSender<Submission>,
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
    pub async fn submit(&self, reports: Vec<Report>, room: Room) -> Option<Verdict> {
        let (verdict, decided) = oneshot::channel();
        self.sender.send(Submission { reports, verdict, room }).ok()?;
        decided.await.ok()
    }
}

/// The writer's end.
#[derive(Debug)]
pub struct Submissions {
    receiver: mpsc::UnboundedReceiver<Submission>,
    /// Taken, and too much for the last batch.
    waiting: Option<Submission>,
}

impl Submissions {
    /// Waits for a submission and takes all that are there, up to
    /// `reports_max` reports (one submission may be more by itself). `None`
    /// when every connection and listener is gone and nothing waits.
    pub fn take(&mut self, reports_max: usize) -> Option<Vec<Submission>> {
        let first = self.waiting.take().or_else(|| self.receiver.blocking_recv())?;
        let mut reports = first.reports.len();
        let mut batch = vec![first];
        while let Ok(next) = self.receiver.try_recv() {
            reports += next.reports.len();
            if reports > reports_max {
                self.waiting = Some(next);
                break;
            }
            batch.push(next);
        }
        Some(batch)
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
        lane.submit(vec![report; reports], room).await
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
            while let Some(batch) = submissions.take(reports_max) {
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
    fn when_the_writer_is_gone_nothing_counts_as_stored() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (lane, submissions) = open(100);
        drop(submissions);
        assert_eq!(runtime.block_on(submit(lane, 1)), None);
    }
}
