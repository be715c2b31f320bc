//! The configuration file, the variables and the options.

use std::path::Path;

use clap::CommandFactory;

use crate::harness::{Server, run, stderr, stdout, waterwatch};

/// Starts a server that must refuse its configuration: exit code 2 and what
/// it says.
fn refused(folder: &Path, file: &str, arguments: &[&str]) -> String {
    std::fs::write(folder.join("waterwatch.toml"), file).unwrap();
    let mut all = vec!["serve", "--config", "waterwatch.toml"];
    all.extend(arguments);
    let output = run(&all, folder);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(!folder.join("data.sqlite").exists(), "nothing is touched");
    stderr(&output)
}

#[test]
fn the_file_says_what_the_options_can_say() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"
        data = "stations.sqlite"
        time_zone = "Asia/Kathmandu"
        log_format = "json"

        [[listen]]
        address = "127.0.0.1:0"
        transport = "plain"

        [[listen]]
        address = "127.0.0.1:0"
        allow = ["127.0.0.9"]

        [limits]
        stations_max = 1
    "#;
    std::fs::write(folder.path().join("waterwatch.toml"), config).unwrap();
    let server = Server::start(folder.path(), &["--config", "waterwatch.toml", "--log-format", "text"]);
    assert!(server.say(b"1 0 1\n2 0 1\n").starts_with("OK\nERR stations_max"));
    let printed = server.running.printed();
    let guarded = crate::harness::listening(&printed)[1];
    let mut peer = crate::harness::Peer::connect(guarded);
    assert_eq!(peer.rest(), "", "127.0.0.1 is not in its allow");
    server.running.wait_for_log("WARN closed a connection: its address is not in the listener's allow");
}

#[test]
fn an_option_wins_over_a_variable_and_a_variable_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("waterwatch.toml"),
        "[limits]\nstations_max = 1\nline_bytes_max = 64\n",
    )
    .unwrap();
    let server = Server::start_with(
        folder.path(),
        &["--config", "waterwatch.toml", "--line-bytes-max", "100"],
        |command| {
            command.env("WATERWATCH_STATIONS_MAX", "2").env("WATERWATCH_LINE_BYTES_MAX", "80");
            command.env("WATERWATCH_LISTEN", "127.0.0.1:0");
        },
    );
    assert!(server.say(b"1 0 1\n2 0 1\n3 0 1\n").ends_with("already knows 2, its limit\n"));
    assert!(server.say(&[b'7'; 101]).contains("more than 100 bytes"));
}

#[test]
fn an_unknown_key_is_named_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(folder.path(), "data = \"a.sqlite\"\ncolour = \"blue\"\n", &[]);
    assert!(said.contains("waterwatch.toml") && said.contains("line 2, column 1"), "{said}");
    assert!(said.contains("unknown field `colour`"), "{said}");
    let said = refused(folder.path(), "[limits]\nstation_max = 1\n", &[]);
    assert!(said.contains("line 2, column 1") && said.contains("unknown field `station_max`"), "{said}");
    let said = refused(folder.path(), "[[listen]]\naddress = \"127.0.0.1:0\"\nalow = []\n", &[]);
    assert!(said.contains("line 3, column 1") && said.contains("unknown field `alow`"), "{said}");
}

#[test]
fn a_value_that_cannot_be_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("data = 7\n", "line 1, column 8"),
        ("[[listen]]\naddress = \"localhost\"\n", "line 2, column 11"),
        ("[[listen]]\naddress = \"127.0.0.1:0\"\ntransport = \"pigeon\"\n", "unknown variant `pigeon`"),
        (
            "[[listen]]\naddress = \"127.0.0.1:0\"\nallow = [\"10.0.0.0/33\"]\n",
            "\"10.0.0.0/33\" is no address range",
        ),
        ("[limits]\nstations_max = 0\n", "stations_max = 0 is out of range: from 1 to"),
        ("[limits]\nstations_max = -1\n", "line 2, column 16"),
        ("[limits]\nin_flight_bytes_max = 600\n", "at least twice line_bytes_max"),
        ("time_zone = \"Atlantis/Capital\"\n", "\"Atlantis/Capital\" is no known time zone"),
        ("data = \n", "line 1, column 8"),
    ];
    for (file, expected) in cases {
        let said = refused(folder.path(), file, &[]);
        assert!(said.contains(expected), "{file:?} was refused with: {said}");
    }
}

#[test]
fn beyond_loopback_it_must_say_who_may_connect() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(folder.path(), "[[listen]]\naddress = \"0.0.0.0:0\"\n", &[]);
    assert!(
        said.contains("0.0.0.0:0 can be reached from other machines and does not say who may connect"),
        "{said}"
    );
    let said = refused(folder.path(), "", &["--listen", "[::]:0"]);
    assert!(said.contains("--allow"), "{said}");

    let server =
        Server::start(folder.path(), &["--listen", "0.0.0.0:0", "--allow", "127.0.0.0/8,10.0.0.0/8"]);
    server.running.wait_for_log("this listener speaks plain text");
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    let mut peer = crate::harness::Peer::connect(local);
    peer.send("1 0 1\n");
    assert_eq!(peer.reply(), "OK");
}

/// On a socket that takes both, an IPv4 address is compared as one.
#[test]
fn allow_knows_an_ipv4_address_on_an_ipv6_socket() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--listen", "[::]:0", "--allow", "127.0.0.1"]);
    let reach = |address: [u8; 4]| {
        let mut peer = crate::harness::Peer::connect((address, server.address.port()).into());
        peer.send("1 0 1\n");
        peer.half_close();
        peer.rest()
    };
    assert_eq!(reach([127, 0, 0, 1]), "OK\n");
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["serve", "--config", "nowhere.toml"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("cannot read the file nowhere.toml: No such file"),
        "{}",
        stderr(&output)
    );
}

/// The words of each command, so that none is forgotten.
fn every_command(command: &clap::Command, words: &str, into: &mut Vec<String>) {
    into.push(words.to_owned());
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        every_command(inner, format!("{words} {}", inner.get_name()).trim_start(), into);
    }
}

#[test]
fn help_is_what_it_was() {
    let mut commands = Vec::new();
    every_command(&waterwatch::cli::Cli::command(), "", &mut commands);
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let output = waterwatch().env_remove("WATERWATCH_HTTP").args(&arguments).output().unwrap();
        assert!(output.status.success());
        let name = if command.is_empty() { "waterwatch".to_owned() } else { command.replace(' ', "_") };
        insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("help_{name}"), stdout(&output));
        });
    }
}
