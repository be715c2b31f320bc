//! `waterwatch` over a disk that fails when it is told to; see the library.

use std::process::ExitCode;

use clap::Parser;
use waterwatch::cli::{Cli, Command};
use waterwatch::config::ServeOptions;
use waterwatch::failure::{self, Failure};
use waterwatch::store::sqlite::SqliteStore;
use waterwatch::{commands, server};
use waterwatch_faulty_disk::fault::Plan;
use waterwatch_faulty_disk::hasty::HastyStore;
use waterwatch_faulty_disk::vfs;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => serve(*options),
        Command::Status(options) => commands::status::run(&options),
        _ => Err(Failure::wrong_input(anyhow::anyhow!("only serve and status run on a faulty disk"))),
    };
    failure::exit_code(done)
}

fn serve(options: ServeOptions) -> Result<(), Failure> {
    let plan = vfs::install(Plan::from_environment().map_err(Failure::WrongInput)?);
    let hasty = std::env::var_os("FAULTY_DISK_STORE").is_some_and(|store| store == "hasty");
    let done = if hasty {
        server::serve_from(options, |config, lock| {
            SqliteStore::open(&config.data, lock, config.time_zone.clone(), config.limits.clone())
                .map(HastyStore::over)
        })
    } else {
        server::serve(options)
    };
    plan.write_counts()?;
    vfs::keep_memory()?;
    done
}
