//! The command line. Every option of `serve` is also a key of the
//! configuration file and a `WATERWATCH_…` variable; `config.rs` makes one
//! checked whole of the three.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::ServeOptions;

/// Hears every remote water station, never loses an alarm it has acknowledged.
#[derive(Debug, Parser)]
#[command(name = "waterwatch", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What waterwatch does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server that stations report to
    Serve(Box<ServeOptions>),
    /// Show the stations and their alarms
    Status(StatusOptions),
    /// Copy the database, also while the server runs
    Backup(BackupOptions),
    /// Bring the rows of an old Python server's database into a new one
    Import(ImportOptions),
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

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct LogOptions {
    /// How the log on standard error is written [default: text]
    #[arg(long, env = "WATERWATCH_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<crate::log::LogFormat>,
}
