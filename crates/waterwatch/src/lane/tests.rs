//! Both ends of the lane, and the operators'.

use std::thread;

use waterwatch_core::alarm::{AlarmSource, Point};
use waterwatch_core::wire;

use super::*;
use crate::command::{Command, Outcome, What};

async fn submit(mut speaker: Speaker, reports: usize) -> Option<Verdict> {
    let room = poll_fn(|context| speaker.poll_room(context, 10)).await;
    let report = wire::parse(b"1 0 1").unwrap();
    speaker.submit(smallvec::smallvec![report; reports], Origin::default(), room).await
}

/// Submits these sizes at once, and gives the batches that are taken.
fn batches(bytes_max: usize, reports_max: usize, sizes: &[usize]) -> Vec<Vec<usize>> {
    let (lane, _, mut submissions) = open(bytes_max);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let tasks: Vec<_> = sizes.iter().map(|&size| runtime.spawn(submit(lane.speaker(), size))).collect();
    drop(lane);
    // Lets every task come as far as it can.
    runtime.block_on(async { tokio::task::yield_now().await });
    let writer = thread::spawn(move || {
        let mut taken = Vec::new();
        while let Taken::Batch(_, batch) = submissions.take(reports_max, Duration::ZERO, None) {
            taken.push(batch.iter().map(|submission| submission.reports.len()).collect());
            for submission in batch {
                submission.answer.send(Verdict::new());
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
    let (lane, _, mut submissions) = open(100);
    let soon = Instant::now() + Duration::from_millis(20);
    assert!(matches!(submissions.take(9, Duration::ZERO, Some(soon)), Taken::Nothing));
    assert!(Instant::now() >= soon);
    drop(lane);
    assert!(matches!(submissions.take(9, Duration::ZERO, Some(soon)), Taken::End));
}

/// A lane that five connections use, of which three have reported within
/// the last second.
fn lane_with_three_active() -> (Lane, Operators, Submissions, Vec<Speaker>) {
    let (lane, operators, mut submissions) = open(1_000);
    let mut speakers: Vec<Speaker> = (0..5).map(|_| lane.speaker()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for _ in 0..2 {
        for speaker in &mut speakers[..3] {
            push(&runtime, speaker);
        }
        assert_eq!(taken(&mut submissions, Duration::ZERO), 3);
    }
    (lane, operators, submissions, speakers)
}

/// Submits without waiting for the verdict.
fn push(runtime: &tokio::runtime::Runtime, speaker: &mut Speaker) {
    let report = wire::parse(b"1 0 1").unwrap();
    runtime.block_on(async {
        let room = poll_fn(|context| speaker.poll_room(context, 10)).await;
        let submit = speaker.submit(smallvec::smallvec![report], Origin::default(), room);
        tokio::select! {
            biased;
            // Dropped already, if the other side was quick.
            _ = submit => {}
            () = std::future::ready(()) => {}
        }
    });
}

fn taken(submissions: &mut Submissions, company: Duration) -> usize {
    match submissions.take(65_536, company, None) {
        Taken::Batch(_, batch) => batch.len(),
        other => panic!("{other:?}"),
    }
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn company_is_waited_for_until_half_are_there_that_reported_lately() {
    let (_lane, _, mut submissions, mut speakers) = lane_with_three_active();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    push(&runtime, &mut speakers[0]);
    let began = Instant::now();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        push(&runtime, &mut speakers[1]);
        speakers
    });
    assert_eq!(taken(&mut submissions, LONG), 2);
    assert!(began.elapsed() >= Duration::from_millis(30));
    drop(other.join().unwrap());
}

#[test]
fn company_is_not_waited_for_longer_than_told_nor_if_it_is_gone() {
    let (_lane, _, mut submissions, mut speakers) = lane_with_three_active();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    push(&runtime, &mut speakers[0]);
    let began = Instant::now();
    assert_eq!(taken(&mut submissions, Duration::from_millis(20)), 1);
    assert!(began.elapsed() >= Duration::from_millis(20));
    // All others leave: nobody can come.
    push(&runtime, &mut speakers[0]);
    let leaving = thread::spawn(move || speakers.truncate(1));
    assert_eq!(taken(&mut submissions, LONG), 1);
    leaving.join().unwrap();
    assert!(began.elapsed() < LONG / 2);
}

#[test]
fn when_the_writer_is_gone_nothing_counts_as_stored() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (lane, _, submissions) = open(100);
    drop(submissions);
    assert_eq!(runtime.block_on(submit(lane.speaker(), 1)), None);
}

type Told = tokio::sync::oneshot::Receiver<Vec<Outcome>>;

fn unshelve(waits: Duration) -> Command {
    let what = What::Unshelve { alarm: (AlarmSource::Server, Point::Comms) };
    Command { what, by: "Ada".into(), deadline: Instant::now() + waits }
}

fn command() -> (Awaited, Told) {
    Awaited::new(vec![unshelve(LONG)])
}

fn list(count: usize) -> (Awaited, Told) {
    Awaited::new(vec![unshelve(LONG); count])
}

fn commands_taken(submissions: &mut Submissions, reports_max: usize) -> (usize, usize) {
    match submissions.take(reports_max, LONG, Some(Instant::now())) {
        Taken::Batch(commands, batch) => (commands.len(), batch.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_waits_neither_for_room_nor_behind_reports() {
    let (lane, operators, mut submissions) = open(40);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut speakers: Vec<Speaker> = (0..4).map(|_| lane.speaker()).collect();
    for speaker in &mut speakers {
        push(&runtime, speaker);
    }
    operators.push(command().0);
    assert_eq!(commands_taken(&mut submissions, 1), (1, 1));
    // The rest was taken off the queue; the next command comes first.
    operators.push(command().0);
    assert_eq!(commands_taken(&mut submissions, 1), (1, 1));
    assert_eq!(commands_taken(&mut submissions, 1), (0, 1));
    assert_eq!(commands_taken(&mut submissions, 1), (0, 1));
}

#[test]
fn a_command_ends_the_wait_for_company() {
    let (_lane, operators, mut submissions, mut speakers) = lane_with_three_active();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    push(&runtime, &mut speakers[0]);
    let began = Instant::now();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        operators.push(command().0);
    });
    assert_eq!(commands_taken(&mut submissions, 65_536), (1, 1));
    assert!(began.elapsed() >= Duration::from_millis(30) && began.elapsed() < LONG / 2);
    other.join().unwrap();
}

#[test]
fn so_many_commands_are_taken_at_once_and_so_many_may_wait() {
    let (lane, operators, mut submissions) = open(40);
    let mut outcomes = Vec::new();
    for _ in 0..=operators::COMMANDS_WAITING_MAX {
        let (command, outcome) = command();
        operators.push(command);
        outcomes.push(outcome);
    }
    let heard = |outcome: &mut Told| outcome.try_recv();
    assert_eq!(heard(outcomes.last_mut().unwrap()), Ok(vec![Outcome::NotDone(NotDone::Busy)]));
    assert_eq!(commands_taken(&mut submissions, 1), (COMMANDS_A_BATCH_MAX, 0));
    drop(submissions);
    let stopping = Ok(vec![Outcome::NotDone(NotDone::Stopping)]);
    assert_eq!(heard(&mut outcomes[COMMANDS_A_BATCH_MAX]), stopping);
    let (late, mut outcome) = command();
    operators.push(late);
    assert_eq!(heard(&mut outcome), stopping);
    drop(lane);
}

#[test]
fn commands_that_wait_are_taken_before_the_end() {
    let (lane, operators, mut submissions) = open(40);
    operators.push(command().0);
    drop(lane);
    assert_eq!(commands_taken(&mut submissions, 1), (1, 0));
    assert!(matches!(submissions.take(1, Duration::ZERO, None), Taken::End));
}

/// A disk without room keeps the writer for seconds, batch by batch.
#[test]
fn a_command_that_nobody_takes_in_time_is_certainly_not_done() {
    let (_lane, operators, mut submissions) = open(100);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    operators.push(command().0);
    operators.push(list(2).0);
    let soon = Duration::from_millis(20);
    let outcome = runtime.block_on(operators.ask(unshelve(soon)));
    assert_eq!(outcome, Outcome::NotDone(NotDone::TooLate));
    // Nothing of a request is done after the first of its deadlines.
    let outcomes = runtime.block_on(operators.ask_all(vec![unshelve(LONG), unshelve(soon)]));
    assert_eq!(outcomes, vec![Outcome::NotDone(NotDone::TooLate); 2]);
    assert_eq!(commands_taken(&mut submissions, 1), (2, 0), "whoever waits longer is still there");
}

#[test]
fn a_request_takes_one_place_however_much_it_lists_and_keeps_nobody_else_waiting() {
    let (lane, operators, mut submissions) = open(100);
    let mut lists: Vec<Told> = Vec::new();
    for _ in 0..=operators::LISTS_WAITING_MAX {
        let (awaited, told) = list(COMMANDS_A_REQUEST_MAX);
        operators.push(awaited);
        lists.push(told);
    }
    let busy = vec![Outcome::NotDone(NotDone::Busy); COMMANDS_A_REQUEST_MAX];
    assert_eq!(lists.pop().unwrap().try_recv(), Ok(busy));
    let level = lane.level();
    assert_eq!(level.commands_waiting(), operators::LISTS_WAITING_MAX * COMMANDS_A_REQUEST_MAX);
    // There is a place for whoever wants one thing, and its turn is the next.
    let (awaited, mut told) = command();
    operators.push(awaited);
    assert!(told.try_recv().is_err());
    let lengths = |submissions: &mut Submissions| -> Vec<usize> {
        match submissions.take(1, LONG, Some(Instant::now())) {
            Taken::Batch(requests, _) => requests.iter().map(|request| request.commands.len()).collect(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(lengths(&mut submissions), [1, COMMANDS_A_REQUEST_MAX]);
    // Nor do those keep the lists waiting.
    for _ in 0..2 * COMMANDS_A_BATCH_MAX {
        operators.push(command().0);
    }
    for _ in 0..2 {
        let taken = lengths(&mut submissions);
        assert_eq!((taken.len(), taken.last()), (COMMANDS_A_BATCH_MAX + 1, Some(&COMMANDS_A_REQUEST_MAX)));
    }
}

#[test]
fn whoever_asks_for_many_hears_of_each() {
    let (lane, operators, mut submissions) = open(100);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(operators.ask_all(Vec::new())), []);
    let writer = thread::spawn(move || {
        let Taken::Batch(requests, _) = submissions.take(1, LONG, None) else { panic!("nothing") };
        for request in requests {
            request.answer(vec![Outcome::Unknown, Outcome::NotDone(NotDone::NotStored)]);
        }
        // The next one is dropped unanswered.
        drop(submissions.take(1, LONG, None));
    });
    let ask = || runtime.block_on(operators.ask_all(vec![unshelve(LONG); 2]));
    assert_eq!(ask(), [Outcome::Unknown, Outcome::NotDone(NotDone::NotStored)]);
    assert_eq!(ask(), vec![Outcome::Unknown; 2]);
    writer.join().unwrap();
    drop(lane);
}
