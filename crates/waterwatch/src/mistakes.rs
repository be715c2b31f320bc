//! Mistakes of ours that tests have a server make, to see what becomes of it.
//!
//! `WATERWATCH_MISTAKES` names a folder. Whichever part comes by makes the mistake that a
//! file in it names, such as `feed-panics` or `follower-hangs`, and takes the file away:
//! each is made once. Only a build with debug assertions has that; of one that is released
//! nothing of it is a part.

#[cfg(debug_assertions)]
use std::{env, fs, path::PathBuf, sync::LazyLock, thread};

/// This part comes by, and makes the mistake that is wanted of it, if one is.
///
/// # Panics
/// If it is to.
#[cfg(debug_assertions)]
pub(crate) fn made_by(part: &str) {
    static FOLDER: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| env::var_os("WATERWATCH_MISTAKES").map(PathBuf::from));
    let Some(folder) = &*FOLDER else { return };
    let is_wanted = |what: &str| fs::remove_file(folder.join(format!("{part}-{what}"))).is_ok();
    assert!(!is_wanted("panics"), "the {part} makes a mistake that a test wants");
    if is_wanted("hangs") {
        loop {
            thread::park();
        }
    }
}

/// This part comes by.
#[cfg(not(debug_assertions))]
pub(crate) fn made_by(_part: &str) {}
