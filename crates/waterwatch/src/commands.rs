//! The commands that work on a database file, beside or without a running
//! server.

pub mod alarm;
pub mod backup;
pub mod import;
pub mod page;
pub mod station;
pub mod status;

use std::io::{self, ErrorKind};

use anyhow::Context;

use self::page::time::Clock;
use crate::failure::Failure;
use crate::store::reader::ServerRows;

/// How a command ends after printing. Whoever closed the pipe (`| head`) has
/// seen enough.
fn printed(done: io::Result<()>) -> Result<(), Failure> {
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done.context("cannot write to standard output")?),
    }
}

/// `1 station`, `2 stations`.
fn count(number: impl Into<u64>, one: &str) -> String {
    match number.into() {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    }
}

/// What to say if the server that should keep all of this up to date seems to
/// be gone. `None` if it is there, or never said that it is.
fn notice(server: &ServerRows, clock: &Clock) -> Option<String> {
    let until_ms = server.alive_until_ms.filter(|_| !server.is_alive(clock.now_ms()))?;
    let until = clock.minute_and_age(until_ms);
    Some(format!("the server has recorded nothing since {until}: what is shown was known then"))
}
