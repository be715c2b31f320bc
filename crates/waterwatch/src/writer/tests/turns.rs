//! The writer driven turn by turn, by a clock that is told.

use std::rc::Rc;

use waterwatch_core::Settings;
use waterwatch_core::alarm::{AlarmSource, Point};
use waterwatch_core::settings::{PointOverrides, Said, StationOverrides};
use waterwatch_core::silence::Now;

use super::*;
use crate::command::{Command, Outcome, What};
use crate::lane::Awaited;
use crate::station_says::StationSays;
use crate::store::Settled;
use crate::writer::clock::Clock;
use crate::writer::simulation::disk::{Disk, Fault};

/// A clock that is told.
#[derive(Clone, Debug)]
pub(super) struct ToldClock {
    began: Instant,
    now: Rc<Cell<Now>>,
}

impl Clock for ToldClock {
    fn now(&self) -> Now {
        self.now.get()
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now().steady_ms.cast_unsigned())
    }

    fn sleep(&self, _: Duration) {
        panic!("a batch is tried once");
    }
}

/// A writer whose turns are told.
pub(super) struct Turns {
    pub(super) recorder: Recorder<Disk, ToldClock, fn()>,
    pub(super) settled: Settled,
    limits: Limits,
    pub(super) clock: ToldClock,
}

impl Turns {
    pub(super) fn start(disk: Disk, fleet: StationOverrides) -> Turns {
        Turns::with(disk, Settings::of_fleet(fleet))
    }

    pub(super) fn with(disk: Disk, settings: Settings) -> Turns {
        // What is new is a matter of its own.
        let limits = Limits { store_retry_s: 0, new_stations_per_hour_max: usize::MAX, ..Limits::default() };
        Turns::start_at(disk, settings.into(), limits, Now { wall_ms: 1_000_000_000, steady_ms: 50_000 })
    }

    /// The same, with a limit on stations that are new within an hour.
    pub(super) fn with_new_stations_max(self, per_hour_max: usize) -> Turns {
        let limits = Limits { new_stations_per_hour_max: per_hour_max, ..self.limits };
        Turns::start_at(self.recorder.store, self.settled, limits, self.clock.now())
    }

    /// The same at another moment, with rotas in which somebody must have duty.
    pub(super) fn on_call(self, plan: CurrentPlan, now: Now) -> Turns {
        let Turns { recorder, settled, limits, .. } = self;
        let turns = Turns::start_at(recorder.store, settled, limits, now);
        Turns { recorder: turns.recorder.on_call(plan), ..turns }
    }

    /// The same, with a limit on the stations that are known.
    pub(super) fn with_stations_max(self, stations_max: usize) -> Turns {
        let limits = Limits { stations_max, ..self.limits };
        Turns::start_at(self.recorder.store, self.settled, limits, self.clock.now())
    }

    /// The same, with stations that are expected so many seconds from now.
    pub(super) fn expecting(self, stations: &[(i64, i64)]) -> Turns {
        let now = self.clock.now();
        let by = |&(id, after_s)| (StationId::new(id).unwrap(), now.wall_ms + after_s * 1_000);
        let mut settled = Settled { expected_by: stations.iter().map(by).collect(), ..self.settled };
        for (id, _) in &settled.expected_by {
            settled.settings.say(*id, StationOverrides::default(), None);
        }
        Turns::start_at(self.recorder.store, settled, self.limits, now)
    }

    fn start_at(disk: Disk, settled: Settled, limits: Limits, now: Now) -> Turns {
        let clock = ToldClock { began: Instant::now(), now: Rc::new(Cell::new(now)) };
        let stopping = CancellationToken::new();
        let mut recorder = Recorder::start(
            disk,
            settled.clone(),
            clock.clone(),
            limits.clone(),
            (|| {}) as fn(),
            stopping,
            Publisher::default(),
        );
        // So few that there are slices.
        recorder.watch.followed_max = 4;
        Turns { recorder, settled, limits, clock }
    }

    /// The same server over what its disk says is settled.
    pub(super) fn restart_as_settled(mut self, gone_s: i64) -> Turns {
        self.settled = self.recorder.store.book.settled(StationOverrides::default());
        self.restart(gone_s, 0)
    }

    /// The server is gone for so long, and the wall jumps by so much meanwhile.
    pub(super) fn restart(self, gone_s: i64, jump_s: i64) -> Turns {
        let Turns { recorder, settled, limits, clock } = self;
        let mut disk = recorder.store;
        disk.reopen().unwrap();
        let wall_ms = clock.now().wall_ms + (gone_s + jump_s) * 1_000;
        Turns::start_at(disk, settled, limits, Now { wall_ms, steady_ms: 7_000 })
    }

    /// The clocks go on by so much, without a turn.
    pub(super) fn skip(&mut self, wall_ms: i64, steady_ms: i64) {
        let now = self.clock.now();
        let now = Now { wall_ms: now.wall_ms + wall_ms, steady_ms: now.steady_ms + steady_ms };
        self.clock.now.set(now);
    }

    /// What the next commits meet.
    pub(super) fn fail(&mut self, fault: Fault) {
        self.recorder.store.fault = fault;
    }

    /// Time passes, with a turn each 500 ms; the last one hears these, each from
    /// nowhere or, as in `7 1 0 from 10.0.0.5`, from there. What the ledger says of
    /// it, each time it says something.
    pub(super) fn pass(&mut self, seconds: i64, lines: &[&str]) -> Vec<String> {
        let mut told = Vec::new();
        for step in (0..seconds * 2).rev() {
            self.skip(500, 500);
            told.extend(self.turn(if step == 0 { lines } else { &[] }));
        }
        told
    }

    pub(super) fn turn(&mut self, lines: &[&str]) -> Vec<String> {
        self.obey(Vec::new(), lines).1
    }

    /// A turn with this command alone, by Ada: what the ledger says of it.
    pub(super) fn order(&mut self, what: What) -> Vec<String> {
        let command = Command { what, by: "Ada".into(), deadline: self.clock.instant() };
        let (outcomes, told) = self.obey(vec![command], &[]);
        assert!(matches!(outcomes[..], [Outcome::Done(_)]), "{outcomes:?}");
        told
    }

    /// A turn in which something is said of a station, so that it is known.
    pub(super) fn name(&mut self, id: i64) {
        self.order(naming(id));
    }

    /// A turn with these commands and reports: what became of the commands, and
    /// what the ledger says of the turn.
    pub(super) fn obey(&mut self, commands: Vec<Command>, lines: &[&str]) -> (Vec<Outcome>, Vec<String>) {
        let each = commands.into_iter().map(|command| vec![command]).collect();
        let (outcomes, told) = self.obey_requests(each, lines);
        (outcomes.concat(), told)
    }

    /// The same with requests that may list several.
    pub(super) fn obey_requests(
        &mut self,
        requests: Vec<Vec<Command>>,
        lines: &[&str],
    ) -> (Vec<Vec<Outcome>>, Vec<String>) {
        let lengths: Vec<usize> = requests.iter().map(Vec::len).collect();
        let (requests, outcomes): (Vec<_>, Vec<_>) = requests.into_iter().map(Awaited::new).unzip();
        let heard: Vec<(Report, Origin)> = lines.iter().map(|line| heard(line)).collect();
        let heard = heard.iter().map(|(report, origin)| (std::slice::from_ref(report), *origin));
        let turned = self.recorder.once(requests, heard);
        let outcomes = outcomes.into_iter().zip(lengths).map(|(mut outcomes, length)| {
            outcomes.try_recv().unwrap_or_else(|_| vec![Outcome::Unknown; length])
        });
        let outcomes = outcomes.collect();
        turned.unwrap();
        (outcomes, std::mem::take(&mut self.recorder.store.committed).iter().map(say).collect())
    }
}

/// Saying how a station is called.
pub(super) fn naming(id: i64) -> What {
    let mut says = StationSays::default();
    says.say("name", Said::Text("North lift")).unwrap();
    What::SetStation { station: StationId::new(id).unwrap(), says: Box::new(says), if_said: None }
}

/// A line, and where it came from if it says so.
fn heard(line: &str) -> (Report, Origin) {
    match line.split_once(" from ") {
        Some((line, address)) => {
            let address: std::net::Ipv4Addr = address.parse().unwrap();
            (report(line), Origin { listener: 1, peer: address.to_ipv6_mapped().octets() })
        }
        None => (report(line), Origin::default()),
    }
}

pub(super) fn say(event: &Event) -> String {
    let reason = event.reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
    match (&event.source, event.point) {
        (AlarmSource::Station(id), Some(point)) => {
            let count = event.count.filter(|_| event.kind.is_passing());
            let count = count.map(|count| format!(" ({count})")).unwrap_or_default();
            format!("{id} {point} {}{reason}{count}", event.kind)
        }
        (source, None) if event.kind == waterwatch_core::alarm::Kind::SettingsChanged => {
            format!("{source} {}{reason}", event.kind)
        }
        (source, Some(point)) => {
            let stations: String = event.stations.iter().flatten().map(|id| format!(" {id}")).collect();
            format!("{source} {point} {}{stations}{reason}", event.kind)
        }
        (AlarmSource::Server, None) if event.kind.is_about_a_token() => {
            let by = event.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            format!("{}{by}{reason}", event.kind)
        }
        (AlarmSource::Station(id), None) => format!("{id} {}{reason}", event.kind),
        _ => {
            let lasted_s = (event.until_ms.unwrap() - event.event_time_ms) / 1_000;
            format!("{} {lasted_s} s", event.kind)
        }
    }
}

/// A fleet whose contacts must be on for so long.
pub(super) fn delayed(on_delay_s: u32) -> StationOverrides {
    let contact = PointOverrides { on_delay_s: Some(on_delay_s), ..PointOverrides::default() };
    let mut points = [PointOverrides::default(); Point::ALL.len()];
    (points[Point::Alarm1 as usize], points[Point::Alarm2 as usize]) = (contact, contact);
    StationOverrides { points, ..StationOverrides::default() }
}

pub(super) fn turns() -> Turns {
    Turns::start(Disk::default(), StationOverrides::default())
}

/// Nothing that is said.
pub(super) const NOTHING: [&str; 0] = [];
