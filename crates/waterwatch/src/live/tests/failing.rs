//! A follower that fails by a mistake of ours: nothing is shown that may be wrong, and
//! all of it is shown again once it is made anew.

use std::thread::{self, JoinHandle};

use waterwatch_core::alarm::Ledger;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

struct Failing {
    publisher: Publisher,
    live: Live,
    store: Memory,
    settings: Settings,
    follower: Option<JoinHandle<Result<(), GivesUp>>>,
}

impl Failing {
    fn started(again_after: Duration) -> Failing {
        let (mut publisher, follower, live) = open();
        let (store, settings) = (Memory::default(), Settings::default());
        publisher.start(Vec::new(), &store, &settings);
        let follower = follower.again_after(again_after);
        let follower = Some(thread::spawn(move || follower.run()));
        Failing { publisher, live, store, settings, follower }
    }

    /// Turns until what is shown is so.
    fn until(&mut self, mut is_so: impl FnMut(&Live) -> bool) {
        let began = Instant::now();
        while !is_so(&self.live) {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.live.trouble());
            self.publisher.turn(&self.store, &self.settings);
            self.live.state.turn(Duration::ZERO);
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(mut self) -> Result<(), GivesUp> {
        let follower = self.follower.take().unwrap();
        drop(self.publisher);
        follower.join().unwrap()
    }
}

#[test]
fn what_failed_is_not_shown_until_it_is_made_anew() {
    let mut failing = Failing::started(Duration::from_millis(200));
    failing.until(|live| live.look().is_ok());
    for failures in 1..=3 {
        failing.publisher.mistake();
        failing.until(|live| live.look().map(drop) == Err(NotShown::Failed));
        failing.until(|live| live.look().is_ok());
        assert_eq!(failing.live.pulse().failures(), failures);
    }
    assert_eq!(failing.end(), Ok(()));
}

#[test]
fn what_is_recorded_meanwhile_is_told_once_it_is_shown() {
    let mut failing = Failing::started(Duration::from_millis(50));
    failing.until(|live| live.look().is_ok());
    failing.publisher.mistake();
    let mut batch = Batch { sequence: 6, ..Batch::default() };
    let mut ledger = Ledger { sequence: &mut batch.sequence, events: &mut batch.events };
    ledger.was_blind(0, 9, "the server was held up");
    failing.store.commit(&batch).unwrap();
    failing.publisher.recorded(&batch, &failing.store, &failing.settings);
    failing.until(|live| live.pulse().failures() == 1);
    assert_eq!(*failing.live.last_recorded().borrow(), 0, "nobody who looks would find it");
    failing.until(|live| live.look().is_ok());
    assert_eq!(*failing.live.last_recorded().borrow(), 7);
    assert_eq!(failing.live.state.weight(), 0);
}

#[test]
fn who_fails_again_and_again_gives_up() {
    let mut failing = Failing::started(Duration::from_millis(1));
    let began = Instant::now();
    while !failing.follower.as_ref().unwrap().is_finished() {
        assert!(began.elapsed() < PATIENCE);
        failing.publisher.mistake();
        failing.publisher.turn(&failing.store, &failing.settings);
    }
    assert_eq!(failing.live.look().map(drop), Err(NotShown::Failed));
    assert_eq!(failing.end(), Err(GivesUp));
}

/// It holds the mirror, and does not come back.
#[test]
fn one_that_hangs_is_seen_and_nobody_waits_for_it() {
    let mut failing = Failing::started(Duration::from_millis(1));
    failing.until(|live| live.look().is_ok());
    let live = failing.live.clone();
    let held = live.mirror.write().unwrap();
    failing.publisher.renew();
    // A machine that was suspended meanwhile is no follower that hangs.
    live.state.turn(Duration::from_secs(3_600));
    live.state.turn(Duration::from_secs(3_600));
    assert_eq!(live.trouble(), None);
    for _ in 0..20 {
        live.state.turn(Pulse::TURN);
    }
    assert!(matches!(live.look().map(drop), Err(NotShown::Behind(for_s)) if for_s >= Pulse::STALE_AFTER));
    drop(held);
    failing.until(|live| live.look().is_ok());
}
