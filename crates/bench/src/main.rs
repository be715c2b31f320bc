//! `waterwatch-bench`: how much a server takes, what it costs it, and how
//! others compare.
//!
//! Outside everyday builds: `cargo run --release -p waterwatch-bench -- help`.

mod compare;
mod disk;
mod load;
mod machine;
mod peers;
mod process;
mod protocol;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures how many reports a waterwatch server takes, how fast it answers,
/// what that costs it, and how other servers compare.
#[derive(Debug, Parser)]
#[command(name = "waterwatch-bench", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load a running server and print what it did
    Load(load::Options),
    /// Start each peer in turn, do the same work with all, and write the tables
    Compare(compare::Options),
    /// Be one of the peers that a comparison starts
    #[command(subcommand)]
    Peer(peers::Own),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Load(options) => load::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Peer(peer) => peers::be(peer),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("waterwatch-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
