//! Readers for many who ask at once: so many connections at most, each read with a
//! time by which it is over.
//!
//! A read is one closure on a thread that may wait. Its transactions end with it:
//! nobody holds one open, and with it the server's log, while somebody reads the
//! answer slowly.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use super::reader::{ReadError, Reader};
use super::schema::SchemaError;

/// Connections to one database that is only looked at.
#[derive(Clone, Debug)]
pub struct Readers {
    shared: Arc<Shared>,
}

/// Why nothing was read.
#[derive(Debug, Error)]
pub enum ReadersError {
    /// No connection was free in time, or reading took too long and was given up.
    #[error("it took too long to read the database")]
    TimedOut,
    /// It cannot be read.
    #[error(transparent)]
    Failed(#[from] ReadError),
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// Those that nobody uses, the one used last at the end.
    free: Mutex<Vec<Pooled>>,
    /// How many more may be used.
    places: Arc<Semaphore>,
}

/// A connection, and which file it was opened on.
#[derive(Debug)]
struct Pooled {
    reader: Reader,
    file: Identity,
}

/// Which file it is, whatever its name: device and inode.
type Identity = (u64, u64);

impl Readers {
    /// For the database at `path`, with so many connections at most, opened when
    /// they are needed: the first one now.
    ///
    /// # Errors
    /// If there is no database, if it is not for us, or if it may not be read.
    pub fn open(path: &Path, connections_max: usize) -> Result<Readers, SchemaError> {
        let shared = Shared {
            path: path.to_owned(),
            free: Mutex::default(),
            places: Arc::new(Semaphore::new(connections_max)),
        };
        let first = shared.open()?;
        shared.keep(first);
        Ok(Readers { shared: Arc::new(shared) })
    }

    /// Reads, and answers by the deadline: `read` is interrupted in SQLite then. Its
    /// connection is used by nobody else meanwhile, also if whoever asked has gone.
    /// To be called within a runtime of tokio.
    ///
    /// # Errors
    /// If no connection is free in time, if it takes too long, or if `read` fails.
    ///
    /// # Panics
    /// If `read` does.
    pub async fn read<T, F>(&self, deadline: Instant, read: F) -> Result<T, ReadersError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    {
        let places = Arc::clone(&self.shared.places);
        let Ok(place) = timeout_at(deadline.into(), places.acquire_owned()).await else {
            return Err(ReadersError::TimedOut);
        };
        let place = place.expect("the places are never closed");
        let shared = Arc::clone(&self.shared);
        let reading = spawn_blocking(move || {
            let read = shared.read(deadline, read);
            // Only now: the connection is among the free ones again.
            drop(place);
            read
        });
        match timeout_at(deadline.into(), reading).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            // What it does beside SQLite ends by itself.
            Err(_) => Err(ReadersError::TimedOut),
        }
    }
}

impl Shared {
    fn read<T>(
        &self,
        deadline: Instant,
        read: impl FnOnce(&Reader) -> Result<T, ReadError>,
    ) -> Result<T, ReadersError> {
        let mut pooled = self.take()?;
        pooled.reader.set_deadline(Some(deadline)).map_err(|error| pooled.reader.not_read(error))?;
        let read = read(&pooled.reader);
        let is_late = Instant::now() >= deadline;
        match read {
            Ok(read) => {
                self.keep(pooled);
                Ok(read)
            }
            // Being interrupted is an error like any other to those who read.
            Err(_) if is_late => {
                self.keep(pooled);
                Err(ReadersError::TimedOut)
            }
            // The next one opens it again, whatever is wrong.
            Err(error) => Err(error.into()),
        }
    }

    /// A free connection, or a new one: there is a place for it. Those to a file
    /// that was replaced since, as by a backup that is restored, are closed.
    fn take(&self) -> Result<Pooled, ReadError> {
        let there = identity(&self.path);
        loop {
            let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match free {
                Some(pooled) if Some(pooled.file) == there => return Ok(pooled),
                Some(_) => {}
                None => return Ok(self.open()?),
            }
        }
    }

    fn keep(&self, pooled: Pooled) {
        // What is not a server's yet may be so the next time.
        if pooled.reader.is_of_server() {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(pooled);
        }
    }

    fn open(&self) -> Result<Pooled, SchemaError> {
        // Before it is opened: a file that is replaced in between is opened again.
        let file = identity(&self.path).unwrap_or_default();
        Ok(Pooled { reader: Reader::open(&self.path)?, file })
    }
}

fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use jiff::tz::TimeZone;
    use rusqlite::Connection;

    use super::*;
    use crate::store::schema;

    fn database(path: &Path, stations: i64) {
        let mut connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        schema::create(&mut connection).unwrap();
        let query = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
            INSERT INTO station_status SELECT i, '2026-11-24 02:10', 0, 0 FROM n";
        connection.execute(query, [stations]).unwrap();
    }

    fn stations(reader: &Reader) -> Result<usize, ReadError> {
        Ok(reader.stations(&TimeZone::UTC)?.len())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_replaced_file_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.sqlite");
        database(&path, 3);
        let readers = Readers::open(&path, 2).unwrap();
        assert_eq!(readers.read(soon(), stations).await.unwrap(), 3);
        let other = folder.path().join("other.sqlite");
        database(&other, 5);
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("data.sqlite{end}")));
        }
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(readers.read(soon(), stations).await.unwrap(), 5);
        std::fs::remove_file(&path).unwrap();
        let gone = readers.read(soon(), stations).await.unwrap_err();
        assert!(
            matches!(gone, ReadersError::Failed(ReadError::Database(SchemaError::Missing { .. }))),
            "{gone:?}"
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_read_ends_at_its_deadline_and_frees_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.sqlite");
        database(&path, 20_000);
        let readers = Readers::open(&path, 1).unwrap();
        let (ended, end) = mpsc::channel();
        let begun = Instant::now();
        let for_ever = move |reader: &Reader| -> Result<(), ReadError> {
            let read = loop {
                if let Err(error) = stations(reader) {
                    break error;
                }
            };
            ended.send(read.to_string()).unwrap();
            Err(read)
        };
        let late = readers.read(begun + Duration::from_millis(200), for_ever).await;
        assert!(matches!(late, Err(ReadersError::TimedOut)), "{late:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(end.recv().unwrap().contains("interrupted"), "SQLite itself was");
        assert_eq!(readers.read(soon(), stations).await.unwrap(), 20_000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_waits_longer_for_a_place_than_they_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.sqlite");
        database(&path, 1);
        let readers = Readers::open(&path, 1).unwrap();
        let (free, wait) = mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let other = readers.clone();
        let busy = tokio::spawn(async move {
            let hold = move |_: &Reader| {
                begin.send(()).unwrap();
                wait.recv().unwrap();
                Ok(())
            };
            other.read(soon(), hold).await
        });
        begun.await.unwrap();
        let late = readers.read(Instant::now() + Duration::from_millis(50), stations).await;
        assert!(matches!(late, Err(ReadersError::TimedOut)), "{late:?}");
        free.send(()).unwrap();
        busy.await.unwrap().unwrap();
        assert_eq!(readers.read(soon(), stations).await.unwrap(), 1);
    }
}
