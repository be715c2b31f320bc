//! The commands: those that look read a database file, beside or without a running
//! server; those that change something ask the running server to.

pub mod alarm;
pub mod backup;
pub mod check;
pub mod completions;
pub mod events;
pub mod import;
mod order;
pub mod page;
pub mod station;
pub mod status;
pub mod token;

use std::io::{self, ErrorKind};

use anyhow::Context;

use crate::failure::Failure;

/// How a command ends after printing. Whoever closed the pipe (`| head`) has
/// seen enough.
fn printed(done: io::Result<()>) -> Result<(), Failure> {
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done.context("cannot write to standard output")?),
    }
}
