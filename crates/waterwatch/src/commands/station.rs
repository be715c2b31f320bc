//! `waterwatch station …`: the stations, and whether they are heard; what is done to
//! them.

mod change;
mod export;
mod fields;
mod import;
mod list;
mod order;
mod remote;
pub(super) mod said;
mod set;
mod show;
mod spoilt;
mod tries;

use crate::cli::StationCommand;
use crate::failure::Failure;

/// Prints what was asked of the stations, or has it done and says what came of it.
///
/// # Errors
/// If there is no database of ours, it cannot be read, or the station is not
/// known; if no server is there to do it, or refuses to.
pub fn run(command: &StationCommand) -> Result<(), Failure> {
    match command {
        StationCommand::List(options) => list::run(options),
        StationCommand::Show(options) => show::run(options),
        StationCommand::Set(options) => set::run(options),
        StationCommand::Export(options) => export::run(options),
        StationCommand::Import(options) => import::run(options),
        StationCommand::Pause(options) => order::pause(options),
        StationCommand::Resume(options) => order::resume(options),
        StationCommand::Visit(options) => order::visit(options),
        StationCommand::Retire(options) => order::retire(options),
        StationCommand::Forget(options) => order::forget(options),
    }
}

#[cfg(test)]
mod tests;
