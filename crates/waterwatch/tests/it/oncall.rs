//! Who has duty: by the command, over HTTP, and once the file is read again.

use rustix::process::Signal;

use crate::harness::{Server, run, stderr, stdout, wait_for};

const FILE: &str = r#"
[contacts.ana]
name = "Ana Kovač"
[contacts.ben]

[rotas.main]
zone = "Europe/Zagreb"
hand_over = "Mon 08:00"
turns = ["ana", "ben"]
starts = 2026-03-16
ends = 2026-04-15
fallback = "ana"

[rotas.night]
zone = "America/St_Johns"
hand_over = ["07:00", "19:00"]
turns = ["nobody", "ben"]
starts = 2026-01-01
fallback = "ana"
"#;

#[test]
fn the_server_tells_who_has_duty_and_who_will() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("waterwatch.toml"), FILE).unwrap();
    let server = Server::start(folder.path(), &["--config", "waterwatch.toml", "--listen", "127.0.0.1:0"]);
    let shown = |arguments: &[&str]| {
        let output = run(&[&["oncall", "show"], arguments].concat(), folder.path());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let from = ["--from", "2026-03-20T00:00:00Z"];
    insta::assert_snapshot!(shown(&[&from[..], &["--days", "60", "main"]].concat()), @"
main (Europe/Zagreb)
FROM                         UNTIL                        ON DUTY
Mon 2026-03-16 08:00 +01:00  Mon 2026-03-23 08:00 +01:00  Ana Kovač (ana)
Mon 2026-03-23 08:00 +01:00  Mon 2026-03-30 08:00 +02:00  ben
Mon 2026-03-30 08:00 +02:00  Mon 2026-04-06 08:00 +02:00  Ana Kovač (ana)
Mon 2026-04-06 08:00 +02:00  Mon 2026-04-13 08:00 +02:00  ben
Mon 2026-04-13 08:00 +02:00  Wed 2026-04-15 00:00 +02:00  Ana Kovač (ana)
Wed 2026-04-15 00:00 +02:00  no end is seen               nobody: Ana Kovač (ana) stands in
");
    insta::assert_snapshot!(shown(&[&from[..], &["--days", "1"]].concat()), @"
main (Europe/Zagreb)
FROM                         UNTIL                        ON DUTY
Mon 2026-03-16 08:00 +01:00  Mon 2026-03-23 08:00 +01:00  Ana Kovač (ana)

night (America/St_Johns)
FROM                         UNTIL                        ON DUTY
Thu 2026-03-19 19:00 -02:30  Fri 2026-03-20 07:00 -02:30  ben
Fri 2026-03-20 07:00 -02:30  Fri 2026-03-20 19:00 -02:30  nobody: Ana Kovač (ana) stands in
Fri 2026-03-20 19:00 -02:30  Sat 2026-03-21 07:00 -02:30  ben
");

    let json: serde_json::Value =
        serde_json::from_str(&shown(&[&from[..], &["--json", "main"]].concat())).unwrap();
    let api = server.api();
    let answer = api.get("/api/v1/oncall?from=2026-03-20T00:00:00Z").body;
    assert_eq!(answer["rotas"][0], json["rotas"][0]);
    assert_eq!(answer["rotas"].as_array().map(Vec::len), Some(2));

    for (rota, code, why) in [
        ("day", 1, "waterwatch: the server has no rota day; it has main, night"),
        ("Day", 2, "waterwatch: \"Day\" is no rota: a name has letters from a to z"),
    ] {
        let output = run(&["oncall", "show", rota], folder.path());
        assert_eq!(output.status.code(), Some(code));
        assert!(stderr(&output).starts_with(why), "{}", stderr(&output));
    }
}

#[test]
fn the_file_is_read_again_without_a_restart_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("waterwatch.toml"), text).unwrap();
    write(FILE);
    let server = Server::start(folder.path(), &["--config", "waterwatch.toml", "--listen", "127.0.0.1:0"]);
    let fallback = || {
        let output = run(&["oncall", "show", "main", "--json"], folder.path());
        let duties: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        duties["rotas"][0]["fallback"]["contact"].as_str().unwrap().to_owned()
    };
    assert_eq!(fallback(), "ana");

    write(&FILE.replace("fallback = \"ana\"", "fallback = \"cy\""));
    server.running.signal(Signal::HUP);
    server.running.wait_for_log("nothing was changed by the reload");
    server
        .running
        .wait_for_log("waterwatch.toml:12:12: error: fallback of the rota main: there is no contact");
    assert_eq!(fallback(), "ana");

    write(&FILE.replace("fallback = \"ana\"", "fallback = \"ben\""));
    server.running.signal(Signal::HUP);
    wait_for("the new fallback", || (fallback() == "ben").then_some(()));
    assert_eq!(server.say(b"1 0 1\n"), "OK\n", "stations notice nothing");
}

#[test]
fn a_server_without_a_file_has_no_rota_and_ignores_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.running.signal(Signal::HUP);
    server.running.wait_for_log("nothing was changed by the reload: there is no configuration file");
    let output = run(&["oncall", "show"], folder.path());
    assert_eq!(stdout(&output), "the server has no rota; its configuration file has them ([rotas.NAME])\n");
}

#[test]
fn a_gap_is_an_alarm_of_the_server_until_somebody_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (main, _) = FILE.split_once("[rotas.night]").unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("waterwatch.toml"), text).unwrap();
    write(main);
    let server = Server::start(folder.path(), &["--config", "waterwatch.toml", "--listen", "127.0.0.1:0"]);
    let api = server.api();
    let alarm = || api.get("/api/v1/alarms/server/on_call").body;
    wait_for("the alarm", || (alarm()["state"] == "unacknowledged").then_some(()));
    let output = run(&["alarm", "explain", "server", "on_call"], folder.path());
    let gap = "nobody has duty in the rota main now, and no end of that: Ana Kovač stands in";
    assert!(stdout(&output).contains(gap), "{}", stdout(&output));

    write(&main.replace("ends = 2026-04-15", ""));
    server.running.signal(Signal::HUP);
    wait_for("its return", || (alarm()["on"] == false).then_some(()));
}
