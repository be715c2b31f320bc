//! The options of `waterwatch station …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use waterwatch_core::StationId;
use waterwatch_core::alarm::State;

use super::alarm::{LookOptions, area, station};
use super::order::{
    OrderOptions, StationForgetOptions, StationPauseOptions, StationResumeOptions, StationRetireOptions,
    StationVisitOptions,
};
use super::{DataOption, words};
use crate::store::reader::communication::{Comms, Quality};

/// What `waterwatch station` does.
#[derive(Debug, Subcommand)]
pub enum StationCommand {
    /// The stations by their ids, the retired ones last, and whether they are heard
    #[command(after_help = "Example: waterwatch station list --comms silent")]
    List(StationListOptions),
    /// All that is known of one station
    #[command(after_help = "Example: waterwatch station show 123")]
    Show(StationShowOptions),
    /// Say what a station is called, where it is, and how it is judged
    ///
    /// What is not named stays as it is. What somebody else changes meanwhile is not written over. The
    /// settings are those of docs/alarms.md, those of a point behind its name: alarm1.label.
    #[command(
        override_usage = "waterwatch station set [OPTIONS] <ID> [SETTING=VALUE]... [--clear <SETTING>]...",
        after_help = "Example: waterwatch station set 123 name=\"North lift\" area=North alarm1.priority=critical --clear tags"
    )]
    Set(StationSetOptions),
    /// Write what is said of stations as CSV or JSON, to be changed and imported again
    #[command(after_help = "Example: waterwatch station export --area North > north.csv")]
    Export(StationExportOptions),
    /// Say what a file says of stations, as CSV or JSON; first all of it is judged
    ///
    /// A column that is not there leaves alone what is said, an empty cell clears it. If anything in the file
    /// cannot be meant, nothing is changed. Imported again, the same changes nothing.
    #[command(after_help = "Example: waterwatch station import north.csv --dry-run")]
    Import(StationImportOptions),
    /// Let a station be silent until a time: that is no alarm; its contacts go on
    ///
    /// For one that is paused already this says anew until when.
    #[command(
        after_help = "Example: waterwatch station pause 123 --until 2027-03-01 --reason \"off for the winter\""
    )]
    Pause(StationPauseOptions),
    /// End a pause, or a retirement: from now on its silence is an alarm again
    #[command(after_help = "Example: waterwatch station resume 123")]
    Resume(StationResumeOptions),
    /// Say that somebody is there, or that nobody is any more
    ///
    /// What is raised meanwhile is raised as ever, and says that somebody is there. Said again, it is
    /// anew until when.
    #[command(after_help = "Example: waterwatch station visit 123 --for 2h --reason \"yearly inspection\"")]
    Visit(StationVisitOptions),
    /// Say that a station is no more: nothing of it is an alarm. Its history stays
    ///
    /// Should it report again, it is back.
    #[command(after_help = "Example: waterwatch station retire 123 --reason \"the well is filled in\"")]
    Retire(StationRetireOptions),
    /// Forget a station that nobody has named: nothing of it is kept but the ledger
    ///
    /// For ids that somebody invented or mistyped. Should it report again, it is new.
    #[command(after_help = "Example: waterwatch station forget 999999")]
    Forget(StationForgetOptions),
}

/// Options of `waterwatch station list`.
#[derive(Debug, Args)]
pub struct StationListOptions {
    /// Only those that are silent, late, new, up, paused or retired; several with commas, or repeated
    #[arg(long, value_name = "COMMS", value_delimiter = ',', value_parser = words::comms(), hide_possible_values = true)]
    pub comms: Vec<Comms>,
    /// Only those whose contacts are of this quality: good, stale or never; several with commas, or repeated
    #[arg(long, value_name = "QUALITY", value_delimiter = ',', value_parser = words::quality(), hide_possible_values = true)]
    pub quality: Vec<Quality>,
    /// Only those whose worst alarm is in this state: unacknowledged or UNACK, and so on; several with commas, or repeated
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = words::state(), hide_possible_values = true)]
    pub state: Vec<State>,
    /// Only those in this area
    #[arg(long, value_name = "AREA", value_parser = area)]
    pub area: Option<String>,
    /// Only those that report without being configured
    #[arg(long)]
    pub unnamed: bool,
    /// Only those whose id or name begins so
    #[arg(long, value_name = "TEXT")]
    pub q: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Only those after this station
    #[arg(long, value_name = "ID", value_parser = station)]
    pub after: Option<StationId>,
    /// Which database, and in which form
    #[command(flatten)]
    pub look: LookOptions,
}

/// Options of `waterwatch station set`.
#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true, args = ["settings", "clear"])]
pub struct StationSetOptions {
    /// Which station, heard or not
    #[arg(value_parser = station)]
    pub id: StationId,
    /// What is to be said: name="North lift", area=North, alarm1.label="High level"
    #[arg(value_name = "SETTING=VALUE")]
    pub settings: Vec<String>,
    /// What is no longer to be said: its area or the fleet says it then; several with commas, or repeated
    #[arg(long, value_name = "SETTING", value_delimiter = ',')]
    pub clear: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// Options of `waterwatch station export`.
#[derive(Debug, Args)]
pub struct StationExportOptions {
    /// Only stations of this area
    #[arg(long, value_name = "AREA", value_parser = area)]
    pub area: Option<String>,
    /// Also those that report and of which nothing is said, to be filled in
    #[arg(long, conflicts_with = "area")]
    pub unnamed: bool,
    /// As what
    #[arg(long, value_enum, ignore_case = true, default_value_t = Format::Csv)]
    pub format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Only these settings, with commas between them [default: all]
    #[arg(long, value_name = "SETTINGS", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// Which database
    #[command(flatten)]
    pub data: DataOption,
}

/// Options of `waterwatch station import`.
#[derive(Debug, Args)]
pub struct StationImportOptions {
    /// The file, or - for standard input
    pub file: PathBuf,
    /// As what it is read [default: as it begins]
    #[arg(long, value_enum, ignore_case = true)]
    pub format: Option<Format>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Who, and of which server
    #[command(flatten)]
    pub order: OrderOptions,
}

/// As what stations are written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A row each, for spreadsheets.
    Csv,
    /// An object each, for programs.
    Json,
}

/// Options of `waterwatch station show`.
#[derive(Debug, Args)]
pub struct StationShowOptions {
    /// Which station
    #[arg(value_parser = station)]
    pub id: StationId,
    /// Which database, and in which form
    #[command(flatten)]
    pub look: LookOptions,
}
