//! `waterwatch import`: the rows of an old server's database.

use std::io::{Write, stdout};

use anyhow::anyhow;

use crate::cli::ImportOptions;
use crate::config::time_zone;
use crate::failure::Failure;
use crate::store::import::{self, OldRows};
use crate::store::new_file::refuse_existing;

use super::printed;
use crate::shown::count;

/// Makes a new database of the old one's rows, and prints how many.
///
/// # Errors
/// If the old one cannot be read, in part or in whole, or the new one cannot
/// be made.
pub fn run(options: &ImportOptions) -> Result<(), Failure> {
    let zone = time_zone(options.time_zone.as_deref()).map_err(Failure::wrong_input)?;
    refuse_existing(&options.data)?;
    let old = import::read(&options.old, &zone).map_err(|error| {
        if error.is_wrong_file() { Failure::wrong_input(error) } else { Failure::from(error) }
    })?;
    name_bad_rows(&old);
    if old.bad_count() > 0 && !options.skip_bad {
        return Err(Failure::WrongInput(anyhow!(
            "nothing was imported, since {} of {} cannot be read; mend them there, \
             or leave them out with --skip-bad",
            count(old.bad_count() as u64, "row"),
            options.old.display()
        )));
    }
    import::write(&options.data, &old)?;
    printed(writeln!(
        stdout(),
        "{} imported, {} left out: {}",
        count(old.stations() as u64, "station"),
        count(old.bad_count() as u64, "row"),
        options.data.display()
    ))
}

fn name_bad_rows(old: &OldRows) {
    for row in old.bad() {
        eprintln!("{row}");
    }
    let unnamed = old.bad_count() - old.bad().len();
    if unnamed > 0 {
        eprintln!("and {unnamed} more");
    }
}
