//! The options of `waterwatch alarm …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point, Priority, State};

use super::order::{AlarmAckOptions, AlarmAsideOptions, AlarmBackOptions, AlarmNoteOptions, ServerOptions};
use super::{DataOption, words};
use crate::http_client::ServerUrl;
use crate::shown::time;

/// What `waterwatch alarm` does.
#[derive(Debug, Subcommand)]
pub enum AlarmCommand {
    /// The alarms that are not normal, worst first
    ///
    /// Those that are shelved, suppressed or out of service are only counted, unless --all or --state
    /// asks for them.
    #[command(after_help = "Example: waterwatch alarm list --state UNACK")]
    List(AlarmListOptions),
    /// All facts of one alarm
    #[command(after_help = "Example: waterwatch alarm show 123 alarm1")]
    Show(AlarmShowOptions),
    /// What happened to alarms, the newest last
    ///
    /// Without --since and --after these are the newest entries; with one of them, the first from there
    /// on. To read on, give the last SEQUENCE shown to --after.
    #[command(after_help = "Example: waterwatch alarm history --source 123 --since 24h")]
    History(AlarmHistoryOptions),
    /// The whole story of one alarm, from the first sign to how it stands now
    #[command(after_help = "Example: waterwatch alarm explain 123 alarm1")]
    Explain(AlarmExplainOptions),
    /// Acknowledge the occurrence that is open
    ///
    /// Say by --occurrence which one was seen, where another may have been raised since: that one is
    /// acknowledged, or none.
    #[command(after_help = "Example: waterwatch alarm ack 123 alarm1 --occurrence 4711")]
    Ack(AlarmAckOptions),
    /// Hide an alarm until a time, since it is known and disturbs; it is recorded as ever
    ///
    /// For one that is shelved already this says anew until when.
    #[command(
        after_help = "Example: waterwatch alarm shelve 123 alarm2 --for 2h --reason \"pump is being replaced\""
    )]
    Shelve(AlarmAsideOptions),
    /// End shelving: if it is on, it is raised anew
    #[command(after_help = "Example: waterwatch alarm unshelve 123 alarm2")]
    Unshelve(AlarmBackOptions),
    /// Hide an alarm until a time, since somebody works on the station; it is recorded as ever
    ///
    /// For one that is out of service already this says anew until when.
    #[command(
        after_help = "Example: waterwatch alarm out-of-service 123 alarm2 --until \"2026-11-24 18:00\" --reason \"new float switch\""
    )]
    OutOfService(AlarmAsideOptions),
    /// Return an alarm to service: if it is on, it is raised anew
    #[command(after_help = "Example: waterwatch alarm return-to-service 123 alarm2")]
    ReturnToService(AlarmBackOptions),
    /// Write a note about an occurrence into its story; it changes nothing else
    #[command(
        after_help = "Example: waterwatch alarm note 123 alarm1 --text \"the float switch hangs; Ben is on his way\""
    )]
    Note(AlarmNoteOptions),
}

/// Options of `waterwatch alarm list`.
#[derive(Debug, Args)]
pub struct AlarmListOptions {
    /// Only in this state: unacknowledged or UNACK, and so on; several with commas, or repeated
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = words::state(), hide_possible_values = true)]
    pub state: Vec<State>,
    /// Only of this priority: critical, high, medium or low; several with commas, or repeated
    #[arg(long, value_name = "PRIORITY", value_delimiter = ',', value_parser = words::priority(), hide_possible_values = true)]
    pub priority: Vec<Priority>,
    /// Only of this station (or area/NAME, or server)
    #[arg(long, visible_alias = "station", value_name = "SOURCE", value_parser = source)]
    pub source: Option<AlarmSource>,
    /// Only of this area and its stations
    #[arg(long, value_name = "AREA", value_parser = area)]
    pub area: Option<String>,
    /// Only those whose contact is on
    #[arg(long)]
    pub active: bool,
    /// Also those that are hidden, whose on-delay runs, or that are disabled and on
    #[arg(long, conflicts_with = "state")]
    pub all: bool,
    /// Which database, and in which form
    #[command(flatten)]
    pub look: LookOptions,
}

/// Options of `waterwatch alarm show`.
#[derive(Debug, Args)]
pub struct AlarmShowOptions {
    /// Which alarm
    #[command(flatten)]
    pub alarm: WhichAlarm,
    /// Which database, and in which form
    #[command(flatten)]
    pub look: LookOptions,
}

/// Options of `waterwatch alarm history`.
#[derive(Debug, Args)]
pub struct AlarmHistoryOptions {
    /// Only of this station (or area/NAME, or server)
    #[arg(long, visible_alias = "station", value_name = "SOURCE", value_parser = source)]
    pub source: Option<AlarmSource>,
    /// Only of this point: alarm1, alarm2, comms or identity of stations, comms of areas, comms, new_stations or on_call of the server
    #[arg(long, value_name = "POINT", value_parser = words::point(), hide_possible_values = true)]
    pub point: Option<Point>,
    /// From then on: 2026-11-24, "2026-11-24 02:10", 2026-11-24T01:10:00Z, or how long ago: 2h, 3d
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub since: Option<Timestamp>,
    /// Up to then, written in the same ways
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub until: Option<Timestamp>,
    /// At most so many entries
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Only entries after this one; 0 begins with the first of all
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(i64).range(0..))]
    pub after: Option<i64>,
    /// Which database, and in which form
    #[command(flatten)]
    pub look: LookOptions,
}

/// Options of `waterwatch alarm explain`.
#[derive(Debug, Args)]
pub struct AlarmExplainOptions {
    /// Which alarm
    #[command(flatten)]
    pub alarm: WhichAlarm,
    /// Which occurrence of it, by its number [default: the current or last one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub occurrence: Option<i64>,
    /// Which database, and in which form
    #[command(flatten)]
    pub look: LookOptions,
}

/// Which alarm a command is about.
#[derive(Debug, Args)]
pub struct WhichAlarm {
    /// Whose: a station's id, area/NAME, or server
    #[arg(value_parser = source)]
    pub source: AlarmSource,
    /// Which of its alarms: alarm1, alarm2, comms or identity of a station, comms of an area, comms, new_stations or on_call of the server
    #[arg(value_parser = words::point(), hide_possible_values = true)]
    pub point: Point,
}

/// What all that only look have in common.
#[derive(Debug, Args)]
pub struct LookOptions {
    /// Which database
    #[command(flatten)]
    pub data: DataOption,
    /// A running server to ask instead of the database, which cannot be read from here
    #[arg(long, env = "WATERWATCH_SERVER_URL", value_name = "http://HOST:PORT")]
    pub server: Option<ServerUrl>,
    /// The file with the token that is shown to that server
    #[arg(long, env = "WATERWATCH_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

impl LookOptions {
    /// The server that is asked, if one was named.
    #[must_use]
    pub fn server(&self) -> Option<ServerOptions> {
        let server = self.server.clone()?;
        let data = DataOption { file: self.data.file.clone() };
        Some(ServerOptions { data, server: Some(server), token_file: self.token_file.clone() })
    }
}

/// Reads `123`, `area/North` (or `area:North`, as the API has it) or `server`.
///
/// # Errors
/// If it is none of these.
pub fn source(text: &str) -> Result<AlarmSource, String> {
    if text.eq_ignore_ascii_case("server") {
        return Ok(AlarmSource::Server);
    }
    match of_area(text) {
        Some(name) if !name.is_empty() => Ok(AlarmSource::Area(name.into())),
        _ => station(text).map(AlarmSource::Station).map_err(|_| {
            format!("\"{text}\" has no alarms; write a station's id such as 123, area/NAME, or server")
        }),
    }
}

/// Reads the name of an area, also as the source that it is: `North`, `area/North`.
pub(super) fn area(text: &str) -> Result<String, String> {
    match of_area(text).unwrap_or(text) {
        "" => Err("name an area, such as North".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// The name in `area/North` or `area:North`.
fn of_area(text: &str) -> Option<&str> {
    let (area, name) = text.split_once(['/', ':'])?;
    area.eq_ignore_ascii_case("area").then_some(name)
}

/// Reads `123`.
pub(super) fn station(text: &str) -> Result<StationId, String> {
    StationId::from_digits(text.as_bytes()).ok_or_else(|| {
        format!("\"{text}\" is no station's id, which is a number from 0 to {}", StationId::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_areas_are_understood_as_people_and_the_api_write_them() {
        let north = || Ok(AlarmSource::Area("North".into()));
        for text in ["area/North", "area:North", "AREA:North"] {
            assert_eq!(source(text), north(), "{text}");
            assert_eq!(area(text).as_deref(), Ok("North"), "{text}");
        }
        assert_eq!(source("Server"), Ok(AlarmSource::Server));
        assert_eq!(area("North: old part").as_deref(), Ok("North: old part"));
        assert_eq!(area("area/area/x").as_deref(), Ok("area/x"), "whatever it is called");
        for text in ["", "area/", "area:"] {
            assert!(area(text).unwrap_err().contains("such as North") && source(text).is_err(), "{text}");
        }
    }
}
