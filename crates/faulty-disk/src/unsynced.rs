//! What a power cut would take: the writes since the last sync of each file.
//!
//! Before a sector is written, what is durable of it is kept. A sync that
//! succeeds makes all of that obsolete. One that fails does not, and more: as
//! Linux does, the sectors count as written from then on, so that no later
//! sync writes them, until they are written anew.
//!
//! Names are simpler than on a real disk: making and deleting a file is
//! durable at once.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a disk writes at once.
const SECTOR_BYTES: usize = 512;

type Sector = [u8; SECTOR_BYTES];

/// Which of the sectors that were not synced a power cut takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// All of them.
    All,
    /// Every other one: a disk writes in the order that it likes.
    EveryOther,
}

/// The files that are written, by their names.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    files: HashMap<PathBuf, Shadow>,
}

#[derive(Debug)]
struct Shadow {
    /// One of our own, and never closed: that would drop the locks that SQLite
    /// has on the file.
    file: File,
    /// How long it is after a power cut.
    durable_bytes: u64,
    /// What is durable of the sectors that were written since the last sync.
    written: HashMap<u64, Sector>,
    /// The same of those whose sync failed.
    believed_written: HashMap<u64, Sector>,
}

impl Unsynced {
    /// A file was opened.
    pub(crate) fn opened(&mut self, path: &Path) {
        if self.files.contains_key(path) {
            return;
        }
        // One that may not be written needs no memory.
        let Ok(file) = File::options().read(true).write(true).open(path) else { return };
        let Ok(metadata) = file.metadata() else { return };
        let shadow = Shadow {
            file,
            durable_bytes: metadata.len(),
            written: HashMap::new(),
            believed_written: HashMap::new(),
        };
        self.files.insert(path.to_owned(), shadow);
    }

    /// A file was deleted: another one may get its name.
    pub(crate) fn deleted(&mut self, path: &Path) {
        if let Some(shadow) = self.files.remove(path) {
            std::mem::forget(shadow.file);
        }
    }

    /// These bytes of a file are about to be written, or cut off.
    pub(crate) fn before_change(&mut self, path: &Path, offset: u64, bytes: u64) {
        let Some(shadow) = self.files.get_mut(path) else { return };
        let sector_bytes = SECTOR_BYTES as u64;
        for number in offset / sector_bytes..(offset + bytes).div_ceil(sector_bytes) {
            if shadow.written.contains_key(&number) {
                continue;
            }
            let durable = match shadow.believed_written.remove(&number) {
                Some(durable) => durable,
                None => read_sector(&shadow.file, number).expect("a file that SQLite writes"),
            };
            shadow.written.insert(number, durable);
        }
    }

    /// A file is about to be cut off.
    pub(crate) fn before_truncation(&mut self, path: &Path, bytes: u64) {
        let length = self.files.get(path).and_then(|shadow| shadow.file.metadata().ok());
        if let Some(length) = length.map(|metadata| metadata.len()).filter(|length| *length > bytes) {
            self.before_change(path, bytes, length - bytes);
        }
    }

    /// A file was synced, or that failed.
    pub(crate) fn synced(&mut self, path: &Path, done: bool) {
        let Some(shadow) = self.files.get_mut(path) else { return };
        if done {
            shadow.written.clear();
            shadow.durable_bytes = shadow.file.metadata().expect("an open file").len();
        } else {
            shadow.believed_written.extend(shadow.written.drain());
        }
    }

    /// What failed syncs left, as lines: the system remembers it longer than
    /// the process lives.
    pub(crate) fn to_lines(&self) -> String {
        let mut lines = String::new();
        for (path, shadow) in &self.files {
            for (number, durable) in &shadow.believed_written {
                let bytes: String = durable.iter().map(|byte| format!("{byte:02x}")).collect();
                lines.push_str(&format!("{number} {bytes} {}\n", path.display()));
            }
        }
        lines
    }

    /// Remembers what failed syncs of an earlier process left.
    pub(crate) fn remember(&mut self, lines: &str) {
        for line in lines.lines() {
            let (number, rest) = line.split_once(' ').expect("a line of ours");
            let (bytes, path) = rest.split_once(' ').expect("a line of ours");
            let mut durable = [0; SECTOR_BYTES];
            for (place, byte) in durable.iter_mut().enumerate() {
                *byte = u8::from_str_radix(&bytes[2 * place..][..2], 16).expect("a line of ours");
            }
            self.opened(Path::new(path));
            if let Some(shadow) = self.files.get_mut(Path::new(path)) {
                shadow.believed_written.insert(number.parse().expect("a line of ours"), durable);
            }
        }
    }

    /// Makes the files what a power cut at this moment leaves of them.
    pub(crate) fn cut_power(&mut self, takes: Takes) {
        for shadow in self.files.values() {
            for (number, durable) in shadow.written.iter().chain(&shadow.believed_written) {
                if takes == Takes::All || number % 2 == 0 {
                    shadow.file.write_all_at(durable, number * SECTOR_BYTES as u64).expect("an open file");
                }
            }
            if takes == Takes::All {
                shadow.file.set_len(shadow.durable_bytes).expect("an open file");
            }
        }
    }
}

/// A sector as it is, with nulls for what is beyond the end.
fn read_sector(file: &File, number: u64) -> io::Result<Sector> {
    let mut sector = [0; SECTOR_BYTES];
    let mut read = 0;
    while read < SECTOR_BYTES {
        match file.read_at(&mut sector[read..], number * SECTOR_BYTES as u64 + read as u64)? {
            0 => break,
            bytes => read += bytes,
        }
    }
    Ok(sector)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of three sectors of `a`, and what is known of it.
    fn file() -> (tempfile::TempDir, PathBuf, Unsynced) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [b'a'; 3 * SECTOR_BYTES]).unwrap();
        let mut unsynced = Unsynced::default();
        unsynced.opened(&path);
        (folder, path, unsynced)
    }

    fn write(unsynced: &mut Unsynced, path: &Path, sector: u64, byte: u8) {
        let offset = sector * SECTOR_BYTES as u64;
        unsynced.before_change(path, offset, SECTOR_BYTES as u64);
        File::options().write(true).open(path).unwrap().write_all_at(&[byte; SECTOR_BYTES], offset).unwrap();
    }

    /// The first byte of each sector.
    fn sectors(path: &Path) -> String {
        let bytes = std::fs::read(path).unwrap();
        bytes.iter().step_by(SECTOR_BYTES).map(|byte| char::from(*byte)).collect()
    }

    #[test]
    fn a_power_cut_takes_what_was_not_synced() {
        let (_folder, path, mut unsynced) = file();
        write(&mut unsynced, &path, 0, b'b');
        unsynced.synced(&path, true);
        for sector in [0, 1, 3, 4] {
            write(&mut unsynced, &path, sector, b'c');
        }
        assert_eq!(sectors(&path), "ccacc");
        unsynced.cut_power(Takes::EveryOther);
        assert_eq!(sectors(&path), "bcac\0");
        unsynced.cut_power(Takes::All);
        assert_eq!(sectors(&path), "baa");
    }

    #[test]
    fn what_was_cut_off_comes_back() {
        let (_folder, path, mut unsynced) = file();
        unsynced.before_truncation(&path, SECTOR_BYTES as u64);
        File::options().write(true).open(&path).unwrap().set_len(SECTOR_BYTES as u64).unwrap();
        assert_eq!(sectors(&path), "a");
        unsynced.cut_power(Takes::All);
        assert_eq!(sectors(&path), "aaa");
    }

    #[test]
    fn what_a_failed_sync_did_not_write_no_later_one_writes() {
        let (_folder, path, mut unsynced) = file();
        write(&mut unsynced, &path, 0, b'b');
        write(&mut unsynced, &path, 1, b'b');
        unsynced.synced(&path, false);
        write(&mut unsynced, &path, 1, b'c');
        unsynced.synced(&path, true);
        // The next process may be another one.
        let mut next = Unsynced::default();
        next.remember(&unsynced.to_lines());
        next.cut_power(Takes::All);
        assert_eq!(sectors(&path), "aca");
    }
}
