//! A file of a few words beside the database, such as a secret: whole or not there,
//! at any moment, and never another's to read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::store::access::beside;
use crate::store::lock::folder_of;

/// Only its owner's, from its first byte on.
pub const PRIVATE: u32 = 0o600;

/// Everybody's to read, as far as the process's mask lets.
pub const PUBLIC: u32 = 0o644;

/// How much of one is read: what is longer is none of ours.
const BYTES_MAX: u64 = 256;

/// Where such a file of a database is: beside the file that `data` really is, so that
/// it is found by all of its names.
#[must_use]
pub fn of_database(data: &Path, end: &str) -> PathBuf {
    beside(&data.canonicalize().unwrap_or_else(|_| data.to_owned()), end)
}

/// Writes one, in the place of whatever was there. It is durable when this returns;
/// if the process dies before, the old one is there, or the new one.
///
/// One process at a time may do so: whoever has the database's lock.
///
/// # Errors
/// What the file system says; the old one is still there then.
pub fn replace(path: &Path, line: &str, mode: u32) -> io::Result<()> {
    let new = beside(path, ".new");
    let done = write(&new, line, mode).and_then(|()| fs::rename(&new, path));
    if done.is_err() {
        // Of no use to anybody, and perhaps a secret.
        let _ = fs::remove_file(&new);
    }
    done.and_then(|()| File::open(folder_of(path))?.sync_all())
}

fn write(new: &Path, line: &str, mode: u32) -> io::Result<()> {
    // Left by a process that was killed. Whatever it is, it is not written into: it
    // may be a link, or somebody may have it open.
    match fs::remove_file(new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(new)?;
    writeln!(file, "{line}")?;
    file.sync_all()
}

/// The line that is in one; `None` if there is no file. What is longer than any of
/// ours is cut.
///
/// # Errors
/// If it cannot be read, or is no text.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(Some(text.trim_end().to_owned()))
}

/// Removes one; that there is none is as good.
///
/// # Errors
/// What the file system says.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn it_is_there_whole_and_private_in_the_place_of_whatever_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(read(&path).unwrap(), None);
        fs::write(&path, "an older one that everybody can read").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        replace(&path, "words", PRIVATE).unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("words\n", 0o600));
        assert_eq!(read(&path).unwrap().as_deref(), Some("words"));
        replace(&path, "others", PRIVATE).unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("others"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        for _ in 0..2 {
            remove(&path).unwrap();
            assert!(!path.exists());
        }
    }

    /// A link would lead the secret elsewhere, and a file that is open already to
    /// whoever has it open.
    #[test]
    fn what_lies_in_the_way_is_not_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("secret"), folder.path().join("victim"));
        fs::write(&victim, "theirs").unwrap();
        symlink(&victim, folder.path().join("secret.new")).unwrap();
        symlink(&victim, &path).unwrap();
        replace(&path, "words", PRIVATE).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
        assert!(!path.is_symlink());
        fs::write(folder.path().join("secret.new"), "left by a killed process").unwrap();
        replace(&path, "others", PRIVATE).unwrap();
        assert_eq!((read(&path).unwrap().as_deref(), mode(&path)), (Some("others"), 0o600));
    }

    #[test]
    fn one_that_cannot_be_put_in_its_place_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::create_dir(&path).unwrap();
        replace(&path, "words", PRIVATE).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        read(&path).unwrap_err();
    }

    #[test]
    fn of_what_is_too_long_no_more_is_read_than_there_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "x".repeat(1_000)).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().len(), 256);
    }

    #[test]
    fn all_names_of_a_database_have_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let (data, link) = (folder.path().join("data.sqlite"), folder.path().join("link.sqlite"));
        symlink("data.sqlite", &link).unwrap();
        fs::write(&data, "").unwrap();
        let of_data = of_database(&data, ".token");
        assert!(of_data.ends_with("data.sqlite.token"));
        assert_eq!(of_database(&link, ".token"), of_data);
    }
}
