//! The peers and the load, as `compare` starts them: the real program, a
//! second of load on each.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const BENCH: &str = env!("CARGO_BIN_EXE_waterwatch-bench");

/// A server that says where it listens; ended when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(command: &mut Command) -> Server {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = said.next().expect("it says where it listens").unwrap();
        let address = line.strip_prefix("listening stations ").expect("it says where it listens").to_owned();
        Server { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Loads the server for a second, and reads the figure of that name.
fn load(server: &Server, options: &[&str], figure: &str) -> f64 {
    let output = Command::new(BENCH)
        .args(["load", "--server", &server.address, "--seconds", "1", "--warm-up", "0"])
        .args(["--stations", "1000", "--pid", &server.child.id().to_string()])
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    let line = table.lines().find(|line| line.starts_with(figure)).unwrap_or_else(|| panic!("{table}"));
    line[figure.len()..].split_whitespace().next().unwrap().parse().unwrap()
}

/// Every kind of load is acknowledged, and none of it more often than it is
/// sent.
fn check_loads(server: &Server) {
    assert!(load(server, &["--connections", "20"], "acknowledged") > 100.0);
    assert!(load(server, &["--connections", "4", "--in-flight", "500"], "acknowledged") > 100.0);
    assert!(load(server, &["--connections", "10", "--reconnect"], "acknowledged") > 20.0);
    let due = load(server, &["--connections", "10", "--rate", "100"], "acknowledged");
    assert!((90.0..=110.0).contains(&due), "{due} of 100 reports a second");
    assert!(load(server, &["--connections", "20"], "server CPU a report") > 0.0);
}

#[test]
fn the_minimal_servers_acknowledge_every_load() {
    for peer in ["minimal", "minimal-epoll", "reading"] {
        check_loads(&Server::start(Command::new(BENCH).args(["peer", peer])));
    }
}

#[test]
fn the_server_that_discards_acknowledges_every_load() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("discarded.sqlite");
    check_loads(&Server::start(Command::new(BENCH).args(["peer", "discard", "--data"]).arg(&data)));
    assert!(!data.exists(), "nothing is stored");
}

#[test]
fn the_bare_loop_stores_what_it_counts() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(BENCH)
        .args(["peer", "sqlite", "--data", "data.sqlite", "--stations", "100", "--warm-up-stations", "10"])
        .args(["--warm-up-ms", "1", "--measured-ms", "100"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.starts_with("measuring\n"), "{said}");
    let numbers: Vec<u64> =
        said.lines().nth(1).unwrap().split(' ').map(|number| number.parse().unwrap()).collect();
    assert!(numbers[0] > 0 && numbers[1] >= 100_000, "{said}");
    assert!(folder.path().join("data.sqlite").metadata().unwrap().len() > 4_096);
}

#[test]
fn the_old_server_keeps_the_old_contract() {
    if !is_installed("python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/old_server.py");
    let server = Server::start(Command::new("python3").arg(script).current_dir(folder.path()));
    assert!(load(&server, &["--connections", "5", "--rate", "50"], "acknowledged") > 20.0);
    let mut old_client = std::net::TcpStream::connect(&server.address).unwrap();
    let mut reply = [0; 3];
    std::io::Write::write_all(&mut old_client, b"123-0-1").unwrap();
    std::io::Read::read_exact(&mut old_client, &mut reply).unwrap();
    assert_eq!(&reply, b"OK\n");
}

/// Says so if a program that a test needs is not here.
fn is_installed(program: &str) -> bool {
    let is_here = Command::new(program).arg("--version").output().is_ok();
    if !is_here {
        eprintln!("not tested: {program} is not installed");
    }
    is_here
}
