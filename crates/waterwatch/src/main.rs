//! `waterwatch`: parse, match, exit code.

use std::process::ExitCode;

use clap::Parser;
use waterwatch::cli::{Cli, Command};
use waterwatch::{failure, server};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => server::serve(*options),
    };
    failure::exit_code(done)
}
