//! The backups that somebody makes: which is the newest.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use jiff::Timestamp;

use crate::store::lock::folder_of;

/// The newest of the files that these paths mean, and when it was written last, in
/// milliseconds UTC. In the last part of a path `*` stands for any letters.
///
/// # Errors
/// Which path could not be looked for, and why.
pub fn newest(paths: &[PathBuf]) -> Result<Option<(i64, PathBuf)>, (&Path, io::Error)> {
    let mut newest: Option<(i64, PathBuf)> = None;
    for path in paths {
        let found = files(path).map_err(|error| (path.as_path(), error))?;
        newest = newest.into_iter().chain(found).max();
    }
    Ok(newest)
}

/// The files that a path means, in whose last part `*` stands for any letters, and when
/// each was written last. An empty one is no backup.
fn files(pattern: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let name = pattern.file_name().unwrap_or_default();
    let paths: Vec<PathBuf> = match name.as_bytes().contains(&b'*') {
        false => vec![pattern.to_owned()],
        true => fs::read_dir(folder_of(pattern))?
            .map(|entry| entry.map(|entry| entry.path()))
            .filter(|path| path.as_ref().map_or(true, |path| is_meant(path.file_name(), name)))
            .collect::<Result<_, _>>()?,
    };
    let mut files = Vec::new();
    for path in paths {
        let file = match path.metadata() {
            Ok(file) => file,
            // Gone, or not there yet: old ones are removed while others are looked at.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if file.is_file() && file.len() > 0 {
            let at = Timestamp::try_from(file.modified()?).map_err(io::Error::other)?;
            files.push((at.as_millisecond(), path));
        }
    }
    Ok(files)
}

fn is_meant(name: Option<&OsStr>, pattern: &OsStr) -> bool {
    name.is_some_and(|name| matches(name.as_bytes(), pattern.as_bytes()))
}

/// Whether a name is one that the pattern means.
fn matches(name: &[u8], pattern: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    // There is one before the first `*`, if it is empty.
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&[u8]> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        if part.is_empty() {
            continue;
        }
        let Some(place) = rest.windows(part.len()).position(|window| window == part) else { return false };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (name, pattern, is_one) in [
            ("a.sqlite", "a.sqlite", true),
            ("a.sqlite", "a.sql", false),
            ("a-2026.sqlite", "a-*.sqlite", true),
            ("a-.sqlite", "a-*.sqlite", true),
            ("a-2026.sqlite.new", "a-*.sqlite", false),
            ("b-2026.sqlite", "a-*.sqlite", false),
            ("anything", "*", true),
            ("abcbc", "a*b*c", true),
            ("abcb", "a*b*c", false),
            // Nothing is counted twice.
            ("aba", "ab*ba", false),
            ("xabab", "**ab*ab", true),
        ] {
            assert_eq!(matches(name.as_bytes(), pattern.as_bytes()), is_one, "{name} {pattern}");
        }
    }
}
