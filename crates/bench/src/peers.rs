//! The peers: the servers that this program is itself, and how each of them
//! and the others is started.

mod discard;
mod minimal;
mod minimal_epoll;
mod others;
mod running;
mod sqlite;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use self::minimal::Looks;
pub(crate) use self::running::Running;
pub(crate) use self::sqlite::run_loop;
use crate::protocol::Protocol;

/// The peers that this program is itself.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Own {
    /// Answer OK to each line and store nothing (tokio)
    Minimal,
    /// The same with a plain epoll loop on each processor
    MinimalEpoll,
    /// Read each report, answer OK to it and store nothing (tokio)
    Reading,
    /// waterwatch's own intake and writer over a store that discards
    Discard {
        /// Where its lock goes
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
    },
    /// waterwatch's own store without a server around it
    Sqlite(sqlite::Options),
}

/// Is that peer until it is ended.
///
/// # Errors
/// Those of the peer.
pub(crate) fn be(peer: Own) -> anyhow::Result<()> {
    // Who needs more than that gives hears it when a connection fails.
    let _ = waterwatch::open_files::raise();
    match peer {
        Own::Minimal => minimal::serve(Looks::AtNewlines),
        Own::MinimalEpoll => minimal_epoll::serve(),
        Own::Reading => minimal::serve(Looks::AtReports),
        Own::Discard { data } => discard::serve(data),
        Own::Sqlite(options) => sqlite::run(&options),
    }
}

/// A server that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// [`Own::Minimal`]
    Minimal,
    /// [`Own::MinimalEpoll`]
    MinimalEpoll,
    /// [`Own::Reading`]
    Reading,
    /// [`Own::Discard`]
    Discard,
    /// [`Own::Sqlite`]: no server, so it is driven otherwise.
    Sqlite,
    /// The product.
    Waterwatch,
    /// Debian's Mosquitto.
    Mosquitto,
    /// Debian's Redis.
    Redis,
    /// A plain Python server that keeps the old contract.
    OldServer,
}

impl Peer {
    /// All of them, in the order in which they are named.
    pub(crate) const ALL: [Peer; 9] = [
        Peer::Waterwatch,
        Peer::Minimal,
        Peer::MinimalEpoll,
        Peer::Reading,
        Peer::Discard,
        Peer::Sqlite,
        Peer::Mosquitto,
        Peer::Redis,
        Peer::OldServer,
    ];

    /// What it is called in a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Minimal => "minimal server (tokio)",
            Peer::MinimalEpoll => "minimal server (epoll)",
            Peer::Reading => "minimal server that reads reports",
            Peer::Discard => "waterwatch, storing nothing",
            Peer::Sqlite => "bare SQLite loop",
            Peer::Waterwatch => "waterwatch",
            Peer::Mosquitto => "Mosquitto, QoS 1",
            Peer::Redis => "Redis, appendfsync always",
            Peer::OldServer => "Python server",
        }
    }

    /// What it is and does, in a sentence.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Peer::Minimal => {
                "counts newlines and answers `OK` to each in one write; reads nothing, stores nothing"
            }
            Peer::MinimalEpoll => "the same with one epoll loop a processor; the faster of the two counts",
            Peer::Reading => {
                "the tokio one, but each report is read with waterwatch's parser; for comparison only"
            }
            Peer::Discard => "its own intake, lane and writer over a store that keeps nothing",
            Peer::Sqlite => {
                "waterwatch's own store, driven directly with full batches: no network, no replies"
            }
            Peer::Waterwatch => "`waterwatch serve` with its defaults; `OK` means synced to disk",
            Peer::Mosquitto => {
                "PUBLISH `ID A1 A2` to `s/ID`, no subscriber, no persistence, no limit on what is in flight"
            }
            Peer::Redis => {
                "`SET ID \"A1 A2\"`, the cheapest command that stores the report (it keeps no time of contact)"
            }
            Peer::OldServer => {
                "a thread for each connection, a commit for each report, the table of the old contract"
            }
        }
    }

    /// What it speaks.
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Peer::Mosquitto => Protocol::Mqtt,
            Peer::Redis => Protocol::Resp,
            _ => Protocol::Lines,
        }
    }

    /// Whether it works on a database of ours, so that its stations can be
    /// made known beforehand.
    pub(crate) fn has_database(self) -> bool {
        matches!(self, Peer::Waterwatch | Peer::Sqlite)
    }

    /// Its version.
    ///
    /// # Errors
    /// It is not here; the error says how to get it.
    pub(crate) fn version(self, waterwatch: &Path) -> anyhow::Result<String> {
        match self {
            Peer::Waterwatch => others::first_line(Command::new(waterwatch).arg("--version"))
                .with_context(|| "build it first: cargo build --release -p waterwatch".to_owned()),
            Peer::Mosquitto => others::first_line(Command::new("mosquitto").arg("-h"))
                .context("not installed: apt-get install mosquitto"),
            Peer::Redis => others::first_line(Command::new("redis-server").arg("--version"))
                .context("not installed: apt-get install redis-server"),
            Peer::OldServer => others::first_line(Command::new("python3").arg("--version"))
                .context("not installed: apt-get install python3"),
            _ => Ok(format!("waterwatch-bench {}", env!("CARGO_PKG_VERSION"))),
        }
    }

    /// Starts it with its data in `folder`, and waits until it listens.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(self, waterwatch: &Path, folder: &Path) -> anyhow::Result<Running> {
        let own = |name: &str| -> anyhow::Result<Command> {
            let mut command = Command::new(std::env::current_exe()?);
            // Those that only measure have nothing to show.
            command.args(["peer", name]).env("WATERWATCH_HTTP", "off");
            Ok(command)
        };
        match self {
            Peer::Minimal => Running::announced(own("minimal")?, folder),
            Peer::MinimalEpoll => Running::announced(own("minimal-epoll")?, folder),
            Peer::Reading => Running::announced(own("reading")?, folder),
            Peer::Discard => {
                let mut command = own("discard")?;
                command.args(["--data", "discarded.sqlite"]);
                Running::announced(command, folder)
            }
            Peer::Waterwatch => {
                let mut command = Command::new(waterwatch);
                // A variable, which a version that knows no HTTP leaves alone.
                command.env("WATERWATCH_HTTP", "127.0.0.1:0");
                command.args(["serve", "--listen", "127.0.0.1:0", "--data", "data.sqlite"]);
                Running::announced(command, folder)
            }
            Peer::Mosquitto => others::mosquitto(folder),
            Peer::Redis => others::redis(folder),
            Peer::OldServer => others::old_server(folder),
            Peer::Sqlite => anyhow::bail!("the bare loop is no server"),
        }
    }
}
