//! Starts the real program, and waits for what is to be seen.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

/// How long a test waits for what must come: long, since only a failing test
/// waits it out.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The program under test, with nothing of this environment's configuration.
pub fn waterwatch() -> Command {
    let mut command = Command::new(crate::PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WATERWATCH_")) {
        command.env_remove(name);
    }
    // Servers side by side do not share the port that HTTP has by itself.
    command.env_remove("NOTIFY_SOCKET").env("WATERWATCH_HTTP", "127.0.0.1:0").stdin(Stdio::null());
    command
}

/// Runs the program to its end, which must come by itself.
pub fn run(arguments: &[&str], folder: &Path) -> Output {
    waterwatch().args(arguments).current_dir(folder).output().expect("the program starts")
}

/// What a run printed on standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a run printed on standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until `look` sees something.
///
/// # Panics
/// After [`PATIENCE`], naming what was awaited.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A running program whose output is collected line by line; killed when
/// dropped.
pub struct Running {
    child: Child,
    printed: Arc<Mutex<String>>,
    logged: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Running {
    /// Starts `command` and collects what it prints and logs.
    pub fn start(mut command: Command) -> Running {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (printed, first) = collect(child.stdout.take().expect("piped"));
        let (logged, second) = collect(child.stderr.take().expect("piped"));
        Running { child, printed, logged, readers: vec![first, second] }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that is on standard output until now.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// All that is on standard error until now.
    pub fn logged(&self) -> String {
        self.logged.lock().unwrap().clone()
    }

    /// Waits until the log says `text`.
    pub fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.logged().contains(text) {
            assert!(Instant::now() < deadline, "the log never said \"{text}\":\n{}", self.logged());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).expect("the process is there");
    }

    /// Stops it where it is, until it is resumed or killed: whatever it was
    /// doing in the system has come to its end.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.child.id());
        wait_for("every thread to stand still", || {
            let still = std::fs::read_dir(&tasks).ok()?.flatten().all(|task| {
                let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                // The state follows the name, which is in brackets.
                stat.rsplit(')').next().is_some_and(|fields| fields.trim_start().starts_with('T'))
            });
            still.then_some(())
        });
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits until it has ended and all that it printed is collected.
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait_for("the program to end", || self.child.try_wait().expect("a child of ours"));
        for reader in self.readers.drain(..) {
            reader.join().expect("the reader does not panic");
        }
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, or ends now: nobody is left behind either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(source: impl Read + Send + 'static) -> (Arc<Mutex<String>>, thread::JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&text);
    let reader = thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while source.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            sink.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    (text, reader)
}

/// A running server on a database in `folder`.
pub struct Server {
    /// The process.
    pub running: Running,
    /// Where it listens: read from what it printed.
    pub address: SocketAddr,
    /// Its database.
    pub data: PathBuf,
}

impl Server {
    /// Starts `waterwatch serve` in `folder` with port 0 and `arguments`.
    pub fn start(folder: &Path, arguments: &[&str]) -> Server {
        Server::start_with(folder, arguments, |_| ())
    }

    /// The same, with a last word on the command (variables, limits).
    pub fn start_with(folder: &Path, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Server {
        Server::try_start(folder, arguments, change).unwrap_or_else(|mut ended| {
            let status = ended.wait();
            panic!("the server ended with {status}:\n{}", ended.logged())
        })
    }

    /// The same where the server may end instead of listening.
    pub fn try_start(
        folder: &Path,
        arguments: &[&str],
        change: impl FnOnce(&mut Command),
    ) -> Result<Server, Running> {
        let data = folder.join("data.sqlite");
        let mut command = waterwatch();
        command.arg("serve").arg("--data").arg(&data).current_dir(folder).args(arguments);
        if !arguments.iter().any(|argument| matches!(*argument, "--listen" | "--config")) {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        change(&mut command);
        let mut running = Running::start(command);
        let address = wait_for("the server to listen or to end", || {
            let listens = listening(&running.printed()).first().copied();
            listens.map(Some).or_else(|| running.ended().map(|_| None))
        });
        match address {
            Some(address) => Ok(Server { running, address, data }),
            None => Err(running),
        }
    }

    /// Connects as a station does.
    pub fn connect(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// Sends `bytes` on a new connection, ends it orderly, and returns all
    /// that the server answered.
    pub fn say(&self, bytes: &[u8]) -> String {
        let mut peer = self.connect();
        peer.send(bytes);
        peer.half_close();
        peer.rest()
    }

    /// The rows of `station_status`, as text: `123 2026-11-24 01:50 0 1`.
    pub fn rows(&self) -> Vec<String> {
        rows(&self.data)
    }

    /// Stops it as systemd does and expects a clean end.
    pub fn stop(mut self) -> String {
        self.running.signal(Signal::TERM);
        let status = self.running.wait();
        assert!(status.success(), "ended with {status}:\n{}", self.running.logged());
        self.running.logged()
    }

    /// Kills it without a warning.
    pub fn kill(mut self) {
        self.running.signal(Signal::KILL);
        self.running.wait();
    }
}

/// The addresses in the `listening stations …` lines.
pub fn listening(printed: &str) -> Vec<SocketAddr> {
    printed
        .lines()
        .filter_map(|line| line.strip_prefix("listening stations "))
        .map(|address| address.parse().expect("an address"))
        .collect()
}

/// The rows of `station_status` in this database, in the order of their ids.
pub fn rows(data: &Path) -> Vec<String> {
    let database = open(data);
    let mut statement = database
        .prepare("SELECT station_id, last_date, alarm1, alarm2 FROM station_status ORDER BY station_id")
        .expect("the contract's columns");
    let rows = statement
        .query_map([], |row| {
            let (id, date): (i64, String) = (row.get(0)?, row.get(1)?);
            let (alarm1, alarm2): (i64, i64) = (row.get(2)?, row.get(3)?);
            Ok(format!("{id} {date} {alarm1} {alarm2}"))
        })
        .expect("a query");
    rows.map(|row| row.expect("a row of integers and a text")).collect()
}

/// The same without the dates: `123 0 1`.
pub fn alarms(data: &Path) -> Vec<String> {
    rows(data)
        .iter()
        .map(|row| {
            let words: Vec<&str> = row.split(' ').collect();
            format!("{} {} {}", words[0], words[3], words[4])
        })
        .collect()
}

/// What is recorded of a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its two contacts.
    pub alarms: (bool, bool),
    /// How many of its reports were recorded.
    pub reports: usize,
}

/// What the program itself says is recorded in a database, journaled or
/// folded.
pub fn stored(data: &Path) -> BTreeMap<i64, Stored> {
    let output = waterwatch().args(["status", "--json", "--data"]).arg(data).output().expect("it starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let stations: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("an array");
    stations
        .iter()
        .map(|station| {
            let alarms = (station["alarm1"].as_bool(), station["alarm2"].as_bool());
            let (Some(id), (Some(alarm1), Some(alarm2)), Some(reports)) =
                (station["station_id"].as_i64(), alarms, station["reports"].as_u64())
            else {
                panic!("not a station: {station}")
            };
            let reports = usize::try_from(reports).expect("fewer than memory has bytes");
            (id, Stored { alarms: (alarm1, alarm2), reports })
        })
        .collect()
}

/// What SQLite finds wrong with a database; `ok` if nothing.
pub fn integrity(data: &Path) -> String {
    open(data).query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict")
}

/// Opens a database for a look from outside.
pub fn open(data: &Path) -> Connection {
    let database = Connection::open_with_flags(data, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)
        .expect("the database opens");
    database.busy_timeout(PATIENCE).expect("a timeout");
    database
}

/// A station's end of a connection.
pub struct Peer {
    /// The socket itself.
    pub stream: TcpStream,
}

impl Peer {
    /// Connects, and never waits longer than [`PATIENCE`] for a byte.
    pub fn connect(address: SocketAddr) -> Peer {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        Peer { stream }
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Waits until the other side's system has all that was sent, whether or
    /// not the program has read it.
    pub fn wait_until_received(&self) {
        let port = format!(":{:04X} ", self.stream.local_addr().expect("a port").port());
        wait_for("what was sent to arrive", || {
            // local_address rem_address st tx_queue:rx_queue, after the number.
            let sockets = std::fs::read_to_string("/proc/net/tcp").expect("the system's sockets");
            let socket = sockets.lines().find(|line| {
                line.split_once(": ")
                    .is_some_and(|(_, fields)| fields.chars().skip(8).collect::<String>().starts_with(&port))
            })?;
            let queues = socket.split_whitespace().nth(4)?;
            queues.starts_with("00000000:").then_some(())
        });
    }

    /// Ends the sending side.
    pub fn half_close(&mut self) {
        // The server may have closed already; what it said is still read.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next reply line, without its newline; empty at the end.
    pub fn reply(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while self.stream.read(&mut byte).expect("a reply in time") == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("replies are ASCII")
    }

    /// All that comes until the server closes.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("neither a byte nor an end from the server: {error}"),
        }
        String::from_utf8(bytes).expect("replies are ASCII")
    }
}

/// Connects from another address of this machine, which the standard library cannot.
pub fn connect_from(source: &str, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source.parse().expect("an address"), 0))?;
        socket.connect(to).await?.into_std()
    });
    let stream = stream.expect("the server accepts");
    stream.set_nonblocking(false).expect("an option");
    stream
}
