//! How long questions take with a million stations, and what the mirror costs:
//! measured by hand, with `--release --run-ignored only --no-capture`.

use waterwatch_core::alarm::State;
use waterwatch_core::settings::{Said, ScopeSays};
use waterwatch_core::silence::Now;

use super::*;
use crate::store::NewSays;
use crate::store::reader::communication::{Comms, Quality};
use crate::writer::draft::Draft;
use crate::writer::watch::Watch;

const MILLION: i64 = 1_000_000;

const AREAS: i64 = 1_000;

/// Stations that fall silent in one batch.
const TOGETHER: usize = 16_384;

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_000.0
}

/// What this thread has worked, in milliseconds: whatever else runs on the machine.
fn worked_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e6
}

/// What one takes of many that are alike, after the first.
fn each_ms(mut ask: impl FnMut() -> usize) -> (f64, usize) {
    const TIMES: u32 = 50;
    ask();
    let began_ms = worked_ms();
    let mut found = 0;
    for _ in 0..TIMES {
        found = ask();
    }
    ((worked_ms() - began_ms) / f64::from(TIMES), found)
}

#[test]
#[ignore = "a measurement"]
fn a_million_stations_are_asked_for() {
    let (mut publisher, follower, live) = open();
    let (mut store, mut settings) = (Memory::default(), Settings::default());
    let areas: Vec<String> = (0..AREAS).map(|area| format!("area {area}")).collect();
    for number in 0..MILLION {
        let how = if number % 100 == 0 { Priority::Critical } else { Priority::High };
        let area = &areas[usize::try_from(number % AREAS).unwrap()];
        settings.say(id(number), says(how, how, 60, true), Some(area));
    }
    store.stations.reserve(1_000_000);
    for number in 0..MILLION {
        // One in 250,000 is late.
        let age_ms = if number % 250_000 == 249_999 { 90_000 } else { number % 60_000 };
        store.stations.add(id(number), heard(age_ms, false, false));
    }
    let before_mb = resident_mb();
    let began_ms = worked_ms();
    publisher.start((1..MILLION).map(id).collect(), &store, &settings);
    println!("the writer's part of the whole: {:.0} ms", worked_ms() - began_ms);
    let began_ms = worked_ms();
    follower.catch_up();
    println!("the follower's: {:.0} ms", worked_ms() - began_ms);
    println!("the mirror of a million at rest, each in an area: {:.0} MB", resident_mb() - before_mb);
    // An alarm of its own has one in a thousand.
    let alarms = (0..MILLION)
        .step_by(1_000)
        .map(|number| ((station(number + 7), Point::Alarm1), Some(raised(number + 1, NOW_MS - number))));
    let batch = Batch { sequence: 1, alarms: alarms.collect(), ..Batch::default() };
    store.commit(&batch).unwrap();
    publisher.recorded(&batch, &store, &settings);
    follower.catch_up();
    ask(&live, "all but a few at rest");
    let before_mb = resident_mb();
    let all: Vec<StationId> = (0..MILLION).map(id).collect();
    let (mut took_ms, mut pushed_ms) = (0.0, 0.0);
    for (number, stations) in (0..).zip(all.chunks(TOGETHER)) {
        let together = SilentTogether { occurrence: 9, since_ms: NOW_MS + number, stations: stations.into() };
        let batch = Batch { sequence: 2 + number, silent_together: vec![together], ..Batch::default() };
        store.commit(&batch).unwrap();
        let began_ms = worked_ms();
        publisher.recorded(&batch, &store, &settings);
        pushed_ms += worked_ms() - began_ms;
        let began_ms = worked_ms();
        follower.catch_up();
        took_ms += worked_ms() - began_ms;
    }
    println!(
        "a million fall silent: the writer pushes {pushed_ms:.0} ms, the follower takes {took_ms:.0} ms"
    );
    println!("the store's and the mirror's memory for it: {:.0} MB", resident_mb() - before_mb);
    ask(&live, "all silent together");
}

/// What people say for the whole fleet holds up the writer for no longer than some
/// milliseconds at a time, but for the copy of everything for those who look.
#[test]
#[ignore = "a measurement"]
fn a_million_stations_are_settled_anew() {
    let (mut publisher, follower, _live) = open();
    let (mut store, mut settings) = (Memory::default(), Settings::default());
    store.stations.reserve(1_000_000);
    for number in 0..MILLION {
        settings.say(id(number), says(Priority::High, Priority::High, 60, true), Some("North"));
        store.stations.add(id(number), heard(number % 60_000, number % 100 == 0, false));
    }
    publisher.start((0..MILLION).map(id).collect(), &store, &settings);
    follower.catch_up();
    let now = Now { wall_ms: NOW_MS, steady_ms: NOW_MS };
    let mut watch = Watch::start(settings, &store, now);
    let mut fleet = ScopeSays::default();
    fleet.say("grace_s", Said::Number(30)).unwrap();
    for said in [NewSays::Fleet(Box::new(fleet.clone())), NewSays::Area("North".into(), Box::new(fleet))] {
        let batch = Batch { sequence: store.sequence() + 1, said: vec![said], ..Batch::default() };
        store.commit(&batch).unwrap();
        let began_ms = worked_ms();
        watch.recorded(&batch, &store);
        let recorded_ms = worked_ms() - began_ms;
        let began_ms = worked_ms();
        publisher.recorded(&batch, &store, watch.settings());
        println!("recorded: {recorded_ms:.1} ms, published: {:.1} ms", worked_ms() - began_ms);
        follower.catch_up();
        let mut draft = Draft::default();
        let (mut slices, mut all_ms, mut longest_ms) = (0, 0.0, 0.0_f64);
        while watch.is_settling() {
            let began_ms = worked_ms();
            draft.decide(&store, &mut watch, now, usize::MAX, std::iter::empty(), std::iter::empty());
            let took_ms = worked_ms() - began_ms;
            watch.nothing_followed(&store);
            (slices, all_ms, longest_ms) = (slices + 1, all_ms + took_ms, longest_ms.max(took_ms));
        }
        println!("followed: {slices} slices, {all_ms:.0} ms in all, the longest {longest_ms:.1} ms");
    }
}

fn ask(live: &Live, when: &str) {
    let view = live.look().unwrap();
    println!("{when}:");
    let alarms = |what: &str, query: AlarmQuery| {
        let (ms, found) = each_ms(|| view.alarms(&AlarmQuery { limit: 100, ..query.clone() }).alarms.len());
        println!("  /alarms {what}: {ms:.3} ms, {found} found");
    };
    alarms("", AlarmQuery::default());
    for &state in State::ALL {
        alarms(state.name(), AlarmQuery { state: vec![state], ..AlarmQuery::default() });
    }
    for &priority in Priority::ALL {
        alarms(priority.name(), AlarmQuery { priority: vec![priority], ..AlarmQuery::default() });
    }
    alarms("in an area", AlarmQuery { area: Some("area 7".into()), ..AlarmQuery::default() });
    for active in [true, false] {
        alarms(&format!("active {active}"), AlarmQuery { active: Some(active), ..AlarmQuery::default() });
    }
    let stations = |what: &str, query: StationQuery| {
        let query = StationQuery { limit: 100, ..query };
        let (ms, found) = each_ms(|| view.stations(&query, NOW_MS).stations.len());
        println!("  /stations {what}: {ms:.3} ms, {found} found");
    };
    stations("", StationQuery::default());
    stations("after the 900,000th", StationQuery { after: Some(id(900_000)), ..StationQuery::default() });
    for comms in Comms::ALL {
        stations(comms.name(), StationQuery { comms: vec![comms], ..StationQuery::default() });
    }
    for quality in Quality::ALL {
        stations(quality.name(), StationQuery { quality: vec![quality], ..StationQuery::default() });
    }
    for &state in State::ALL {
        stations(state.name(), StationQuery { state: vec![state], ..StationQuery::default() });
    }
    stations("in an area", StationQuery { area: Some("area 7".into()), ..StationQuery::default() });
    stations("unnamed", StationQuery { unnamed: Some(true), ..StationQuery::default() });
    let within = Some(Within { id_prefix: Some("9".into()), ids: (0..1_000).map(id).collect() });
    stations("by name", StationQuery { within, ..StationQuery::default() });
    let (ms, _) = each_ms(|| view.comms_counts(NOW_MS).len());
    println!("  stations by communication state: {ms:.3} ms");
}
