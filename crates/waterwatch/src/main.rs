//! `waterwatch`: parse, match, exit code.

use std::process::ExitCode;

use waterwatch::cli::{Cli, Command};
use waterwatch::{client, commands, failure, fleet, server};

fn main() -> ExitCode {
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| wrong_usage(&error));
    let done = match cli.command {
        Command::Serve(options) => server::serve(*options),
        Command::Client(options) => client::run(options),
        Command::Status(options) => commands::status::run(&options),
        Command::Alarm(command) => commands::alarm::run(&command),
        Command::Station(command) => commands::station::run(&command),
        Command::Events(options) => commands::events::run(&options),
        Command::Oncall(command) => commands::oncall::run(&command),
        Command::Token(command) => commands::token::run(&command),
        Command::Simulate(options) => fleet::run(options),
        Command::Backup(options) => commands::backup::run(&options),
        Command::Import(options) => commands::import::run(&options),
        Command::Check(options) => return commands::check::run(&options),
        Command::CheckConfig(options) => commands::check_config::run(&options),
        Command::Completions(options) => commands::completions::run(&options),
    };
    failure::exit_code(done)
}

/// Says what is wrong with the command line and ends: with 2, and for `check` with what
/// that calls unknown.
fn wrong_usage(error: &clap::Error) -> ! {
    let is_check = std::env::args_os().nth(1).is_some_and(|command| command == "check");
    if is_check && error.use_stderr() {
        // Nobody may be there to read it; the exit code is.
        let _ = error.print();
        std::process::exit(commands::check::UNKNOWN);
    }
    error.exit()
}
