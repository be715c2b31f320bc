//! The commands: those that look read a database file, beside or without a running
//! server; those that change something ask the running server to.

pub mod alarm;
pub mod backup;
pub mod check;
pub mod check_config;
pub mod completions;
mod elsewhere;
pub mod events;
pub mod import;
pub mod oncall;
mod order;
pub mod page;
pub mod station;
pub mod status;
pub mod token;

use std::io::{self, ErrorKind};

use anyhow::Context;

use crate::failure::Failure;
use crate::shown::time::Clock;
use crate::shown::{left_out, notice_of};
use crate::store::reader::Picture;

/// How a command ends after printing. Whoever closed the pipe (`| head`) has
/// seen enough.
fn printed(done: io::Result<()>) -> Result<(), Failure> {
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done.context("cannot write to standard output")?),
    }
}

/// What is said below a picture. For a program there is no such place: what it does not
/// get is said on standard error.
fn notice_if_read(picture: &Picture, clock: &Clock, as_json: bool) -> Option<String> {
    if !as_json {
        return notice_of(picture, clock);
    }
    if let Some(left_out) = left_out(picture) {
        eprintln!("waterwatch: {left_out}");
    }
    None
}
