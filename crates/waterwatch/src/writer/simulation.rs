//! A fleet, its server and everything that goes wrong, under virtual time.
//!
//! Stations with contacts that change and links that fail send to a server
//! that decides and records by the code that [`run`](super::run) does it by,
//! over a disk that is full, doubtful, held up or gone for days, and under a clock on the wall
//! that jumps. What must follow is checked all along by [`truth`].
//!
//! A run is its seed: `WATERWATCH_SIMULATION_SEED` repeats one, and
//! `WATERWATCH_SIMULATION_DAYS` says how many days there are in all
//! (`./campaign simulation`).

pub(super) mod book;
pub(super) mod disk;
mod faults;
mod lives;
mod machine;
mod operators;
mod shown;
mod together;
mod truth;
mod words;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio_util::sync::CancellationToken;
use waterwatch_core::alarm::{Kind, Point};
use waterwatch_core::settings::{PointOverrides, Said, StationOverrides};
use waterwatch_core::{OpenSpan, Origin, Report, Station, StationId, StationSettings};

use self::disk::Disk;
use self::machine::Machine;
use self::operators::Operators;
use self::shown::Shown;
use self::together::Found;
use self::truth::Truth;
use self::words::Contests;
use super::clock::Clock;
use super::recorder::Recorder;
use crate::backoff;
use crate::config::Limits;
use crate::live;
use crate::station_says::StationSays;
use crate::store::Store;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A run lasts so long.
const RUN_DAYS: i64 = 4;

/// The first moment on the wall.
const WALL_MS: i64 = 1_700_000_000_000;

/// How many carriers there are.
const CARRIERS: usize = 3;

/// How long a client waits for its reply.
const REPLY_MS: i64 = 15_000;

/// Seeds of runs that found something, and what.
const FOUND: &[(u64, &str)] = &[
    (1_069_047_786_379, "silent too early: the second restart counted the blind time before the first"),
    (746_040_408_035, "silent 0.4 s too early: time in which a batch was tried again counted as heard"),
    (202_839_082_875, "an on-delay was not in the ledger: batches that found no room used up the quota"),
];

/// What happens next, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Turns(usize, usize),
    LinkChanges(usize),
    /// So does that of all stations with this carrier.
    CarrierChanges(usize),
    /// The station sends if that is still the attempt that it waits for.
    Sends(usize, u64),
    Arrives(usize, Sent),
    Fault,
    Operator,
}

/// A report under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    at_ms: i64,
    contacts: [bool; 2],
    attempt: u64,
}

/// A device that reports as a station, its client and its link. Now and then two
/// of them have the number of one station.
#[derive(Clone, Debug)]
struct Simulated {
    id: StationId,
    origin: Origin,
    contacts: [bool; 2],
    link: bool,
    attempt: u64,
    failures: u32,
    /// Its link is a bad one.
    is_shaky: bool,
    /// Which of the carriers it has, which are the areas, too.
    carrier: usize,
    /// Its address changes now and then.
    is_moving: bool,
}

/// The server while it runs.
struct Server {
    recorder: Recorder<Disk, Rc<Machine>, fn()>,
    /// When its next turn is due.
    turn_ms: i64,
    shown: Shown,
}

struct World {
    rng: Rng,
    machine: Rc<Machine>,
    /// Until when the server can do nothing although it runs.
    held_until_ms: i64,
    /// When the server is back, if it is gone.
    back_ms: i64,
    server: Option<Server>,
    /// Here while no server has it.
    disk: Disk,
    /// What the configuration says, and what holds for the fleet by that alone.
    configuration: StationOverrides,
    fleet: StationSettings,
    stations: Vec<Simulated>,
    /// Whether each carrier's network is there.
    carriers: [bool; CARRIERS],
    /// Whether the server knows of areas.
    has_areas: bool,
    /// Whether operators change settings.
    settles: bool,
    operators: Operators,
    agenda: BinaryHeap<Reverse<(i64, Next)>>,
    checked_ms: i64,
    /// How many addresses were given.
    addresses: u32,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::with_seed(seed);
        let period_ms = rng.choice([1, 1, 2, 5]).unwrap() * MINUTE_MS;
        let machine = Rc::new(Machine::new(WALL_MS, rng.i64(0..DAY_MS)));
        let mut world = World {
            disk: Disk::of(Rc::clone(&machine)),
            machine,
            held_until_ms: 0,
            back_ms: 0,
            server: None,
            configuration: StationOverrides::default(),
            fleet: StationSettings::default(),
            stations: Vec::new(),
            carriers: [true; CARRIERS],
            has_areas: rng.bool(),
            // Not in all runs, as with doubles.
            settles: seed % 4 == 1,
            operators: Operators::default(),
            agenda: BinaryHeap::new(),
            checked_ms: 0,
            addresses: 0,
            rng,
        };
        let grace_s = world.rng.choice([2, 2, 5]).unwrap() * 60;
        let contact = PointOverrides {
            on_delay_s: world.rng.choice([0, 0, 90]),
            off_delay_s: world.rng.choice([0, 0, 150]),
            ..PointOverrides::default()
        };
        let mut points = [PointOverrides::default(); Point::ALL.len()];
        (points[Point::Alarm1 as usize], points[Point::Alarm2 as usize]) = (contact, contact);
        world.configuration = StationOverrides {
            period_s: u32::try_from(period_ms / 1_000).ok(),
            grace_s: Some(grace_s),
            points,
        };
        world.fleet = world.configuration.resolve();
        for place in 0..world.rng.usize(12..36) {
            world.add_station(place);
        }
        // Not in all runs: most fleets have none, and seeds of before stay what
        // they were.
        if seed.is_multiple_of(2) {
            world.add_doubles();
        }
        if world.has_areas {
            world.name_areas();
        }
        for _ in 0..3 {
            world.later(DAY_MS, Next::Fault);
        }
        for carrier in 0..CARRIERS {
            world.later(DAY_MS, Next::CarrierChanges(carrier));
        }
        world.later(HOUR_MS, Next::Operator);
        world
    }

    fn add_station(&mut self, place: usize) {
        let contacts = [self.rng.u8(..) < 30, self.rng.u8(..) < 30];
        let is_shaky = self.rng.u8(..) < 60;
        let carrier = self.rng.usize(0..CARRIERS);
        let id = StationId::new(i64::try_from(place).unwrap()).unwrap();
        let origin = self.address();
        self.stations.push(Simulated {
            id,
            origin,
            contacts,
            link: true,
            attempt: 0,
            failures: 0,
            is_shaky,
            carrier,
            is_moving: false,
        });
        if self.rng.u8(..) < 60 {
            let (report, _) = self.stations[place].says(contacts);
            let station = Station {
                alarm1: contacts[0],
                alarm2: contacts[1],
                received_at_ms: WALL_MS,
                sequence: 0,
                reports: 0,
                origin: Origin::default(),
                span: OpenSpan::default(),
            };
            self.disk.leave(report.station_id, station);
            self.machine.truth().left(report);
        }
        self.begins(place);
    }

    fn begins(&mut self, place: usize) {
        for contact in 0..2 {
            self.later(6 * HOUR_MS, Next::Turns(place, contact));
        }
        self.later(DAY_MS, Next::LinkChanges(place));
        let starts_in_ms = self.rng.i64(0..self.fleet.period_ms);
        self.at(starts_in_ms, Next::Sends(place, 0));
    }

    /// Devices that were given a number that another one has: half of them behind
    /// the other's router, and each now and then away. And stations that move.
    fn add_doubles(&mut self) {
        for place in 0..self.stations.len() {
            self.stations[place].is_moving = self.rng.u8(..) < 60;
            if self.rng.u8(..) >= 40 {
                continue;
            }
            let Simulated { id, origin, is_moving, .. } = self.stations[place];
            let shares = self.rng.bool() && !is_moving;
            let origin = if shares { origin } else { self.address() };
            let contacts = [self.rng.u8(..) < 60, self.rng.u8(..) < 60];
            let double = Simulated { id, origin, contacts, is_shaky: true, ..self.stations[place].clone() };
            self.stations.push(double);
            self.machine.truth().has_double(id, shares);
            self.begins(self.stations.len() - 1);
        }
    }

    /// An address that nobody has.
    fn address(&mut self) -> Origin {
        self.addresses += 1;
        let mut peer = [0; 16];
        peer[12..].copy_from_slice(&self.addresses.to_be_bytes());
        Origin { listener: 1, peer }
    }

    fn at(&mut self, in_ms: i64, next: Next) {
        self.agenda.push(Reverse((self.now_ms() + in_ms, next)));
    }

    /// After a while that is so long on average.
    fn later(&mut self, about_ms: i64, next: Next) {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "by chance")]
        let in_ms = (-self.rng.f64().max(1e-9).ln() * about_ms as f64) as i64;
        self.at(in_ms + 1, next);
    }

    /// Short, long, and now and then very long.
    fn while_ms(&mut self) -> i64 {
        match self.rng.u8(0..8) {
            0 => self.rng.i64(100..2_000),
            1..4 => self.rng.i64(SECOND_MS..MINUTE_MS),
            4..6 => self.rng.i64(MINUTE_MS..20 * MINUTE_MS),
            6 => self.rng.i64(20 * MINUTE_MS..3 * HOUR_MS),
            _ => self.rng.i64(3 * HOUR_MS..30 * HOUR_MS),
        }
    }

    fn now_ms(&self) -> i64 {
        self.machine.now_ms()
    }

    fn run(&mut self, until_ms: i64) {
        self.start();
        while self.now_ms() < until_ms {
            let next_ms = self.agenda.peek().map_or(i64::MAX, |Reverse((at_ms, _))| *at_ms);
            let turn_ms = self.server.as_ref().map_or(self.back_ms, |server| server.turn_ms);
            if turn_ms <= next_ms {
                self.machine.pass(turn_ms);
                if self.server.is_some() { self.turn(&[]) } else { self.start() }
            } else {
                self.machine.pass(next_ms);
                if let Some(Reverse((_, next))) = self.agenda.pop() {
                    self.happens(next);
                }
            }
        }
        self.machine.truth().agrees(self.disk());
    }

    fn disk(&self) -> &Disk {
        self.server.as_ref().map_or(&self.disk, |server| &server.recorder.store)
    }

    fn start(&mut self) {
        if self.rng.u8(..) < 20 {
            self.configuration.grace_s = Some(self.rng.choice([2, 5]).unwrap() * 60);
            self.fleet = self.configuration.resolve();
        }
        let mut disk = std::mem::take(&mut self.disk);
        let settled = disk.book.settled(self.configuration);
        self.machine.starts(self.fleet, settled.settings.clone());
        disk.reopen().unwrap();
        let (publisher, follower, live) = live::open();
        let mut recorder = Recorder::start(
            disk,
            settled,
            Rc::clone(&self.machine),
            Limits::default(),
            (|| {}) as fn(),
            CancellationToken::new(),
            publisher,
        );
        // So few that there are slices.
        recorder.watch.followed_max = 4;
        self.server = Some(Server { recorder, turn_ms: self.now_ms(), shown: Shown { follower, live } });
    }

    /// The last carrier's stations are in no area.
    fn name_areas(&mut self) {
        for station in &self.stations {
            if station.carrier + 1 < CARRIERS {
                let mut says = StationSays::default();
                let area = format!("carrier {}", station.carrier + 1);
                says.say("area", Said::Text(&area)).unwrap();
                self.disk.book.stations.insert(station.id, says);
            }
        }
    }

    fn happens(&mut self, next: Next) {
        match next {
            Next::Turns(place, contact) => {
                let station = &mut self.stations[place];
                station.contacts[contact] ^= true;
                let is_on = station.contacts[contact];
                // A client sends a change at once, whatever it waits for.
                station.attempt += 1;
                let attempt = station.attempt;
                self.at(0, Next::Sends(place, attempt));
                // Now and then one that chatters.
                let about_ms = match self.rng.u8(0..10) {
                    0..3 => 40 * SECOND_MS,
                    _ if is_on => HOUR_MS,
                    _ => 8 * HOUR_MS,
                };
                self.later(about_ms, Next::Turns(place, contact));
            }
            Next::LinkChanges(place) => {
                self.stations[place].link ^= true;
                if self.stations[place].is_moving && self.rng.bool() {
                    self.stations[place].origin = self.address();
                }
                let about_ms = match (self.stations[place].link, self.stations[place].is_shaky) {
                    (false, _) => self.while_ms(),
                    (true, true) => 20 * MINUTE_MS,
                    (true, false) => 2 * DAY_MS,
                };
                self.later(about_ms, Next::LinkChanges(place));
            }
            Next::CarrierChanges(carrier) => {
                self.carriers[carrier] ^= true;
                let about_ms = if self.carriers[carrier] { 2 * DAY_MS } else { self.while_ms() };
                self.later(about_ms, Next::CarrierChanges(carrier));
            }
            Next::Sends(place, attempt) => self.sends(place, attempt),
            Next::Arrives(place, sent) => self.arrive(place, sent),
            Next::Fault => {
                self.fault();
                self.later(8 * HOUR_MS, Next::Fault);
            }
            Next::Operator => {
                self.operate();
                self.later(2 * HOUR_MS, Next::Operator);
            }
        }
    }

    fn sends(&mut self, place: usize, attempt: u64) {
        let station = &self.stations[place];
        if station.attempt != attempt {
            return;
        }
        let sent = Sent { at_ms: self.now_ms(), contacts: station.contacts, attempt };
        if !station.link || !self.carriers[station.carrier] {
            // Nothing is heard until the connection is given up.
            let after_ms = self.rng.i64(10..10 * SECOND_MS);
            self.fails(place, after_ms);
        } else if self.server.is_some() {
            let arrives_ms = (self.now_ms() + self.rng.i64(1..300)).max(self.held_until_ms);
            self.at(arrives_ms - self.now_ms(), Next::Arrives(place, sent));
        } else {
            self.fails(place, 10);
        }
    }

    /// The client tries again, as ours does.
    fn fails(&mut self, place: usize, after_ms: i64) {
        let longest = Duration::from_millis(self.fleet.period_ms.cast_unsigned());
        let random = self.rng.u64(..);
        let station = &mut self.stations[place];
        station.attempt += 1;
        let wait = backoff::delay(Duration::from_secs(1), longest, station.failures, random);
        station.failures += 1;
        let next = Next::Sends(place, station.attempt);
        self.at(after_ms + i64::try_from(wait.as_millis()).unwrap(), next);
    }

    fn is_acknowledged(&mut self, place: usize, sent: Sent) {
        if self.stations[place].attempt != sent.attempt {
            return;
        }
        // The link may fail just then, or the server was too slow.
        if self.rng.u8(..) == 0 || self.now_ms() - sent.at_ms > REPLY_MS {
            self.fails(place, 100);
            return;
        }
        let station = &mut self.stations[place];
        station.failures = 0;
        station.attempt += 1;
        let next = Next::Sends(place, station.attempt);
        self.at((sent.at_ms + self.fleet.period_ms - self.now_ms()).max(1), next);
    }

    /// Reports arrive; those that waited for the server are one batch.
    fn arrive(&mut self, place: usize, sent: Sent) {
        let mut arrived = vec![(place, sent)];
        while let Some(Reverse((at_ms, Next::Arrives(place, sent)))) = self.agenda.peek().copied()
            && at_ms <= self.now_ms()
        {
            self.agenda.pop();
            arrived.push((place, sent));
        }
        if self.server.is_some() {
            self.turn(&arrived);
        } else {
            for (place, sent) in arrived {
                self.is_refused(place, sent);
            }
        }
    }

    fn is_refused(&mut self, place: usize, sent: Sent) {
        if self.stations[place].attempt == sent.attempt {
            self.fails(place, 10);
        }
    }

    /// The server takes a turn and hears these.
    fn turn(&mut self, arrived: &[(usize, Sent)]) {
        let Some(server) = &mut self.server else { return };
        let reports: Vec<(Report, Origin)> =
            arrived.iter().map(|&(place, sent)| self.stations[place].says(sent.contacts)).collect();
        self.machine.hears(&reports);
        let heard = reports.iter().map(|(report, origin)| (std::slice::from_ref(report), *origin));
        let recorded = server.recorder.once(self.operators.take(), heard);
        self.operators.hear(&mut self.machine.truth());
        for &(place, sent) in arrived {
            if matches!(recorded, Ok(Some(_))) {
                self.is_acknowledged(place, sent);
            } else {
                self.is_refused(place, sent);
            }
        }
        if recorded.is_err() {
            let back_in_ms = self.rng.i64(100..5 * SECOND_MS);
            self.dies(back_in_ms);
            return;
        }
        self.has_turned(matches!(recorded, Ok(Some(_))));
    }

    /// Looks at the server after its turn, and when the next one is due.
    fn has_turned(&mut self, is_stored: bool) {
        let Some(Server { recorder, turn_ms, shown }) = &mut self.server else { return };
        let wait = recorder.due().saturating_duration_since(self.machine.instant());
        let now_ms = self.machine.now_ms();
        *turn_ms = now_ms + i64::try_from(wait.as_millis()).unwrap().max(1);
        let truth = self.machine.truth();
        if now_ms >= self.checked_ms && !truth.is_deaf() && !recorder.is_in_trouble() {
            self.checked_ms = now_ms + 5 * SECOND_MS;
            truth.nobody_is_forgotten(&recorder.store);
            if std::mem::take(&mut recorder.store.was_said) {
                let settled = recorder.store.book.settled(self.configuration);
                assert_eq!(recorder.watch.settled(), settled, "as a start would have it");
            }
            if !recorder.watch.is_due() {
                truth.nobody_is_hidden_for_nothing(&recorder.store, recorder.watch.turn_is().wall_ms);
            }
            if !recorder.is_to_publish() {
                shown.agrees(&recorder.store);
            }
            if is_stored {
                truth.lives.no_visit_is_forgotten(self.machine.now().wall_ms);
            }
        }
    }
}

impl Simulated {
    /// What it reports, and from where.
    fn says(&self, [alarm1, alarm2]: [bool; 2]) -> (Report, Origin) {
        (Report { station_id: self.id, alarm1, alarm2 }, self.origin)
    }
}

/// Runs the world of a seed, and says which it was if it fails.
fn simulate(seed: u64, days: i64) -> Truth {
    struct Say(u64);
    impl Drop for Say {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("to see it again: WATERWATCH_SIMULATION_SEED={}", self.0);
            }
        }
    }
    let _say = Say(seed);
    let mut world = World::new(seed);
    world.run(days * DAY_MS);
    world.machine.take_truth()
}

/// The worlds of so many seeds, on all processors.
fn simulate_all(seed: u64, runs: u64) -> Vec<Truth> {
    let next = AtomicU64::new(0);
    let simulate_some = || {
        let mut truths = Vec::new();
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs {
                return truths;
            }
            truths.push(simulate(seed + run, RUN_DAYS));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(simulate_some)).collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("a world that is as it should be"))
            .collect()
    })
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn whatever_goes_wrong_no_alarm_is_lost_and_none_invented() {
    if let Some(seed) = from_environment("WATERWATCH_SIMULATION_SEED") {
        simulate(seed, RUN_DAYS);
        return;
    }
    let days = from_environment("WATERWATCH_SIMULATION_DAYS").unwrap_or(40);
    let seed = fastrand::u64(..1 << 40);
    let mut contests = Contests::default();
    println!("{days} days from seed {seed} on");
    let (mut counts, mut outcomes) = (BTreeMap::<Kind, usize>::new(), BTreeMap::<&str, usize>::new());
    let mut faults = Vec::new();
    for truth in simulate_all(seed, days.div_ceil(RUN_DAYS.cast_unsigned())) {
        contests += truth.contests();
        faults.push(truth.faults());
        for (kind, count) in truth.counts {
            *counts.entry(kind).or_default() += count;
        }
        for (outcome, count) in truth.outcomes {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    println!("{counts:?}");
    println!("{outcomes:?}");
    println!("{contests:?}");
    let looked_at = |of: fn(&Found) -> usize| faults.iter().map(of).sum::<usize>();
    let faults = [|of: &Found| of.raised, |of: &Found| of.stood_for, |of: &Found| of.alone].map(looked_at);
    println!("silent together, raised, stood for, alone: {faults:?}");
    assert!(faults.iter().all(|count| *count > 0), "{faults:?}");
    for kind in [
        Kind::Raised,
        Kind::Returned,
        Kind::Acknowledged,
        Kind::ServiceExpired,
        Kind::VisitEnded,
        Kind::Retired,
        Kind::RetirementEnded,
        Kind::Forgotten,
        Kind::Blind,
        Kind::ClockJumped,
        Kind::StandsFor,
        Kind::HeardAgain,
        Kind::SettingsChanged,
        Kind::Note,
        Kind::TokenAdded,
        Kind::TokenRevoked,
    ] {
        assert!(counts.contains_key(&kind), "nothing of the kind {kind} happened");
    }
    for outcome in ["done", "rejected", "not done"] {
        assert!(outcomes.contains_key(outcome), "no operator was told {outcome}");
    }
    let Contests { alternating, contradicting, mistaken, held } = contests;
    assert!(alternating > 0 && held > 0 && (contradicting > 0 || days < 200), "{contests:?}");
    assert!(mistaken <= 1 + contradicting / 10, "{contests:?}");
}

#[test]
fn what_was_found_is_not_found_again() {
    for (seed, what) in FOUND {
        println!("{seed}: {what}");
        simulate(*seed, RUN_DAYS);
    }
}
