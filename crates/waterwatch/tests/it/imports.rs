//! Imports beside each other, and through restarts of the server.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::harness::{Running, Server, open, stderr, stdout, wait_for, waterwatch};
use crate::orders::done;

/// A file that says something of so many stations in each of these columns.
fn file(stations: usize, columns: &[&str]) -> String {
    let mut text = format!("station_id,{}\n", columns.join(","));
    for station in 1..=stations {
        let cells: Vec<String> = columns.iter().map(|column| format!("{column} {station}")).collect();
        writeln!(text, "{station},{}", cells.join(",")).unwrap();
    }
    text
}

/// How many entries of the ledger there are of each station's settings: how many stations
/// have so many.
fn entries(data: &Path) -> Vec<(i64, usize)> {
    let database = open(data);
    let query = "SELECT entries, count(*) FROM
        (SELECT count(*) AS entries FROM alarm_event WHERE kind = 'settings_changed' GROUP BY source)
        GROUP BY entries ORDER BY entries";
    let mut statement = database.prepare(query).unwrap();
    let rows = statement.query_map([], |row| {
        let stations: i64 = row.get(1)?;
        Ok((row.get(0)?, usize::try_from(stations).unwrap()))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Imports these files at once, and gives the last line of each.
fn at_once(files: &[String], folder: &Path) -> Vec<String> {
    let import = || {
        let mut import: Command = waterwatch();
        import.args(["station", "import", "-"]).current_dir(folder).stdin(Stdio::piped());
        import.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // All of them run before any has its file, so that they read before any has put.
    let mut running: Vec<_> = files.iter().map(|_| import()).collect();
    let inputs: Vec<_> = running.iter_mut().map(|running| running.stdin.take().unwrap()).collect();
    thread::scope(|scope| {
        for (mut input, file) in inputs.into_iter().zip(files) {
            scope.spawn(move || input.write_all(file.as_bytes()).unwrap());
        }
    });
    let ends = running.into_iter().map(|running| running.wait_with_output().unwrap());
    let told = ends.map(|output| {
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output).lines().last().unwrap().to_owned()
    });
    told.collect()
}

/// `(12, 8)` of "12 of 20 stations changed; somebody else said the same of 8 meanwhile".
fn counted(told: &str) -> (usize, usize) {
    let number = |text: &str| text.split(' ').next().unwrap().parse::<usize>().unwrap();
    let others = told.split_once("said the same of ").map_or(0, |(_, others)| number(others));
    (if told.starts_with("nothing") { 0 } else { number(told) }, others)
}

#[test]
fn two_imports_of_one_file_at_once_count_each_change_once() {
    const STATIONS: usize = 1_000;
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.api();
    let same = file(STATIONS, &["name", "location"]);
    let told = at_once(&[same.clone(), same.clone()], folder.path());
    let [(first, by_second), (second, by_first)] = [counted(&told[0]), counted(&told[1])];
    assert_eq!(first + second, STATIONS, "{told:?}");
    assert!(by_second <= second && by_first <= first && by_first + by_second > 0, "{told:?}");
    assert_eq!(entries(&server.data), [(1, STATIONS)]);
    let exported = done(&["station", "export", "--fields", "name,location"], folder.path());
    assert_eq!(exported.replace('\r', ""), same);
}

#[test]
fn two_imports_of_other_settings_at_once_undo_nothing_of_each_other() {
    const STATIONS: usize = 500;
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.api();
    let files = [file(STATIONS, &["name"]), file(STATIONS, &["location"])];
    let all = format!("{STATIONS} of {STATIONS} stations changed");
    assert_eq!(at_once(&files, folder.path()), [all.clone(), all]);
    assert_eq!(entries(&server.data), [(2, STATIONS)]);
    let exported = done(&["station", "export", "--fields", "name,location"], folder.path());
    assert_eq!(exported.replace('\r', ""), file(STATIONS, &["name", "location"]));
}

#[test]
fn an_import_goes_on_when_the_server_is_killed_and_started_again() {
    const STATIONS: usize = 3_000;
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let server = Server::start(folder, &[]);
    let http = server.api().address.to_string();
    let text = file(STATIONS, &["name"]);
    std::fs::write(folder.join("all.csv"), &text).unwrap();
    let mut import = waterwatch();
    import.args(["station", "import", "all.csv"]).current_dir(folder);
    let mut import = Running::start(import);
    // A page is told once it is done: then the next one is under way.
    let again = |server: Server, told: &str| {
        wait_for(told, || import.printed().contains(told).then_some(()));
        server.kill();
        let so_far: usize = entries(&folder.join("data.sqlite")).iter().map(|(_, stations)| stations).sum();
        assert!(so_far < STATIONS, "it was killed too late");
        Server::start(folder, &["--http", &http])
    };
    let server = again(server, "station 1000: ");
    let server = again(server, "station 2000: ");
    let ended = import.wait();
    assert!(ended.success(), "{}", import.logged());
    assert!(import.printed().ends_with(&format!("\n{STATIONS} of {STATIONS} stations changed\n")));
    assert_eq!(entries(&server.data), [(1, STATIONS)], "each was done once");
    let exported = done(&["station", "export", "--fields", "name"], folder);
    assert_eq!(exported.replace('\r', ""), text);
}
