//! The file with the secret of the first token, beside the database: whoever can read
//! it may do everything.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Secret;
use crate::small_file;

/// The mode bits that let others read it.
const OPEN_TO_OTHERS: u32 = 0o044;

/// Where the file of the database `data` is.
#[must_use]
pub fn path(data: &Path) -> PathBuf {
    small_file::of_database(data, ".token")
}

/// Writes it, in the place of one that was there. It is durable when this returns,
/// and at no moment others' to read.
///
/// # Errors
/// If it cannot be written.
pub fn write(data: &Path, secret: &Secret) -> anyhow::Result<()> {
    let path = path(data);
    small_file::replace(&path, secret.reveal(), small_file::PRIVATE)
        .with_context(|| format!("cannot write the file {}", path.display()))
}

/// The secret in it; `None` if there is no file.
///
/// # Errors
/// If it cannot be read, or has no secret.
pub fn read(data: &Path) -> anyhow::Result<Option<Secret>> {
    let path = path(data);
    let line = small_file::read(&path).with_context(|| format!("cannot read the file {}", path.display()))?;
    let secret = |line: String| {
        Secret::parse(&line).with_context(|| format!("the file {} has no token", path.display()))
    };
    line.map(secret).transpose()
}

/// Whether there is one that others than its owner can read.
#[must_use]
pub fn is_open_to_others(data: &Path) -> bool {
    path(data).metadata().is_ok_and(|file| file.mode() & OPEN_TO_OTHERS != 0)
}
