//! `waterwatch backup`: the database, copied while the server runs.

use std::io::{Write, stdout};

use crate::cli::BackupOptions;
use crate::failure::Failure;
use crate::store::backup::{Copied, backup};

use super::printed;
use crate::shown::count;

/// Copies the database and prints what the copy holds.
///
/// # Errors
/// If there is no database of ours, or the copy cannot be made.
pub fn run(options: &BackupOptions) -> Result<(), Failure> {
    let Copied { stations, bytes } =
        backup(&options.data.file, &options.file).map_err(Failure::of_database)?;
    let stations = count(stations, "station");
    printed(writeln!(stdout(), "{stations}, {bytes} bytes: {}", options.file.display()))
}
