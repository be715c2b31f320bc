//! `waterwatch check-config`: whether a configuration file would be taken, and all that
//! is wrong with it, before anything is restarted.

use std::io::Write;

use anyhow::anyhow;
use jiff::Timestamp;
use serde::Serialize;

use super::alarm::output;
use super::page::json;
use super::printed;
use crate::cli::CheckConfigOptions;
use crate::config::check;
use crate::config::problem::{Severity, Told, ToldProblem};
use crate::failure::Failure;

/// What is found, for programs.
#[derive(Serialize)]
struct Checked<'a> {
    file: String,
    is_taken: bool,
    problems: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    severity: String,
    line: Option<usize>,
    column: Option<usize>,
    says: &'a str,
}

/// Looks through a file, and says what is wrong with it.
///
/// # Errors
/// If the file cannot be read, or would not be taken.
pub fn run(options: &CheckConfigOptions) -> Result<(), Failure> {
    let told = check::check(&options.file, Timestamp::now()).map_err(Failure::WrongInput)?;
    let (mut out, _) = output();
    let done = if options.json {
        json::object(&mut out, &Checked::of(&told))
    } else if told.problems.is_empty() {
        writeln!(out, "{}: nothing is wrong with it", told.file.display())
    } else {
        writeln!(out, "{told}")
    };
    printed(done.and_then(|()| out.flush()))?;
    if check::is_taken(&told) {
        return Ok(());
    }
    let found = match told.count(Severity::Error) {
        1 => "1 error".to_owned(),
        errors => format!("{errors} errors"),
    };
    Err(Failure::wrong_input(anyhow!("{found}: {} would not be taken", told.file.display())))
}

impl<'a> Checked<'a> {
    fn of(told: &'a Told) -> Checked<'a> {
        let found = |problem: &'a ToldProblem| Found {
            severity: problem.severity.to_string(),
            line: problem.place.map(|(line, _)| line),
            column: problem.place.map(|(_, column)| column),
            says: &problem.says,
        };
        Checked {
            file: told.file.display().to_string(),
            is_taken: check::is_taken(told),
            problems: told.problems.iter().map(found).collect(),
        }
    }
}
