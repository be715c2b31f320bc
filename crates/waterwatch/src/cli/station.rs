//! The options of `waterwatch station …`.

use clap::{Args, Subcommand};
use waterwatch_core::StationId;
use waterwatch_core::alarm::State;

use super::alarm::{LookOptions, state, station};
use super::order::{
    StationForgetOptions, StationPauseOptions, StationResumeOptions, StationRetireOptions,
    StationVisitOptions,
};
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
    /// Until a time its silence is no alarm; its contacts go on
    ///
    /// For one that is paused already this says anew until when.
    #[command(
        after_help = "Example: waterwatch station pause 123 --until 2027-03-01 --reason \"off for the winter\""
    )]
    Pause(StationPauseOptions),
    /// End a pause: from now on its silence is an alarm again
    #[command(after_help = "Example: waterwatch station resume 123")]
    Resume(StationResumeOptions),
    /// Say that somebody is there, or that nobody is any more
    ///
    /// What is raised meanwhile is raised as ever, and says that somebody is there. Said again, it is
    /// anew until when.
    #[command(after_help = "Example: waterwatch station visit 123 --for 2h --reason \"yearly inspection\"")]
    Visit(StationVisitOptions),
    /// It is no more: nothing of it is an alarm. Its history stays
    ///
    /// Should it report again, it is back.
    #[command(after_help = "Example: waterwatch station retire 123 --reason \"the well is filled in\"")]
    Retire(StationRetireOptions),
    /// Nobody has named it, and nobody misses it: nothing of it is kept but the ledger
    ///
    /// For ids that somebody invented or mistyped. Should it report again, it is new.
    #[command(after_help = "Example: waterwatch station forget 999999")]
    Forget(StationForgetOptions),
}

/// Options of `waterwatch station list`.
#[derive(Debug, Args)]
pub struct StationListOptions {
    /// Only those that are silent, late, new, up, paused or retired; may be repeated
    #[arg(long, value_name = "COMMS", value_parser = comms)]
    pub comms: Vec<Comms>,
    /// Only those whose contacts are of this quality: good, stale or never; may be repeated
    #[arg(long, value_name = "QUALITY", value_parser = quality)]
    pub quality: Vec<Quality>,
    /// Only those whose worst alarm is in this state: unacknowledged or UNACK, and so on; may be repeated
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub state: Vec<State>,
    /// Only those in this area
    #[arg(long, value_name = "AREA")]
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

fn comms(text: &str) -> Result<Comms, String> {
    let known = Comms::ALL.into_iter().find(|comms| comms.name() == text);
    known.ok_or_else(|| format!("\"{text}\" is none of silent, late, new, up, paused and retired"))
}

fn quality(text: &str) -> Result<Quality, String> {
    let known = Quality::ALL.into_iter().find(|quality| quality.name() == text);
    known.ok_or_else(|| format!("\"{text}\" is none of good, stale and never"))
}
