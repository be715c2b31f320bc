//! The command line. Every option of `serve` is also a key of the
//! configuration file and a `WATERWATCH_…` variable; `config.rs` makes one
//! checked whole of the three.

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
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct LogOptions {
    /// How the log on standard error is written [default: text]
    #[arg(long, env = "WATERWATCH_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<crate::log::LogFormat>,
}
