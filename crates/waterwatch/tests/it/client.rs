//! The client at a station: against a server that answers as told, and
//! against the real one.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{PATIENCE, Running, Server, alarms, run, stderr, wait_for, waterwatch};

#[test]
fn reports_at_the_start_and_at_once_when_the_file_changes() {
    let station = Station::new("123\n0\n0\n");
    let server = FakeServer::start();
    // Not due again in this test: what comes, comes because of the file.
    let client = station.client(server.address, &["--every", "1h"]);
    server.wait_for_lines(&["123 0 0"]);
    client.wait_for_log("reporting status.txt to 127.0.0.1:");
    client.wait_for_log("every 1h and at each change");
    client.wait_for_log("acknowledged 123 0 0");
    station.write("123\r\n1\r\n0");
    server.wait_for_lines(&["123 0 0", "123 1 0"]);
    // Saved without a change: looked at, and not reported.
    station.write("123\n1\n0\n\n");
    client.wait_for_log("status.txt was touched and says the same");
    station.replace("123\n1\n1\n");
    server.wait_for_lines(&["123 0 0", "123 1 0", "123 1 1"]);
    stop(client);
    assert_eq!(server.lines(), ["123 0 0", "123 1 0", "123 1 1"]);
}

#[test]
fn reports_each_period() {
    let station = Station::new("123\n0\n1\n");
    let server = FakeServer::start();
    let client = station.client(server.address, &["--every", "50ms"]);
    wait_for("five reports", || (server.lines().len() >= 5).then_some(()));
    assert!(server.lines().iter().all(|line| line == "123 0 1"));
    // The routine is not told.
    let logged = stop(client);
    let told = logged.lines().filter(|line| line.contains(" INFO ") && line.contains("acknowledged"));
    assert_eq!(told.count(), 1, "{logged}");
}

#[test]
fn a_wrong_file_is_told_once_and_never_sent() {
    let station = Station::new("123\nx\n0\n");
    let server = FakeServer::start();
    let client = station.client(server.address, &["--every", "50ms"]);
    client.wait_for_log("ERROR status.txt, line 2: Alarm1 is \"x\"; write 0 (off) or 1 (on)");
    fs::remove_file(station.status()).expect("it is there");
    client.wait_for_log("ERROR status.txt: there is no such file");
    station.write("123\n0\n");
    client.wait_for_log("ERROR status.txt, line 3: Alarm2 is missing");
    assert_eq!(server.lines(), [""; 0]);
    station.write("123\n0\n1\n");
    client.wait_for_log("status.txt is mended: 123 0 1");
    client.wait_for_log("acknowledged 123 0 1");
    let logged = stop(client);
    assert_eq!(logged.matches(" ERROR ").count(), 3, "{logged}");
    assert!(server.lines().iter().all(|line| line == "123 0 1"));
}

#[test]
fn a_refused_report_is_not_repeated_before_the_next_period() {
    let station = Station::new("123\n0\n0\n");
    let server = FakeServer::start();
    server.answer_first(["ERR stations_max no room for station 123\n"]);
    let client = station.client(server.address, &["--every", "1h"]);
    client.wait_for_log("refused 123 0 0: stations_max: no room for station 123");
    station.write("123\n1\n0\n");
    client.wait_for_log("acknowledged 123 1 0");
    let logged = stop(client);
    assert_eq!(server.lines(), ["123 0 0", "123 1 0"]);
    assert!(!logged.contains("trying again"), "{logged}");
}

#[test]
fn a_refusal_is_told_until_another_comes() {
    let station = Station::new("123\n0\n0\n");
    let server = FakeServer::start();
    let (first, second) = ("ERR stations_max no room\n", "ERR stations_max not a bit of room\n");
    server.answer_first([first, first, first, second, second]);
    let client = station.client(server.address, &["--every", "50ms"]);
    client.wait_for_log("acknowledged 123 0 0");
    let logged = stop(client);
    assert_eq!(logged.matches(" ERROR ").count(), 2, "{logged}");
    assert_eq!(logged.matches("stations_max: no room").count(), 1 + 2, "the others for debugging");
}

#[test]
fn what_was_not_acknowledged_is_tried_again_and_told_once() {
    let station = Station::new("123\n0\n0\n");
    let server = FakeServer::start();
    server.answer_first(["", "", "", "HTTP/1.1 400 Bad Request\r\n", "O"]);
    // The period cuts the waits short; the clock is not what is tested here.
    let client = station.client(server.address, &["--every", "50ms"]);
    client.wait_for_log("acknowledged 123 0 0, after 5 failed attempts");
    let logged = stop(client);
    assert_eq!(logged.matches(" WARN ").count(), 2, "{logged}");
    assert!(logged.contains("it closed the connection without a reply"), "{logged}");
    assert!(logged.contains("it replied \"HTTP/1.1 400 Bad Request\"; is this a waterwatch"), "{logged}");
}

#[test]
fn a_change_does_not_wait_for_the_next_attempt() {
    let station = Station::new("123\n0\n0\n");
    let server = FakeServer::start();
    server.answer_first([""; 3]);
    let client = station.client(server.address, &["--every", "1h"]);
    // After the third failure the next attempt is two to four seconds away.
    wait_for("three attempts", || (server.lines().len() == 3).then_some(()));
    let changed = Instant::now();
    station.write("123\n1\n0\n");
    server.wait_for_lines(&["123 0 0", "123 0 0", "123 0 0", "123 1 0"]);
    assert!(changed.elapsed() < Duration::from_millis(1900), "took {:?}", changed.elapsed());
    client.wait_for_log("acknowledged 123 1 0, after 3 failed attempts");
    stop(client);
}

#[test]
fn a_client_that_is_first_waits_for_its_server() {
    let station = Station::new("123\n0\n0\n");
    let address = free_address();
    let client = station.client(address, &["--every", "50ms"]);
    client.wait_for_log("did not acknowledge 123 0 0: cannot connect: Connection refused");
    station.write("123\n0\n1\n");
    client.wait_for_log("did not acknowledge 123 0 1");
    let server = FakeServer::start_on(address);
    client.wait_for_log("acknowledged 123 0 1, after ");
    let logged = stop(client);
    assert_eq!(logged.matches(" WARN ").count(), 1, "{logged}");
    assert!(server.lines().iter().all(|line| line == "123 0 1"), "never what is out of date");
}

#[test]
fn a_folder_that_cannot_be_watched_is_looked_at() {
    let station = Station::empty();
    let server = FakeServer::start();
    let later = station.folder.path().join("later");
    let status = later.join("status.txt");
    let options = ["--every", "1h", "--status", "later/status.txt"];
    let client = station.client(server.address, &options);
    client.wait_for_log("later/status.txt cannot be watched");
    client.wait_for_log("later/status.txt: there is no such file");
    fs::create_dir(&later).expect("a folder");
    fs::write(&status, "123\n0\n0\n").expect("a file");
    server.wait_for_lines(&["123 0 0"]);
    fs::write(&status, "123\n1\n0\n").expect("a file");
    server.wait_for_lines(&["123 0 0", "123 1 0"]);
    stop(client);
}

#[test]
fn a_folder_that_is_put_back_is_found_again() {
    let station = Station::empty();
    let server = FakeServer::start();
    let folder = station.folder.path().join("station");
    let status = folder.join("status.txt");
    fs::create_dir(&folder).expect("a folder");
    fs::write(&status, "123\n0\n0\n").expect("a file");
    let options = ["--every", "1h", "--status", "station/status.txt"];
    let client = station.client(server.address, &options);
    server.wait_for_lines(&["123 0 0"]);
    fs::rename(&folder, station.folder.path().join("old")).expect("a rename");
    client.wait_for_log("cannot be watched: its folder was removed or renamed");
    fs::create_dir(&folder).expect("a folder");
    fs::write(&status, "123\n1\n0\n").expect("a file");
    server.wait_for_lines(&["123 0 0", "123 1 0"]);
    stop(client);
}

#[test]
fn a_file_behind_a_link_is_looked_at() {
    let station = Station::empty();
    let server = FakeServer::start();
    let shared = station.folder.path().join("shared");
    fs::create_dir(&shared).expect("a folder");
    fs::write(shared.join("contacts.txt"), "123\n0\n0\n").expect("a file");
    std::os::unix::fs::symlink(shared.join("contacts.txt"), station.status()).expect("a link");
    let client = station.client(server.address, &["--every", "1h"]);
    client.wait_for_log("status.txt cannot be watched: it is a link");
    server.wait_for_lines(&["123 0 0"]);
    fs::write(shared.join("contacts.txt"), "123\n1\n0\n").expect("a file");
    server.wait_for_lines(&["123 0 0", "123 1 0"]);
    stop(client);
}

#[test]
fn a_stale_file_is_silent_until_it_is_touched() {
    let station = Station::new("123\n0\n0\n");
    station.age(Duration::from_secs(7200));
    let server = FakeServer::start();
    let client = station.client(server.address, &["--every", "50ms", "--stale-after", "1h"]);
    client.wait_for_log("WARN status.txt was last changed more than 1h ago; it is not reported");
    assert_eq!(server.lines(), [""; 0]);
    station.write("123\n0\n0\n");
    client.wait_for_log("status.txt is kept up again: 123 0 0");
    client.wait_for_log("acknowledged 123 0 0");
    let logged = stop(client);
    assert_eq!(logged.matches(" WARN ").count(), 1, "{logged}");
}

#[test]
fn stops_in_good_order_whatever_it_is_doing() {
    let away = free_address();
    for signal in [Signal::TERM, Signal::INT] {
        let station = Station::new("123\n0\n0\n");
        let server = FakeServer::start();
        // It waits for the next period.
        let client = station.client(server.address, &["--every", "1h"]);
        client.wait_for_log("acknowledged 123 0 0");
        let logged = end(client, signal);
        assert!(!logged.contains(" WARN ") && !logged.contains(" ERROR "), "{logged}");

        // It waits to try again.
        let client = station.client(away, &["--every", "1h"]);
        client.wait_for_log("trying again in");
        let logged = end(client, signal);
        assert_eq!(logged.matches(" WARN ").count(), 1, "{logged}");

        // It waits for a reply that does not come.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = station.client(silent.local_addr().expect("an address"), &[]);
        let (_held, _) = silent.accept().expect("the client connects");
        let logged = end(client, signal);
        assert!(!logged.contains(" WARN ") && !logged.contains(" ERROR "), "{logged}");
    }
}

#[test]
fn a_report_on_its_way_is_finished_before_the_end() {
    let station = Station::new("123\n0\n1\n");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = station.client(listener.local_addr().expect("an address"), &[]);
    let (mut stream, _) = listener.accept().expect("the client connects");
    client.signal(Signal::TERM);
    assert_eq!(line_of(&stream), "123 0 1");
    stream.write_all(b"OK\n").expect("the client reads");
    client.wait_for_log("acknowledged 123 0 1");
    stop_after_signal(client);
}

#[test]
fn once_tells_by_its_exit_code() {
    let station = Station::new("123\n0\n1\n");
    let server = FakeServer::start();
    let address = server.address.to_string();
    let away = free_address().to_string();
    let once = |server: &str, code: i32, text: &str| {
        let output = run(&["client", "--once", "--server", server], station.folder.path());
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains(text), "{text} is not in: {}", stderr(&output));
    };
    once(&address, 0, &format!("{address} acknowledged 123 0 1"));
    server.answer_first(["ERR stations_max no room\n"]);
    once(&address, 1, &format!("ERROR {address} refused 123 0 1: stations_max: no room"));
    server.answer_first([""]);
    once(&address, 1, "did not acknowledge 123 0 1: it closed the connection without a reply");
    once(&away, 1, &format!("ERROR {away} did not acknowledge 123 0 1: cannot connect"));
    once("localhost", 2, "no port; write it like 127.0.0.1:54321");
    assert_eq!(server.lines(), ["123 0 1"; 3], "one attempt each");
    station.write("123\n2\n1\n");
    once(&address, 2, "ERROR status.txt, line 2: Alarm1 is \"2\"; write 0 (off) or 1 (on)\n");
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn once_does_not_report_a_stale_file() {
    let station = Station::new("123\n0\n1\n");
    let server = FakeServer::start();
    let address = server.address.to_string();
    let arguments = ["client", "--once", "--server", &address, "--stale-after", "1h"];
    let output = run(&arguments, station.folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    station.age(Duration::from_secs(3601));
    let output = run(&arguments, station.folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told = "ERROR status.txt was last changed more than 1h ago; it is not reported\n";
    assert!(stderr(&output).ends_with(told), "{}", stderr(&output));
    assert_eq!(server.lines(), ["123 0 1"]);
}

#[test]
fn a_server_without_a_port_is_wrong_usage_from_the_start() {
    let station = Station::new("123\n0\n1\n");
    let output = run(&["client", "--server", "127.0.0.1"], station.folder.path());
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("no port"), "{}", stderr(&output));
}

#[test]
fn the_real_server_records_what_the_file_says() {
    let station = Station::new("123\n0\n1\n");
    let server = Server::start(station.folder.path(), &[]);
    let client = station.client(server.address, &["--every", "1h"]);
    client.wait_for_log("acknowledged 123 0 1");
    assert_eq!(alarms(&server.data), ["123 0 1"]);
    station.replace("123\r\n1\r\n0\r\n");
    client.wait_for_log("acknowledged 123 1 0");
    assert_eq!(alarms(&server.data), ["123 1 0"]);
    // Broken, and the server keeps what it knows; mended, and it hears of it.
    station.write("123\nbroken\n0\n");
    client.wait_for_log("status.txt, line 2: Alarm1 is \"broken\"");
    assert_eq!(alarms(&server.data), ["123 1 0"]);
    station.write("123\n1\n1\n");
    client.wait_for_log("acknowledged 123 1 1");
    assert_eq!(alarms(&server.data), ["123 1 1"]);
    stop(client);
    server.stop();
}

#[test]
fn the_real_server_may_come_later() {
    let station = Station::new("123\n1\n0\n");
    let address = free_address();
    let client = station.client(address, &["--every", "200ms"]);
    client.wait_for_log("did not acknowledge 123 1 0");
    let server = Server::start(station.folder.path(), &["--listen", &address.to_string()]);
    client.wait_for_log("acknowledged 123 1 0, after ");
    assert_eq!(alarms(&server.data), ["123 1 0"]);
    stop(client);
    server.stop();
}

#[test]
fn the_real_server_may_be_restarted() {
    let station = Station::new("123\n0\n0\n");
    let server = Server::start(station.folder.path(), &[]);
    let address = server.address;
    let client = station.client(address, &["--every", "200ms"]);
    client.wait_for_log("acknowledged 123 0 0");
    server.stop();
    client.wait_for_log("did not acknowledge 123 0 0");
    station.write("123\n0\n1\n");
    let server = Server::start(station.folder.path(), &["--listen", &address.to_string()]);
    client.wait_for_log("acknowledged 123 0 1");
    assert_eq!(alarms(&server.data), ["123 0 1"]);
    // Without a warning, too.
    server.kill();
    wait_for("the second failure to be told", || {
        (client.logged().matches(" WARN ").count() >= 2).then_some(())
    });
    let server = Server::start(station.folder.path(), &["--listen", &address.to_string()]);
    station.write("123\n1\n1\n");
    client.wait_for_log("acknowledged 123 1 1");
    assert_eq!(alarms(&server.data), ["123 1 1"]);
    stop(client);
    server.stop();
}

#[test]
fn the_real_server_answers_one_report() {
    let station = Station::new("123\n0\n1\n");
    let server = Server::start(station.folder.path(), &[]);
    let address = format!("localhost:{}", server.address.port());
    let output = run(&["client", "--once", "--server", &address], station.folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(alarms(&server.data), ["123 0 1"]);
    server.stop();
}

/// A station's folder with its status file.
struct Station {
    folder: TempDir,
}

impl Station {
    fn empty() -> Station {
        Station { folder: TempDir::new().expect("a folder") }
    }

    fn new(content: &str) -> Station {
        let station = Station::empty();
        station.write(content);
        station
    }

    fn status(&self) -> PathBuf {
        self.folder.path().join("status.txt")
    }

    /// Saves the file in its place.
    fn write(&self, content: &str) {
        fs::write(self.status(), content).expect("the file can be written");
    }

    /// Saves the file as editors do: written elsewhere and renamed.
    fn replace(&self, content: &str) {
        let beside = self.folder.path().join(".status.txt.new");
        fs::write(&beside, content).expect("the file can be written");
        fs::rename(&beside, self.status()).expect("the file can be replaced");
    }

    /// Makes the file look as if it had last been changed `age` ago.
    fn age(&self, age: Duration) {
        let file = fs::File::options().write(true).open(self.status()).expect("it is there");
        file.set_modified(SystemTime::now() - age).expect("its owner may");
    }

    /// Starts a client in this folder, that tells all it does.
    fn client(&self, server: SocketAddr, options: &[&str]) -> Running {
        client_in(self.folder.path(), server, options)
    }
}

fn client_in(folder: &Path, server: SocketAddr, options: &[&str]) -> Running {
    let mut command = waterwatch();
    command.current_dir(folder).env("WATERWATCH_LOG", "info,waterwatch=debug");
    command.args(["client", "--server", &server.to_string()]).args(options);
    Running::start(command)
}

/// Stops a client and gives its log.
fn stop(client: Running) -> String {
    end(client, Signal::TERM)
}

fn end(client: Running, signal: Signal) -> String {
    client.signal(signal);
    stop_after_signal(client)
}

fn stop_after_signal(mut client: Running) -> String {
    let status = client.wait();
    let logged = client.logged();
    assert!(status.success(), "ended with {status}:\n{logged}");
    assert!(logged.trim_end().ends_with("stopped"), "{logged}");
    logged
}

/// An address where nobody listens, and somebody can: one of loopback that is
/// this process' own, and a port that the system gives to nobody. A port that
/// was free a moment ago may be another test's by now.
fn free_address() -> SocketAddr {
    static PORT: AtomicU16 = AtomicU16::new(20_000);
    let [_, high, middle, low] = process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, high | 0x80, middle, low);
    (host, PORT.fetch_add(1, Ordering::Relaxed)).into()
}

/// A server that writes down each line and answers as told: first what is
/// in its queue, then `OK`. An empty answer closes the connection.
struct FakeServer {
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<VecDeque<&'static str>>>,
}

impl FakeServer {
    fn start() -> FakeServer {
        FakeServer::start_on("127.0.0.1:0".parse().expect("an address"))
    }

    /// Its thread ends with the tests; a client is never left waiting by it.
    fn start_on(address: SocketAddr) -> FakeServer {
        let listener = TcpListener::bind(address).expect("the port is free");
        let address = listener.local_addr().expect("an address");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let server = FakeServer { address, lines: Arc::clone(&lines), answers: Arc::clone(&answers) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let line = line_of(&stream);
                // The answer is chosen before the line can be seen, so that a
                // test that has seen it may set the next one.
                let answer = answers.lock().expect("nobody panicked").pop_front().unwrap_or("OK\n");
                lines.lock().expect("nobody panicked").push(line);
                // A client that has gone does not read it.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        server
    }

    fn answer_first<const N: usize>(&self, answers: [&'static str; N]) {
        self.answers.lock().expect("nobody panicked").extend(answers);
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("nobody panicked").clone()
    }

    fn wait_for_lines(&self, expected: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        while self.lines() != expected {
            assert!(Instant::now() < deadline, "{:?} instead of {expected:?}", self.lines());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The line that a client sends, without its newline.
fn line_of(stream: &TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("a line in time");
    line.strip_suffix('\n').expect("a whole line").to_owned()
}
