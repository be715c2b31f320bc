//! The options of what operators want done: it is done by the running server.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use waterwatch_core::StationId;

use super::alarm::{WhichAlarm, station};
use super::{DataOption, duration};
use crate::http_client::ServerUrl;
use crate::shown::time;

/// Which running server, and who asks it.
#[derive(Debug, Args)]
pub struct ServerOptions {
    /// Which database: its server is asked
    #[command(flatten)]
    pub data: DataOption,
    /// Where the server is [default: where that of --data is]
    #[arg(long, env = "WATERWATCH_SERVER_URL", value_name = "http://HOST:PORT")]
    pub server: Option<ServerUrl>,
    /// The file with the token that is shown to the server [default: the one beside --data]
    #[arg(long, env = "WATERWATCH_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// What all that wants something done has in common.
#[derive(Debug, Args)]
pub struct OrderOptions {
    /// Who wants it, as the ledger is to say [default: whoever runs this]
    #[arg(long, value_name = "NAME")]
    pub on_behalf_of: Option<String>,
    /// Which server
    #[command(flatten)]
    pub server: ServerOptions,
    /// Print JSON instead of sentences
    #[arg(long)]
    pub json: bool,
}

/// When something ends by itself.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct EndOptions {
    /// For how long from now on: 30m, 2h, 3d
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub lasting: Option<Duration>,
    /// Until when: 2026-11-25, "2026-11-24 18:00", 2026-11-24T17:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time::parse_moment)]
    pub until: Option<Timestamp>,
}

/// Until when somebody is at a station.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct VisitEndOptions {
    /// For how long from now on at most: 30m, 2h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub lasting: Option<Duration>,
    /// Until when at the latest: "2026-11-24 18:00", 2026-11-24T17:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time::parse_moment)]
    pub until: Option<Timestamp>,
    /// Nobody is there any more
    #[arg(long)]
    pub end: bool,
}

/// Options of `waterwatch alarm ack`.
#[derive(Debug, Args)]
pub struct AlarmAckOptions {
    /// Which alarm
    #[command(flatten)]
    pub alarm: WhichAlarm,
    /// The occurrence that was seen; if another one is open by now, nothing is acknowledged [default: the open one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub occurrence: Option<i64>,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// Options of `waterwatch alarm shelve` and `out-of-service`.
#[derive(Debug, Args)]
pub struct AlarmAsideOptions {
    /// Which alarm
    #[command(flatten)]
    pub alarm: WhichAlarm,
    /// Until when
    #[command(flatten)]
    pub end: EndOptions,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// Options of `waterwatch alarm unshelve` and `return-to-service`.
#[derive(Debug, Args)]
pub struct AlarmBackOptions {
    /// Which alarm
    #[command(flatten)]
    pub alarm: WhichAlarm,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// Options of `waterwatch alarm note`.
#[derive(Debug, Args)]
pub struct AlarmNoteOptions {
    /// Which alarm
    #[command(flatten)]
    pub alarm: WhichAlarm,
    /// What is to be noted, in up to 500 characters
    #[arg(long, value_name = "TEXT")]
    pub text: String,
    /// About which occurrence, be it over or not [default: the open one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub occurrence: Option<i64>,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// Options of `waterwatch station pause`.
#[derive(Debug, Args)]
pub struct StationPauseOptions {
    /// Which station
    #[arg(value_parser = station)]
    pub id: StationId,
    /// Until when
    #[command(flatten)]
    pub end: EndOptions,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// Options of `waterwatch station resume`.
#[derive(Debug, Args)]
pub struct StationResumeOptions {
    /// Which station
    #[arg(value_parser = station)]
    pub id: StationId,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// Options of `waterwatch station forget`.
#[derive(Debug, Args)]
pub struct StationForgetOptions {
    /// Which station
    #[arg(value_parser = station)]
    pub id: StationId,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// Options of `waterwatch station retire`.
#[derive(Debug, Args)]
pub struct StationRetireOptions {
    /// Which station
    #[arg(value_parser = station)]
    pub id: StationId,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// Options of `waterwatch station visit`.
#[derive(Debug, Args)]
pub struct StationVisitOptions {
    /// Which station
    #[arg(value_parser = station)]
    pub id: StationId,
    /// Until when
    #[command(flatten)]
    pub end: VisitEndOptions,
    /// What for
    #[arg(long, value_name = "TEXT", conflicts_with = "end")]
    pub reason: Option<String>,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}
