//! The options of `waterwatch oncall …`.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::ServerOptions;
use crate::shown::time;

/// What `waterwatch oncall` does.
#[derive(Debug, Subcommand)]
pub enum OncallCommand {
    /// Show who has duty in each rota, now and ahead
    ///
    /// The running server is asked: its configuration file says who takes turns. Times are those of the
    /// rota's zone. Where nobody has duty, the fallback stands in.
    #[command(after_help = "Example: waterwatch oncall show main --days 30")]
    Show(OncallShowOptions),
}

/// Options of `waterwatch oncall show`.
#[derive(Debug, Args)]
pub struct OncallShowOptions {
    /// Only this rota
    #[arg(value_name = "ROTA", value_hint = clap::ValueHint::Other)]
    pub rota: Option<String>,
    /// Shifts that begin within so many days
    #[arg(long, value_name = "N", default_value = "14", value_parser = clap::value_parser!(u16).range(1..=366))]
    pub days: u16,
    /// From then on: 2026-12-24, "2026-12-24 20:00" or 2026-12-24T19:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_moment)]
    pub from: Option<Timestamp>,
    /// Which server
    #[command(flatten)]
    pub server: ServerOptions,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}
