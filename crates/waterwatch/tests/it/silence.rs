//! Stations that fall silent, and times in which the server could hear nobody.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::harness::{Server, run, stderr, wait_for, waterwatch};
use crate::ledger::{self, Entry, kinds, ledger};

/// A period and a grace that a test can wait for.
const SHORT: [&str; 4] = ["--period-s", "1", "--grace-s", "1"];
const DEADLINE_MS: i64 = 2_000;

fn of(data: &Path, alarm: &str) -> Vec<Entry> {
    ledger(data).into_iter().filter(|entry| entry.alarm == alarm).collect()
}

/// Reports again and again until told to stop, as a fleet does.
fn report_while<T>(server: &Server, lines: &str, until: impl FnOnce() -> T) -> T {
    let stop = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                server.say(lines.as_bytes());
                // Their period, which is what is tested: far below the deadline.
                thread::sleep(Duration::from_millis(100));
            }
        });
        let seen = until();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        seen
    })
}

#[test]
fn a_station_that_falls_silent_is_an_alarm_within_a_second_and_returns_with_its_next_report() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &SHORT);
    assert_eq!(server.say(b"7 0 0\n"), "OK\n");
    // Its neighbour goes on.
    report_while(&server, "8 0 0\n", || {
        wait_for("the silence", || (kinds(&server.data, "7/comms") == ["raised"]).then_some(()));
    });
    let raised = &of(&server.data, "7/comms")[0];
    let heard_ms: i64 = crate::harness::open(&server.data)
        .query_row("SELECT received_at FROM station_state WHERE station_id = 7", [], |row| row.get(0))
        .unwrap();
    let after_ms = raised.received_at - heard_ms;
    // Within a second, by virtual time (writer/tests/time.rs); a machine may
    // be slower than that.
    assert!((DEADLINE_MS..DEADLINE_MS + 5_000).contains(&after_ms), "noticed after {after_ms} ms");
    assert_eq!(server.say(b"7 0 0\n"), "OK\n");
    // In the same transaction: nothing to wait for.
    assert_eq!(kinds(&server.data, "7/comms"), ["raised", "returned"]);
    assert_eq!(kinds(&server.data, "8/comms"), [""; 0]);
    ledger::check(&server.data).unwrap();
    server.stop();
}

/// Told to people by every command, and without an alarm of each.
#[test]
fn an_area_that_falls_silent_is_one_alarm_and_its_stations_say_why_they_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &SHORT);
    let data = server.data.clone();
    server.stop();
    let north: String = (1..=4).map(|id| format!("({id}, 'North')")).collect::<Vec<_>>().join(", ");
    let settle = format!("INSERT INTO station_settings (station_id, area) VALUES {north}");
    crate::harness::open(&data).execute_batch(&settle).unwrap();
    let server = Server::start(folder.path(), &SHORT);
    assert_eq!(server.say(b"1 0 0\n2 0 1\n3 0 0\n4 0 0\n"), "OK\n".repeat(4));
    let others: String = (10..20).map(|id| format!("{id} 0 0\n")).collect();
    report_while(&server, &others, || {
        wait_for("the area", || (kinds(&data, "area/North/comms").len() > 1).then_some(()));
    });
    let told = of(&data, "area/North/comms");
    assert_eq!((&*told[0].kind, &*told[1].kind), ("raised", "stands_for"));
    assert_eq!(told[1].stations, [1, 2, 3, 4]);
    assert!(told[0].reason.as_deref().unwrap().ends_with("last heard in alarm: 2 (alarm2)"), "{told:?}");
    assert_eq!(kinds(&data, "3/comms"), [""; 0]);
    ledger::check(&data).unwrap();
    let say = |args: &[&str]| {
        let output = run(args, folder.path());
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let status = say(&["status"]);
    assert!(status.contains("stations are out of contact"), "why, in status: {status}");
    let list = say(&["alarm", "list"]);
    let status = say(&["status"]);
    let first = status.lines().nth(1).unwrap();
    assert!(
        first.starts_with("UNACK") && first.contains("area/North  comms"),
        "above the stations: {status}"
    );
    let alarms = list.lines().find_map(|line| line.split_once(" unacknowledged")).unwrap().0;
    let agrees = format!("14 stations, {}, ", alarms.replace(": ", ", ") + " unacknowledged");
    assert!(status.contains(&agrees), "{agrees} in {status}");
    let area = list.lines().find(|line| line.contains("area/North")).unwrap();
    assert!(area.contains("  4 of 4 stations are out of contact; last heard in alarm: 2 …"), "{list}");
    let shown = say(&["alarm", "show", "area/North", "comms"]);
    let reason = told[0].reason.as_deref().unwrap();
    assert!(shown.contains(&format!("\n  reason          {reason}\n")), "{shown}");
    let by_north = format!("area/North comms (occurrence {}) stands for it", told[0].sequence);
    let explained = say(&["alarm", "explain", "3", "comms"]);
    let stands = format!("silent together with others: {by_north}.");
    assert!(explained.contains(&stands), "{explained}");
    let shown = say(&["alarm", "show", "3", "comms"]);
    assert!(shown.contains(&format!("\n  suppressed      {by_north}\n")), "{shown}");
    let all = say(&["alarm", "list", "--all"]);
    assert_eq!(all.matches(&by_north).count(), 4, "{all}");
    let station = say(&["station", "show", "3"]);
    assert!(station.contains(&by_north), "{station}");
    let json = say(&["alarm", "list", "--all", "--json"]);
    assert_eq!(json.matches("\"suppressed_by_source\":\"area/North\"").count(), 4, "{json}");
    assert_eq!(json.matches(&format!("\"raised_because\":\"{reason}\"")).count(), 1, "{json}");
    let explained = say(&["alarm", "explain", "area/North", "comms"]);
    assert!(explained.contains("4 of 4 stations are out of contact"), "{explained}");
    assert!(explained.contains("stands for the silence of 4 stations: 1, 2, 3, 4"), "{explained}");
    let history = say(&["alarm", "history", "--source", "3"]);
    assert!(history.contains("stands_for"), "{history}");
    let stations = say(&["station", "list", "--json"]);
    assert_eq!(stations.matches("\"comms\":\"silent\"").count(), 4, "{stations}");
    assert_eq!(server.say(b"1 0 0\n2 0 1\n3 0 0\n4 0 0\n"), "OK\n".repeat(4));
    assert_eq!(of(&data, "area/North/comms").last().unwrap().stations, [1, 2, 3, 4]);
    ledger::check(&data).unwrap();
    server.stop();
}

#[test]
fn an_area_names_those_of_its_stations_that_had_alarmed_for_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &SHORT);
    let data = server.data.clone();
    server.stop();
    let north: String = (1..=5).map(|id| format!("({id}, 'North')")).collect::<Vec<_>>().join(", ");
    let settle = format!("INSERT INTO station_settings (station_id, area) VALUES {north}");
    crate::harness::open(&data).execute_batch(&settle).unwrap();
    let server = Server::start(folder.path(), &SHORT);
    let others: String = (10..20).map(|id| format!("{id} 0 0\n")).collect();
    assert_eq!(server.say(b"1 0 0\n"), "OK\n");
    report_while(&server, &format!("2 0 0\n3 0 0\n4 0 0\n5 0 0\n{others}"), || {
        wait_for("its silence", || (kinds(&data, "1/comms") == ["raised"]).then_some(()));
    });
    report_while(&server, &others, || {
        wait_for("the area", || (kinds(&data, "1/comms") == ["raised", "suppressed"]).then_some(()));
    });
    server.stop();
    let output = run(&["alarm", "explain", "area/North", "comms"], folder.path());
    assert!(output.status.success(), "{}", stderr(&output));
    let story = String::from_utf8(output.stdout).unwrap();
    assert!(story.contains("stands for the silence of 4 stations: 2, 3, 4, 5"), "{story}");
    assert!(story.contains("stands for the silence of station 1, which had alarmed for itself."), "{story}");
}

#[test]
fn a_client_that_is_gone_is_noticed_though_its_connection_was_closed_long_before() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &SHORT);
    std::fs::write(folder.path().join("status.txt"), "7\n0\n0\n").unwrap();
    let mut command = waterwatch();
    command.args(["client", "--server", &server.address.to_string(), "--every", "200ms"]);
    command.current_dir(folder.path());
    let client = crate::harness::Running::start(command);
    client.wait_for_log("acknowledged 7 0 0");
    let since = Instant::now();
    wait_for("several periods", || (since.elapsed() > Duration::from_secs(3)).then_some(()));
    assert_eq!(kinds(&server.data, "7/comms"), [""; 0], "it reports");
    client.signal(rustix::process::Signal::KILL);
    wait_for("the silence", || (kinds(&server.data, "7/comms") == ["raised"]).then_some(()));
    server.stop();
}

#[test]
fn the_time_in_which_no_server_ran_is_nobodys_silence() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &SHORT);
    let lines: String = (0..100).map(|id| format!("{id} 0 0\n")).collect();
    assert_eq!(server.say(lines.as_bytes()), "OK\n".repeat(100));
    let data = server.data.clone();
    server.stop();
    let gone = Instant::now();
    wait_for("longer than anybody may be silent", || (gone.elapsed() > Duration::from_secs(3)).then_some(()));
    let server = Server::start(folder.path(), &SHORT);
    // All but one come back.
    let others: String = (1..100).map(|id| format!("{id} 0 0\n")).collect();
    report_while(&server, &others, || {
        wait_for("the one", || (!kinds(&data, "0/comms").is_empty()).then_some(()));
    });
    let comms: Vec<_> = ledger(&data).into_iter().filter(|entry| entry.alarm.ends_with("/comms")).collect();
    assert_eq!(comms.len(), 1, "no flood: {comms:?}");
    // A slow machine may have been blind once more.
    let absence = |entry: &Entry| entry.reason.as_deref() == Some("the server was not running");
    let blind = of(&data, "server").into_iter().find(absence).expect("an entry of its absence");
    assert_eq!(blind.kind, "blind");
    let back_ms = blind.until.unwrap();
    assert!(back_ms - blind.event_time >= 2_500, "{blind:?}");
    assert!(comms[0].received_at >= back_ms + 1_000, "it had a whole period: {comms:?}");
    ledger::check(&data).unwrap();
    server.stop();
}

/// As by a suspended machine, or one that has no time for us.
#[test]
fn the_time_in_which_the_process_stood_still_is_nobodys_silence() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &SHORT);
    assert_eq!(server.say(b"7 0 0\n8 0 0\n"), "OK\nOK\n");
    server.running.pause();
    let since = Instant::now();
    wait_for("a long while", || (since.elapsed() > Duration::from_secs(4)).then_some(()));
    server.running.resume();
    report_while(&server, "8 0 0\n", || {
        wait_for("the one that is gone", || (!kinds(&server.data, "7/comms").is_empty()).then_some(()));
    });
    let data = server.data.clone();
    // The last that it writes is what it has not told yet.
    server.stop();
    assert_eq!(kinds(&data, "8/comms"), [""; 0]);
    let blind = of(&data, "server");
    let for_ms: i64 = blind.iter().filter_map(|entry| Some(entry.until? - entry.event_time)).sum();
    assert!(for_ms >= 3_000, "blind for {for_ms} ms: {blind:?}");
}

#[test]
fn a_full_disk_makes_no_station_silent() {
    let Some(disk) = Disk::tmpfs(2 << 20) else { return };
    let server = Server::start(&disk.path, &[&SHORT[..], &["--store-retry-s", "1"]].concat());
    let lines: String = (0..100).map(|id| format!("{id} 0 0\n")).collect();
    assert_eq!(server.say(lines.as_bytes()), "OK\n".repeat(100));
    disk.fill();
    // Reports that say something new find no room.
    let many: String = (1_000..2_000).map(|id| format!("{id} 0 1\n")).collect();
    wait_for("the disk to be full", || server.say(many.as_bytes()).is_empty().then_some(()));
    let since = Instant::now();
    report_while(&server, &lines, || {
        wait_for("a long while", || (since.elapsed() > Duration::from_secs(5)).then_some(()));
    });
    disk.make_room();
    wait_for("room", || (server.say(lines.as_bytes()).len() == 300).then_some(()));
    let data = server.data.clone();
    // The last that it writes is what it has not told yet.
    server.stop();
    let silent: Vec<_> = ledger(&data)
        .into_iter()
        .filter(|entry| entry.alarm.ends_with("/comms") && entry.alarm.len() <= "99/comms".len())
        .collect();
    assert_eq!(silent, [], "nobody was silent");
    // A slow machine may have been held up besides.
    let blind = of(&data, "server");
    let unstored = |entry: &Entry| entry.reason.as_deref() == Some("nothing could be stored");
    assert!(blind.iter().any(unstored), "{blind:?}");
    let for_ms: i64 = blind.iter().filter_map(|entry| Some(entry.until? - entry.event_time)).sum();
    assert!(for_ms >= 4_000, "blind for {for_ms} ms: {blind:?}");
    ledger::check(&data).unwrap();
}

/// Whoever wants nothing of one station's silence wants it of the others.
#[test]
fn a_station_whose_silence_is_not_judged_hides_nobody_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &SHORT);
    let data = server.data.clone();
    server.stop();
    crate::harness::open(&data)
        .execute_batch("INSERT INTO point_settings (scope, point, enabled) VALUES (8, 'comms', 0)")
        .unwrap();
    let server = Server::start(folder.path(), &SHORT);
    assert_eq!(server.say(b"8 0 0\n"), "OK\n");
    wait_for("its deadline to pass", || {
        let since = "SELECT received_at FROM station_state WHERE station_id = 8";
        let heard_ms: i64 = crate::harness::open(&data).query_row(since, [], |row| row.get(0)).unwrap();
        (jiff::Timestamp::now().as_millisecond() > heard_ms + DEADLINE_MS + 1_000).then_some(())
    });
    assert_eq!(server.say(b"7 0 0\n"), "OK\n");
    let before = cpu_ticks(&server);
    wait_for("the silence of another", || (kinds(&data, "7/comms") == ["raised"]).then_some(()));
    assert_eq!(kinds(&data, "8/comms"), [""; 0]);
    // Two seconds of a writer that never sleeps would be two hundred.
    let spent = cpu_ticks(&server) - before;
    assert!(spent < 100, "{spent} ticks of 10 ms in two seconds");
    server.stop();
}

/// User and system time of the server in hundredths of a second.
fn cpu_ticks(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.running.pid())).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// It comes and goes within its delay, as a float switch in waves does.
#[test]
fn a_contact_that_flickers_within_its_delay_does_not_fill_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--on-delay-s", "3600"]);
    let flicker = "7 1 0\n7 0 0\n".repeat(500);
    assert_eq!(server.say(flicker.as_bytes()), "OK\n".repeat(1_000));
    assert_eq!(kinds(&server.data, "7/alarm1").len(), 16);
    assert_eq!(server.say(b"7 1 0\n"), "OK\n");
    ledger::check(&server.data).unwrap();
    let due: Option<i64> = crate::harness::open(&server.data)
        .query_row("SELECT delay_due FROM alarm WHERE source = 7", [], |row| row.get(0))
        .unwrap();
    assert!(due.is_some(), "the delay runs all the same");
    server.stop();
}

/// As a server of before does, or a person with a database tool.
#[test]
fn an_alarm_whose_contact_was_changed_while_nobody_ran_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"7 1 0\n"), "OK\n");
    let data = server.data.clone();
    server.stop();
    crate::harness::open(&data).execute_batch("UPDATE station_status SET alarm1 = 0, alarm2 = 1").unwrap();
    let server = Server::start(folder.path(), &[]);
    wait_for("both to be judged", || {
        (kinds(&data, "7/alarm1") == ["raised", "returned"] && kinds(&data, "7/alarm2") == ["raised"])
            .then_some(())
    });
    server.stop();
}

#[test]
fn a_station_whose_lines_are_refused_is_silent_for_that_reason() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--period-s", "1", "--grace-s", "1"]);
    assert_eq!(server.say(b"7 0 0\n"), "OK\n");
    let reason = wait_for("the silence", || {
        server.say(b"7 0 on\n");
        let raised = ledger(&server.data).into_iter().find(|entry| entry.alarm == "7/comms");
        raised.map(|raised| raised.reason.unwrap_or_default())
    });
    assert_eq!(reason, "sending, but refused: alarm2 is \"on\"; send 0 (off) or 1 (on)");
    server.stop();
}
