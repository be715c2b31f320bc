//! How a command ends: 0 done, 1 failed, 2 wrong usage or wrong input file.

use std::io::Write;
use std::process::ExitCode;

use crate::log;
use crate::store::schema::SchemaError;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// It was asked rightly and could not be done: exit code 1.
    Failed(anyhow::Error),
    /// The usage or an input file is wrong, so trying again changes nothing:
    /// exit code 2.
    WrongInput(anyhow::Error),
}

impl Failure {
    /// A [`Failure::WrongInput`], for `map_err`.
    pub fn wrong_input(error: impl Into<anyhow::Error>) -> Failure {
        Failure::WrongInput(error.into())
    }

    /// How a command ends that could not work on its database.
    #[must_use]
    pub fn of_database(error: anyhow::Error) -> Failure {
        match error.downcast_ref::<SchemaError>() {
            Some(schema) if schema.is_wrong_file() => Failure::WrongInput(error),
            _ => Failure::Failed(error),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Failed(error.into())
    }
}

/// Tells the person at the terminal, or the log once there is one, what went
/// wrong, and the caller by the exit code.
#[must_use]
pub fn exit_code(done: Result<(), Failure>) -> ExitCode {
    let (error, code) = match done {
        Ok(()) => {
            log::finish();
            return ExitCode::SUCCESS;
        }
        Err(Failure::Failed(error)) => (error, 1),
        Err(Failure::WrongInput(error)) => (error, 2),
    };
    if tracing::dispatcher::has_been_set() {
        tracing::error!("{error:#}");
        log::finish();
    } else {
        // Nobody may be there to read it; the exit code is.
        let _ = writeln!(std::io::stderr(), "waterwatch: {error:#}");
    }
    ExitCode::from(code)
}
