//! The command line. Every option of `serve` is also a key of the
//! configuration file and a `WATERWATCH_…` variable; `config.rs` makes one
//! checked whole of the three.

mod alarm;
mod check;
mod check_config;
mod events;
mod oncall;
mod order;
mod station;
mod token;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::ServeOptions;
use crate::log::LogOptions;
use crate::server_address::ServerAddress;
use crate::shown::time;

pub use self::alarm::source as read_source;
pub use self::alarm::{
    AlarmCommand, AlarmExplainOptions, AlarmHistoryOptions, AlarmListOptions, AlarmShowOptions, LookOptions,
    WhichAlarm,
};
pub use self::check::CheckOptions;
pub use self::check_config::CheckConfigOptions;
pub use self::events::EventsOptions;
pub use self::oncall::{OncallCommand, OncallShowOptions};
pub use self::order::{
    AlarmAckOptions, AlarmAsideOptions, AlarmBackOptions, AlarmNoteOptions, EndOptions, OrderOptions,
    ServerOptions, StationForgetOptions, StationPauseOptions, StationResumeOptions, StationRetireOptions,
    StationVisitOptions, VisitEndOptions,
};
pub use self::station::{
    Format, StationCommand, StationExportOptions, StationImportOptions, StationListOptions,
    StationSetOptions, StationShowOptions,
};
pub use self::token::{TokenAddOptions, TokenCommand, TokenListOptions, TokenRevokeOptions};

/// Hears every remote water station, never loses an alarm it has acknowledged.
#[derive(Debug, Parser)]
#[command(
    name = "waterwatch",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 failed, or what was asked for is not there; 2 wrong usage or a wrong input file. \
                  Those of check are 0 to 3, as Nagios has them."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What is said by the command line, and by the variables where that says nothing.
    ///
    /// Whoever says which database they mean means that one, or its server, and not one
    /// that a variable names.
    ///
    /// # Errors
    /// If it cannot be meant.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let matches = Cli::command().try_get_matches_from(&words)?;
        let matches = match is_of_another_server(&matches) {
            true => without_server(Cli::command()).try_get_matches_from(&words)?,
            false => matches,
        };
        Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut Cli::command()))
    }
}

/// Whether the database is named here, and a server by a variable alone.
fn is_of_another_server(matches: &ArgMatches) -> bool {
    let mut command = matches;
    while let Some((_, inner)) = command.subcommand() {
        command = inner;
    }
    let is_from =
        |arg: &str, source| command.try_contains_id(arg).is_ok() && command.value_source(arg) == Some(source);
    is_from("data", ValueSource::CommandLine) && is_from("server", ValueSource::EnvVariable)
}

/// The same where no variable says which server, and with which token.
fn without_server(command: clap::Command) -> clap::Command {
    let alone = |arg: clap::Arg| match arg.get_id().as_str() {
        "server" | "token_file" => arg.env(None::<&'static str>),
        _ => arg,
    };
    command.mut_args(alone).mut_subcommands(without_server)
}

/// What waterwatch does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server that stations report to
    #[command(
        after_help = "Example: waterwatch serve --data /var/lib/waterwatch/data.sqlite --listen 127.0.0.1:54321"
    )]
    Serve(Box<ServeOptions>),
    /// Report a station's status file to the server, every minute and at each change
    #[command(after_help = "Example: waterwatch client --status status.txt --server water.example:54321")]
    Client(ClientOptions),
    /// Show the stations and their alarms, worst first
    #[command(after_help = "Example: waterwatch status --watch")]
    Status(StatusOptions),
    /// Show the alarms, what happened to them, and why; acknowledge, note, or set them aside
    #[command(subcommand)]
    Alarm(AlarmCommand),
    /// Show the stations, and whether they are heard; set, pause, visit, retire, forget them
    #[command(subcommand)]
    Station(StationCommand),
    /// Show what happened, entry by entry, and follow what happens
    ///
    /// What happened is read in the database, unless --server names a server to ask. To follow, the running
    /// server is asked; while it is away it is waited for, and nothing is left out or shown twice.
    #[command(after_help = "Example: waterwatch events --follow --since 24h --source area/North")]
    Events(EventsOptions),
    /// Show who has duty, now and ahead
    #[command(subcommand)]
    Oncall(OncallCommand),
    /// Say who may speak to the HTTP API
    #[command(subcommand)]
    Token(TokenCommand),
    /// Play a fleet of stations against a server, for trying it out
    ///
    /// Each station has a connection of its own, reports at its own moment within the period, and at
    /// once when one of its alarms goes on or off. The server cannot tell them from real stations: what
    /// it knows of these ids is replaced, so give it ids that no station has (--first-id).
    #[command(after_help = "Example: waterwatch simulate --stations 1000 --first-id 900000 --run-for 5m")]
    Simulate(SimulateOptions),
    /// Copy the database, also while the server runs
    #[command(
        after_help = "Example: waterwatch backup /var/backups/waterwatch.sqlite --data /var/lib/waterwatch/data.sqlite"
    )]
    Backup(BackupOptions),
    /// Bring the rows of an old Python server's database into a new one
    #[command(
        after_help = "Example: waterwatch import old.sqlite --data data.sqlite --time-zone Europe/Berlin"
    )]
    Import(ImportOptions),
    /// Say whether all is well, for Nagios, Icinga and the like
    ///
    /// Whether the server is there and can store, which alarms nobody has acknowledged for too long, how
    /// many stations are silent, how old the newest backup is. One line, with performance data; it ends
    /// with 0 if all is well, 1 for a warning, 2 if it is critical, 3 if that is not known.
    #[command(after_help = "Example: waterwatch check --backup \"/var/backups/waterwatch-*.sqlite\"")]
    Check(CheckOptions),
    /// Say what is wrong with a configuration file, before the server is started with it
    ///
    /// All that is wrong is told at once, each with its line. It ends with 0 if the server would take the
    /// file, whatever it warns of, and with 2 if not.
    #[command(after_help = "Example: waterwatch check-config /etc/waterwatch/waterwatch.toml")]
    CheckConfig(CheckConfigOptions),
    /// Print what completes these commands in a shell
    #[command(after_help = "Example: waterwatch completions bash > /etc/bash_completion.d/waterwatch")]
    Completions(CompletionsOptions),
}

/// Options of `waterwatch completions`.
#[derive(Debug, Args)]
pub struct CompletionsOptions {
    /// Which shell
    #[arg(ignore_case = true)]
    pub shell: Shell,
}

/// A shell that completes commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// The shell of most systems.
    Bash,
    /// Z shell.
    Zsh,
    /// Fish.
    Fish,
}

/// Options of `waterwatch client`.
#[derive(Debug, Args)]
pub struct ClientOptions {
    /// The file with the station id, Alarm1 and Alarm2, a line each
    #[arg(long, env = "WATERWATCH_STATUS", default_value = "status.txt", value_name = "FILE")]
    pub status: PathBuf,
    /// The server to report to
    #[arg(long, env = "WATERWATCH_SERVER", default_value = "127.0.0.1:54321", value_name = "HOST:PORT")]
    pub server: ServerAddress,
    /// How often to report, besides at each change of the file
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = duration)]
    pub every: Duration,
    /// Report once and exit: 0 acknowledged, 1 refused or unreachable, 2 bad file or usage
    #[arg(long)]
    pub once: bool,
    /// Do not report a file that was last changed longer ago than this, so that the server notices silence
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub stale_after: Option<Duration>,
    /// How the log is written
    #[command(flatten)]
    pub log: LogOptions,
}

/// Options of `waterwatch status`.
#[derive(Debug, Args)]
pub struct StatusOptions {
    /// Which database
    #[command(flatten)]
    pub data: DataOption,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Show again every two seconds, until interrupted
    #[arg(long)]
    pub watch: bool,
}

/// Options of `waterwatch simulate`.
#[derive(Debug, Args)]
pub struct SimulateOptions {
    /// How many stations
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub stations: u32,
    /// How often each station reports
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = duration)]
    pub every: Duration,
    /// The server to report to
    #[arg(long, env = "WATERWATCH_SERVER", default_value = "127.0.0.1:54321", value_name = "HOST:PORT")]
    pub server: ServerAddress,
    /// The id of the first station; the others follow
    #[arg(long, default_value_t = 1, value_name = "ID", value_parser = clap::value_parser!(i64).range(0..))]
    pub first_id: i64,
    /// Stop after this long; without it, at the first interrupt
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub run_for: Option<Duration>,
}

/// Options of `waterwatch backup`.
#[derive(Debug, Args)]
pub struct BackupOptions {
    /// The copy to make; it must not exist
    pub file: PathBuf,
    /// Which database
    #[command(flatten)]
    pub data: DataOption,
}

/// Options of `waterwatch import`.
#[derive(Debug, Args)]
pub struct ImportOptions {
    /// The old server's database; it is only read
    pub old: PathBuf,
    /// The database to make; it must not exist
    #[arg(long, value_name = "NEW.sqlite")]
    pub data: PathBuf,
    /// Import the rows that can be read and leave out the others, instead of importing nothing
    #[arg(long)]
    pub skip_bad: bool,
    /// The zone that the old server's dates are in, such as Europe/Berlin [default: this machine's]
    #[arg(long, env = "WATERWATCH_TIME_ZONE", value_name = "ZONE")]
    pub time_zone: Option<String>,
}

/// Which database a command works on.
#[derive(Debug, Args)]
pub struct DataOption {
    /// The server's database
    #[arg(id = "data", long, env = "WATERWATCH_DATA", default_value = "data.sqlite", value_name = "FILE")]
    pub file: PathBuf,
}

/// Reads `60s`, `5m`, `1h 30m`, `2d`: a positive span of time.
fn duration(text: &str) -> Result<Duration, String> {
    let span = time::lasting(text)
        .ok_or_else(|| format!("\"{text}\" is no span of time; write it like 90s, 30m, 2h, 1d 12h or 1w"))?;
    Duration::try_from(span)
        .ok()
        .filter(|span| !span.is_zero())
        .ok_or_else(|| format!("\"{text}\" is not more than nothing"))
}

#[cfg(test)]
mod tests;
