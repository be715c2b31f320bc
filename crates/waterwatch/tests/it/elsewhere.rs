//! Looking at a server whose database cannot be read from here.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::Api;
use crate::harness::{Server, run, stderr, stdout, wait_for, waterwatch};
use crate::orders::done;

/// Who looks from elsewhere: a viewer, but at the tokens.
struct Elsewhere<'a> {
    api: &'a Api,
    viewer: &'a Path,
}

impl Elsewhere<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        let admin = self.viewer.with_file_name("data.sqlite.token");
        let token = if arguments[0] == "token" { &admin } else { self.viewer };
        waterwatch()
            .args(arguments)
            .env("WATERWATCH_SERVER_URL", format!("http://{}", self.api.address))
            .env("WATERWATCH_TOKEN_FILE", token)
            .current_dir("/")
            .output()
            .unwrap()
    }
}

/// Whatever an alarm, a station and a token can be said to be.
fn busy(server: &Server, folder: &Path) {
    let said = server.say(b"123 1 1\n7 1 0\n8 0 1\n9 0 0\n10 1 0\n11 0 0\n");
    assert_eq!(said, "OK\n".repeat(6));
    let run = |line: &str| {
        let words: Vec<&str> = line.split('|').collect();
        done(&words, folder);
    };
    run("station|set|123|name=North lift|area=North|location=48.1 N|alarm1.label=High level|telephones=112");
    run("station|set|7|area=North|alarm1.priority=CRITICAL|alarm1.response=Call Ben");
    run("alarm|ack|123|alarm1|--on-behalf-of|Ana");
    run("alarm|note|123|alarm1|--text|the float switch hangs");
    run("alarm|shelve|123|alarm2|--for|20h|--reason|pump is being replaced");
    run("alarm|out-of-service|8|alarm2|--for|1w|--reason|new float switch");
    run("station|pause|9|--for|30d|--reason|winter");
    run("station|visit|123|--for|90m|--reason|inspection");
    run("station|retire|11|--reason|filled in");
    run("station|set|12|name=Well");
    run("token|add|old|--role|viewer");
    run("token|revoke|old");
    assert_eq!(server.say(b"10 0 0\n"), "OK\n");
}

fn started(folder: &Path) -> (Server, Api, std::path::PathBuf) {
    let server = Server::start(folder, &[]);
    let api = server.api();
    busy(&server, folder);
    let token = folder.join("viewer.token");
    std::fs::write(&token, done(&["token", "add", "look", "--role", "Viewer"], folder)).unwrap();
    (server, api, token)
}

#[test]
fn tables_are_the_same_from_elsewhere() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (_server, api, viewer) = started(folder);
    let elsewhere = Elsewhere { api: &api, viewer: &viewer };
    for line in [
        "alarm list",
        "alarm list --all",
        "alarm list --state SHLVD,out_of_service",
        "alarm list --priority Critical,low",
        "alarm list --active --area area:North",
        "alarm list --source 123",
        "alarm list --source 123 --all --area North",
        "alarm list --source area/North",
        "alarm list --source server",
        "alarm show 123 alarm1",
        "alarm show 123 alarm2",
        "alarm show 7 alarm1",
        "alarm show 9 comms",
        "alarm show 11 alarm1",
        "alarm show 12 alarm1",
        "alarm show area/North comms",
        "alarm history",
        "alarm history --limit 4",
        "alarm history --after 2 --limit 4",
        "alarm history --since 1d --source 123 --point ALARM1",
        "alarm history --until 2026-01-01",
        "alarm explain 123 alarm1",
        "alarm explain 10 alarm1",
        "station list",
        "station list --limit 3",
        "station list --limit 3 --after 8",
        "station list --comms paused,retired",
        "station list --state acknowledged,unacknowledged --quality good",
        "station list --unnamed",
        "station list --q north",
        "station list --area North",
        "station show 123",
        "station show 7",
        "station show 9",
        "station show 11",
        "station show 12",
        "token list",
        "token list --all",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        // Ages may be a second older the second time.
        let look = || {
            let (here, there) = (run(&words, folder), elsewhere.run(&words));
            assert!(here.status.success() && there.status.success(), "{line}: {}", stderr(&there));
            (stdout(&here), stdout(&there))
        };
        let (mut here, mut there) = look();
        for _ in 0..10 {
            if here == there {
                break;
            }
            (here, there) = look();
        }
        assert_eq!(there, here, "{line}");
    }
}

#[test]
fn programs_are_told_the_same_from_elsewhere() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (_server, api, viewer) = started(folder);
    let elsewhere = Elsewhere { api: &api, viewer: &viewer };
    let json_of = |output: &Output| -> Value {
        assert!(output.status.success(), "{}", stderr(output));
        serde_json::from_str(&stdout(output)).unwrap()
    };
    for line in [
        "alarm list",
        "alarm list --state shelved",
        "alarm show 123 alarm1",
        "alarm history --limit 5",
        "alarm explain 123 alarm1",
        "token list --all",
    ] {
        let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        let here = json_of(&run(&words, folder));
        assert_eq!(json_of(&elsewhere.run(&words)), here, "{line}");
    }
    // A row of a list has less than the station itself.
    let stations = json_of(&elsewhere.run(&["station", "list", "--json"]));
    let ids: Vec<&Value> = stations.as_array().unwrap().iter().map(|row| &row["station_id"]).collect();
    assert_eq!(ids, [&json!(7), &json!(8), &json!(9), &json!(10), &json!(12), &json!(123), &json!(11)]);
    assert_eq!(stations[6]["retired"]["reason"], "filled in");
    let station = json_of(&elsewhere.run(&["station", "show", "123", "--json"]));
    assert_eq!((&station["name"], &station["visit"]["reason"]), (&json!("North lift"), &json!("inspection")));
}

#[test]
fn what_is_not_there_is_told_from_elsewhere_too() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (server, api, viewer) = started(folder);
    let elsewhere = Elsewhere { api: &api, viewer: &viewer };
    for (line, code, why) in [
        ("alarm list --source 999", 1, "no such station: nothing is known of station 999"),
        ("alarm list --area Nroth", 1, "nothing is recorded of area Nroth"),
        ("alarm show 999 alarm1", 1, "no such station: nothing is known of station 999"),
        ("alarm show area/North alarm1", 1, "area North has no alarm1; it has comms"),
        ("alarm history --source 999", 1, "no such station: nothing is known of station 999"),
        ("alarm explain 999 alarm1", 1, "no such station: nothing is known of station 999"),
        (
            "alarm explain 123 alarm1 --occurrence 999999",
            1,
            "999999 is no occurrence of alarm1 of station 123",
        ),
        ("alarm explain 9 alarm1", 1, "alarm1 of station 9 was never raised"),
        ("station list --area Nroth", 1, "nothing is recorded of area Nroth"),
        ("station show 999", 1, "no such station: nothing is known of station 999"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        for output in [run(&words, folder), elsewhere.run(&words)] {
            assert_eq!(output.status.code(), Some(code), "{line}: {}", stderr(&output));
            assert!(stderr(&output).contains(why), "{line}: {}", stderr(&output));
            assert_eq!(stdout(&output), "", "{line}");
        }
    }
    let output = run(&["alarm", "list", "--server", "http://127.0.0.1:1"], folder);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--server needs --token-file"), "{}", stderr(&output));
    server.stop();
    let output = wait_for("nobody to answer", || {
        let output = elsewhere.run(&["station", "list"]);
        stderr(&output).contains("no server answers at http://").then_some(output)
    });
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn whoever_names_a_database_means_no_server_that_a_variable_names() {
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let [here, there] = [folders[0].path(), folders[1].path()];
    let [server, other] = [here, there].map(|folder| Server::start(folder, &[]));
    let apis = [&server, &other].map(Server::api);
    for server in [&server, &other] {
        assert_eq!(server.say(b"7 1 0\n"), "OK\n");
    }
    let run = |line: &str| {
        waterwatch()
            .args(line.split(' '))
            .env("WATERWATCH_SERVER_URL", format!("http://{}", apis[1].address))
            .env("WATERWATCH_TOKEN_FILE", there.join("data.sqlite.token"))
            .current_dir(here)
            .output()
            .unwrap()
    };
    let ok = |line: &str| {
        let output = run(line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        stdout(&output)
    };
    ok("alarm ack 7 alarm1 --data data.sqlite");
    let states = || [0, 1].map(|of| apis[of].get("/api/v1/alarms/7/alarm1").ok()["state"].clone());
    assert_eq!(states(), ["acknowledged", "unacknowledged"]);
    assert!(ok("alarm list --data data.sqlite").contains("ACKED"));
    assert!(ok("alarm list").contains("UNACK"));
    let nothing = run("alarm list --data none.sqlite");
    assert!(stderr(&nothing).contains("there is no database"), "{}", stderr(&nothing));
    // Who names both means the server.
    let both = format!("alarm list --data data.sqlite --server http://{}", apis[1].address);
    assert!(ok(&both).contains("UNACK"));
}
