//! The options of `waterwatch check`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use waterwatch_core::alarm::Priority;

use super::{DataOption, duration, words};
use crate::http_client::ServerUrl;

/// A quarter of an hour in which somebody should have answered.
const UNACKNOWLEDGED_WARNING: Duration = Duration::from_secs(15 * 60);

/// A backup a day, and an hour for making it.
const BACKUP_WARNING: Duration = Duration::from_secs(25 * 3_600);

/// Options of `waterwatch check`.
#[derive(Debug, Args)]
pub struct CheckOptions {
    /// Which database
    #[command(flatten)]
    pub data: DataOption,
    /// Where the server is [default: where that of --data is]
    #[arg(long, env = "WATERWATCH_SERVER_URL", value_name = "http://HOST:PORT")]
    pub server: Option<ServerUrl>,
    /// Leave out the alarms, which are read in the database: only the server and the backup
    #[arg(long)]
    pub no_alarms: bool,
    /// Only alarms that are at least so urgent: critical, high, medium or low
    #[arg(long, default_value = "low", value_name = "PRIORITY", value_parser = words::priority(), hide_possible_values = true)]
    pub priority: Priority,
    /// A warning once an alarm is that old, and nobody has acknowledged it [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub unacknowledged_warning: Option<Duration>,
    /// It is critical once one is that old
    #[arg(long, default_value = "60m", value_name = "DURATION", value_parser = duration)]
    pub unacknowledged_critical: Duration,
    /// A warning if so many stations are silent [default: none, they are alarms as well]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub silent_warning: Option<u64>,
    /// It is critical if so many are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub silent_critical: Option<u64>,
    /// A backup; the newest of several, also those that * in its name stands for
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub backup: Vec<PathBuf>,
    /// A warning once the newest backup is that old [default: 25h]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub backup_warning: Option<Duration>,
    /// It is critical once it is that old
    #[arg(long, default_value = "49h", value_name = "DURATION", value_parser = duration)]
    pub backup_critical: Duration,
    /// Print JSON instead of a line
    #[arg(long)]
    pub json: bool,
}

impl CheckOptions {
    /// From when on an alarm that nobody has acknowledged is a warning. Whoever says
    /// only what is critical may say less than that is by itself.
    pub fn unacknowledged_warning(&self) -> Duration {
        self.unacknowledged_warning
            .unwrap_or_else(|| UNACKNOWLEDGED_WARNING.min(self.unacknowledged_critical))
    }

    /// The same of the newest backup.
    pub fn backup_warning(&self) -> Duration {
        self.backup_warning.unwrap_or_else(|| BACKUP_WARNING.min(self.backup_critical))
    }
}
