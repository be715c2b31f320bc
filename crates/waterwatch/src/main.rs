//! `waterwatch`: parse, match, exit code.

use std::process::ExitCode;

use clap::Parser;
use waterwatch::cli::{Cli, Command};
use waterwatch::{client, commands, failure, fleet, server};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => server::serve(*options),
        Command::Client(options) => client::run(options),
        Command::Status(options) => commands::status::run(&options),
        Command::Alarm(command) => commands::alarm::run(&command),
        Command::Station(command) => commands::station::run(&command),
        Command::Token(command) => commands::token::run(&command),
        Command::Simulate(options) => fleet::run(options),
        Command::Backup(options) => commands::backup::run(&options),
        Command::Import(options) => commands::import::run(&options),
    };
    failure::exit_code(done)
}
