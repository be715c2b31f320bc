//! `waterwatch-bench`: how much a server takes, and what it costs it.
//!
//! Outside everyday builds: `cargo run --release -p waterwatch-bench -- help`.

mod figures;
mod load;
mod process;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures how many reports a waterwatch server takes, how fast it answers
/// and what that costs it.
#[derive(Debug, Parser)]
#[command(name = "waterwatch-bench", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load a running server, in a closed loop, and print what it did
    Load(load::Options),
    /// Start a server for each of the usual loads and print a table of medians
    Figures(figures::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Load(options) => load::run(&options),
        Command::Figures(options) => figures::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("waterwatch-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
