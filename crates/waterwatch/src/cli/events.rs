//! The options of `waterwatch events`.

use clap::Args;
use jiff::Timestamp;
use waterwatch_core::alarm::{AlarmSource, Kind, Point};

use super::alarm::source;
use super::order::ServerOptions;
use super::words;
use crate::shown::time;

/// Options of `waterwatch events`.
#[derive(Debug, Args)]
pub struct EventsOptions {
    /// Go on with what happens from now on, until interrupted: the running server is asked
    #[arg(long)]
    pub follow: bool,
    /// Only of this station (or area/NAME, or server)
    #[arg(long, visible_alias = "station", value_name = "SOURCE", value_parser = source)]
    pub source: Option<AlarmSource>,
    /// Only of this point: alarm1, alarm2, comms or identity of stations, comms of areas, comms, new_stations or on_call of the server
    #[arg(long, value_name = "POINT", value_parser = words::point(), hide_possible_values = true)]
    pub point: Option<Point>,
    /// Only of this kind, such as raised or acknowledged; several with commas, or repeated
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = words::kind(), hide_possible_values = true)]
    pub kind: Vec<Kind>,
    /// From then on: 2026-11-24, "2026-11-24 02:10", 2026-11-24T01:10:00Z, or how long ago: 2h, 3d
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub since: Option<Timestamp>,
    /// Only entries after this one; 0 begins with the first of all
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(i64).range(0..))]
    pub after: Option<i64>,
    /// At most so many entries
    #[arg(
        long, default_value_t = 100, value_name = "N", conflicts_with = "follow",
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub limit: u32,
    /// Which database, or which server
    #[command(flatten)]
    pub server: ServerOptions,
    /// Print JSON: an array, or with --follow an object a line
    #[arg(long)]
    pub json: bool,
}
