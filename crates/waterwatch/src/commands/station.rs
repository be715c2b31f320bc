//! `waterwatch station …`: the stations, and whether they are heard.

mod list;
pub(super) mod said;
mod show;

use crate::cli::StationCommand;
use crate::failure::Failure;

/// Prints what was asked of the stations.
///
/// # Errors
/// If there is no database of ours, it cannot be read, or the station is not
/// known.
pub fn run(command: &StationCommand) -> Result<(), Failure> {
    match command {
        StationCommand::List(options) => list::run(options),
        StationCommand::Show(options) => show::run(options),
    }
}

#[cfg(test)]
mod tests;
