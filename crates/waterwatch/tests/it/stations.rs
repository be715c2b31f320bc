//! What is said of stations at a terminal: one by one, and all of them as a file.

use std::fs;
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::Api;
use crate::harness::{Running, Server, open, stderr, stdout, wait_for, waterwatch};
use crate::orders::{done, failed};

fn started() -> (TempDir, Server, Api) {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    (folder, server, api)
}

fn said(api: &Api, station: &str) -> Value {
    api.get(&format!("/api/v1/stations/{station}/settings")).ok()["said"].clone()
}

/// How often what people say was changed.
fn changes(server: &Server) -> i64 {
    let query = "SELECT count(*) FROM alarm_event WHERE kind = 'settings_changed'";
    open(&server.data).query_row(query, [], |row| row.get(0)).unwrap()
}

/// Texts that a spreadsheet, a table or a list may take for something else.
fn awkward() -> [(&'static str, Value); 3] {
    [
        (
            "7",
            json!({"name": "=1+1", "telephones": "+49 30 123", "access_note": "'til \"noon\"; gate, left",
            "tags": ["pump", "-old"], "expected_by": "2026-11-24T18:30:00Z", "allow_from": ["10.0.0.0/8"],
            "points": {"alarm1": {"enabled": false, "priority": "critical", "on_delay_s": 0},
                       "comms": {"label": "'=x", "respond_within_min": 30}}}),
        ),
        ("9", json!({"area": "North", "period_s": 120, "grace_s": 0})),
        ("9223372036854775807", json!({"area": "North", "points": {"identity": {"latched": true}}})),
    ]
}

#[test]
fn a_station_is_set_field_by_field_and_the_rest_stays() {
    let (folder, server, api) = started();
    let folder = folder.path();
    let set = ["station", "set", "7", "name=North lift", "alarm1.priority=critical", "tags=pump,old"];
    let lines = "station 7: name unset -> \"North lift\"\nstation 7: tags unset -> \"pump, old\"\n\
                 station 7: alarm1.priority unset -> \"critical\"\n";
    assert_eq!(done(&[&set[..], &["--dry-run"]].concat(), folder), lines);
    assert_eq!((said(&api, "7"), changes(&server)), (json!({}), 0), "only looked at");
    assert_eq!(done(&set, folder), lines);
    let whole = json!({"name": "North lift", "tags": ["pump", "old"], "points": {"alarm1": {"priority": "critical"}}});
    assert_eq!(said(&api, "7"), whole);
    assert_eq!(done(&set, folder), "station 7: nothing to change\n");
    let printed = done(&["station", "set", "7", "period_s=120", "--clear", "tags,name", "--json"], folder);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let change = |field: &str, from: Value, to: Value| json!({"field": field, "from": from, "to": to});
    assert_eq!(
        printed,
        json!({"station_id": 7, "id": "7", "changes": [
            change("name", json!("North lift"), Value::Null),
            change("tags", json!(["pump", "old"]), Value::Null),
            change("period_s", Value::Null, json!(120)),
        ]})
    );
    assert_eq!(said(&api, "7"), json!({"period_s": 120, "points": {"alarm1": {"priority": "critical"}}}));
    assert_eq!(changes(&server), 2);
    for (arguments, complaint) in [
        (&["nmae=x"][..], "there is no setting \"nmae\"; did you mean name?"),
        (&["period_s=0"], "period_s: 0 is not allowed; it must be a number from 1 to 604800"),
        (&["name="], "to say nothing any more, write --clear name"),
        (&[], "the following required arguments were not provided"),
    ] {
        let said = failed(&[&["station", "set", "7"], arguments].concat(), folder, 2);
        assert!(said.contains(complaint), "{said}");
    }
}

#[test]
fn whoever_sets_something_else_at_the_same_time_is_not_written_over() {
    let (folder, server, api) = started();
    let fields = [
        "name",
        "area",
        "location",
        "access_note",
        "telephones",
        "alarm1.label",
        "alarm2.label",
        "comms.label",
    ];
    thread::scope(|scope| {
        for field in fields {
            let path = folder.path();
            scope.spawn(move || done(&["station", "set", "7", &format!("{field}=x")], path));
        }
    });
    let label = json!({"label": "x"});
    assert_eq!(
        said(&api, "7"),
        json!({"name": "x", "area": "x", "location": "x", "access_note": "x", "telephones": "x",
               "points": {"alarm1": label, "alarm2": label, "comms": label}})
    );
    assert_eq!(changes(&server), 8);
}

#[test]
fn what_is_exported_and_imported_changes_nothing() {
    let (folder, server, api) = started();
    let folder = folder.path();
    let awkward = awkward();
    for (station, body) in &awkward {
        api.put(&format!("/api/v1/stations/{station}"), body).ok();
    }
    let before = changes(&server);
    for format in ["csv", "json"] {
        let exported = done(&["station", "export", "--format", format], folder);
        fs::write(folder.join("all"), &exported).unwrap();
        for dry_run in [&["--dry-run"][..], &[]] {
            let printed = done(&[&["station", "import", "all"], dry_run].concat(), folder);
            let nothing = if dry_run.is_empty() { "nothing to change" } else { "nothing would change" };
            assert_eq!(printed, format!("{nothing}: 3 stations read\n"), "{exported}");
        }
        assert_eq!(changes(&server), before);
        // Into a server that knows none of them it is the same again.
        let (elsewhere, _other, other) = started();
        fs::write(elsewhere.path().join("all"), &exported).unwrap();
        let printed = done(&["station", "import", "all"], elsewhere.path());
        assert!(printed.ends_with("3 of 3 stations changed\n"), "{printed}");
        for (station, body) in &awkward {
            assert_eq!(&said(&other, station), body, "{exported}");
        }
    }
    let table = done(&["station", "export", "--area", "North", "--fields", "name,period_s"], folder);
    assert_eq!(table, "station_id,name,period_s\r\n9,,120\r\n9223372036854775807,,\r\n");
    // No server is needed to look.
    server.stop();
    assert!(done(&["station", "export"], folder).contains("7,'=1+1,"));
}

#[test]
fn a_spreadsheet_is_imported_as_it_is_saved_and_says_what_it_changes() {
    let (folder, server, api) = started();
    let folder = folder.path();
    api.put("/api/v1/stations/7", &json!({"name": "Old", "area": "North", "period_s": 60})).ok();
    let before = changes(&server);
    let text =
        "\u{feff}station_id;name;area;alarm1.label\r\n007;New;;\"high; level\"\r\n8;Eight;South;\r\n;;;\r\n";
    fs::write(folder.join("north.csv"), text).unwrap();
    let lines = "station 7: name \"Old\" -> \"New\"\nstation 7: area \"North\" -> unset\n\
                 station 7: alarm1.label unset -> \"high; level\"\n\
                 station 8: name unset -> \"Eight\"\nstation 8: area unset -> \"South\"\n";
    let printed = done(&["station", "import", "north.csv", "--dry-run"], folder);
    assert_eq!(printed, format!("{lines}2 of 2 stations would change\n"));
    assert_eq!(changes(&server), before);
    let printed = done(&["station", "import", "north.csv", "--json"], folder);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&printed[0]["changes"][1]["to"], &printed[1]["id"]), (&Value::Null, &json!("8")));
    assert_eq!(
        said(&api, "7"),
        json!({"name": "New", "period_s": 60, "points": {"alarm1": {"label": "high; level"}}}),
        "a column that is not there is left alone"
    );
    assert_eq!(changes(&server), before + 2);
    // From a pipe, as JSON.
    let mut import = waterwatch();
    import.args(["station", "import", "-", "--data"]).arg(&server.data);
    let file = fs::File::create(folder.join("pipe")).and_then(|_| {
        fs::write(folder.join("pipe"), r#"{"id": "8", "points": null, "area": null, "tags": ["x"]}"#)?;
        fs::File::open(folder.join("pipe"))
    });
    let output = import.stdin(Stdio::from(file.unwrap())).output().unwrap();
    assert_eq!(
        stdout(&output),
        "station 8: area \"South\" -> unset\nstation 8: tags unset -> \"x\"\n1 of 1 station changed\n",
        "{}",
        stderr(&output)
    );
}

#[test]
fn if_anything_in_a_file_cannot_be_meant_nothing_is_changed() {
    let (folder, server, _api) = started();
    let folder = folder.path();
    for (text, complaints) in [
        (
            "station_id,name,alarm1.on_delay_s\n1,fine,5\n2,\"two\nlines\",5\n3,fine,-1\n1,again,5\n1.23E+05,x,1\n",
            &[
                "nothing was changed, since 4 rows of bad cannot be meant:",
                "bad:3: name: the text \"two\\nlines\" is not allowed",
                "bad:5: alarm1.on_delay_s: -1 is not allowed; it must be a number from 0 to 2678400",
                "bad:6: station 1 stands in line 2 already",
                "bad:7: station_id: \"1.23E+05\" is what a spreadsheet has made of a number",
            ][..],
        ),
        (
            "station_id,alarm1.lable\n1,x\n",
            &["bad:1: column 2: there is no setting \"alarm1.lable\"; did you mean alarm1.label?"],
        ),
        (
            "[{\"id\": 1, \"name\": \"x\"},\n {\"id\": 2, \"period_s\": 0}]",
            &["bad:2: period_s: period_s is 0; it must be"],
        ),
        ("[{\"id\": 1, \"name\": \"x\"},\n {\"id\": 2", &["bad:2: it is no JSON: EOF"]),
    ] {
        fs::write(folder.join("bad"), text).unwrap();
        let said = failed(&["station", "import", "bad"], folder, 2);
        for complaint in complaints {
            assert!(said.contains(complaint), "{complaint}\n{said}");
        }
    }
    fs::write(folder.join("bad"), b"station_id,name\n1,M\xfchle\n").unwrap();
    let said = failed(&["station", "import", "bad"], folder, 2);
    assert_eq!(said, "waterwatch: bad:2: there are letters that are not UTF-8: save it as \"CSV UTF-8\"\n");
    let said = failed(&["station", "import", "missing.csv"], folder, 2);
    assert!(said.starts_with("waterwatch: cannot read missing.csv: "), "{said}");
    assert_eq!(changes(&server), 0);
}

#[test]
fn an_import_that_is_cut_off_is_finished_by_the_next() {
    let (folder, server, api) = started();
    let folder = folder.path();
    // Beside those of the file there are others, before, between and behind.
    for station in ["5", "1500", "99999"] {
        api.put(&format!("/api/v1/stations/{station}"), &json!({"name": "other"})).ok();
    }
    let rows = (1_000..4_000).filter(|id| *id != 1_500).map(|id| format!("{id},'+{id}\r\n"));
    let text: String = ["station_id,name\r\n".to_owned()].into_iter().chain(rows).collect();
    fs::write(folder.join("many.csv"), &text).unwrap();
    let mut import = waterwatch();
    import.args(["station", "import", "many.csv"]).current_dir(folder);
    let running = Running::start(import);
    wait_for("the first changes", || running.printed().contains("station 1000: ").then_some(()));
    drop(running);
    let before = changes(&server);
    assert!((4..3_002).contains(&before), "{before} changes");
    let printed = done(&["station", "import", "many.csv"], folder);
    let changed: i64 = printed.lines().last().unwrap().split(' ').next().unwrap().parse().unwrap();
    // What was under way when it was killed may have been done.
    assert!((before + changed - 3 - 2_999).abs() <= 16, "{before} and {changed}");
    let printed = done(&["station", "import", "many.csv"], folder);
    assert_eq!(printed, "nothing to change: 2999 stations read\n");
    let exported = done(&["station", "export", "--fields", "name"], folder);
    let ours: String = exported.split_inclusive("\r\n").filter(|row| !row.contains("other")).collect();
    assert_eq!(ours, text);
}

#[test]
fn what_is_said_of_stations_is_read_page_by_page() {
    let (_folder, _server, api) = started();
    for (station, body) in &awkward() {
        api.put(&format!("/api/v1/stations/{station}"), body).ok();
    }
    let first = api.get("/api/v1/stations/settings?limit=2").ok();
    let ids = |page: &Value| {
        page["stations"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((ids(&first), &first["next"]), (vec![json!("7"), json!("9")], &json!("9")));
    assert_eq!(first["stations"][0]["said"], awkward()[0].1);
    let rest = api.get("/api/v1/stations/settings?limit=2&after=9").ok();
    assert_eq!((ids(&rest), &rest["next"]), (vec![json!("9223372036854775807")], &Value::Null));
    assert_eq!(ids(&api.get("/api/v1/stations/settings?area=North").ok()).len(), 2);
    let response = api.request(reqwest::Method::GET, "/api/v1/stations/9/settings").send().unwrap();
    let tag = response.headers()["etag"].to_str().unwrap();
    assert_eq!(tag, format!("\"{}\"", first["stations"][1]["tag"].as_str().unwrap()));
    api.get("/api/v1/stations/settings?after=x").problem(422);
    api.get("/api/v1/stations/settings?limit=1001").problem(422);
}

#[test]
fn whoever_changes_settings_is_in_the_ledger_by_name() {
    let (folder, server, api) = started();
    let folder = folder.path();
    done(&["station", "set", "7", "name=North", "--on-behalf-of", "Ana"], folder);
    fs::write(folder.join("more.csv"), "station_id,name\n8,South\n").unwrap();
    done(&["station", "import", "more.csv", "--on-behalf-of", "Ben"], folder);
    for path in ["/api/v1/stations/9", "/api/v1/areas/East", "/api/v1/settings"] {
        api.put(&format!("{path}?on_behalf_of=Cem"), &json!({"period_s": 120})).ok();
        api.put(&format!("{path}?on_behalf_of="), &json!({})).problem(422);
    }
    let database = open(&server.data);
    let mut statement = database
        .prepare("SELECT \"by\" FROM alarm_event WHERE kind = 'settings_changed' ORDER BY sequence")
        .unwrap();
    let by: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(by, ["Ana", "Ben", "Cem", "Cem", "Cem"].map(|who| format!("{who} (by admin)")));
}

#[test]
fn stations_that_nobody_has_named_are_exported_to_be_filled_in() {
    let (folder, server, _api) = started();
    let folder = folder.path();
    assert_eq!(server.say(b"12 0 0\n7 0 0\n300 0 0\n"), "OK\n".repeat(3));
    done(&["station", "set", "12", "name=Mill"], folder);
    done(&["station", "set", "5", "alarm1.label=High"], folder);
    let export = ["station", "export", "--fields", "name"];
    assert_eq!(done(&export, folder), "station_id,name\r\n5,\r\n12,Mill\r\n");
    let filled_in = done(&[&export[..], &["--unnamed"]].concat(), folder);
    assert_eq!(filled_in, "station_id,name\r\n5,\r\n7,\r\n12,Mill\r\n300,\r\n");
    fs::write(folder.join("all.csv"), filled_in.replace("300,", "300,Harbour")).unwrap();
    let imported = done(&["station", "import", "all.csv"], folder);
    assert!(imported.contains("300") && imported.ends_with("1 of 4 stations changed\n"), "{imported}");
    let objects: Value = serde_json::from_str(&done(&["station", "export", "--json"], folder)).unwrap();
    assert_eq!(objects.as_array().unwrap().len(), 3, "the others are unnamed still: {objects}");
}

#[test]
fn a_mistyped_area_is_not_one_where_all_is_well() {
    let (folder, server, api) = started();
    let folder = folder.path();
    assert_eq!(server.say(b"1 0 0\n2 0 0\n"), "OK\nOK\n");
    done(&["station", "set", "1", "area=North"], folder);
    api.put("/api/v1/areas/South", &json!({"grace_s": 60})).ok();
    for command in [["alarm", "list"], ["station", "list"], ["station", "export"]] {
        let of = |area| [command[0], command[1], "--area", area];
        for as_json in [false, true] {
            let arguments = of("Nroth").into_iter().chain(as_json.then_some("--json"));
            let why = failed(&arguments.collect::<Vec<_>>(), folder, 1);
            assert!(why.contains("nothing is recorded of area Nroth"), "{command:?}: {why}");
        }
        // A station is in one; for the other something is said.
        for area in ["North", "South"] {
            done(&of(area), folder);
        }
    }
    assert_eq!(done(&["station", "export", "--area", "South", "--format", "json"], folder), "[]\n");
}
