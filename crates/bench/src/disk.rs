//! What the disk itself takes for a small synced write, measured while a
//! server uses it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;

/// A page of a database or a log.
const WRITE_BYTES: usize = 4_096;

/// Between the beginnings of two samples: a few hundred a second tell a p99
/// after seconds and leave the disk to the server.
const SAMPLE_EVERY: Duration = Duration::from_micros(3_333);

/// Appends 4 KiB and waits for fdatasync, again and again.
pub(crate) struct DiskProbe {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Histogram<u64>>>,
}

impl DiskProbe {
    /// Begins in a file of its own in `folder`.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<DiskProbe> {
        let file = File::create(folder.join("probe")).context("the disk's probe")?;
        let stopping = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopping);
        let thread = thread::spawn(move || sample(file, &told));
        Ok(DiskProbe { stopping, thread })
    }

    /// Ends, and tells how long a write and its fdatasync took, in µs.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn stop(self) -> anyhow::Result<Histogram<u64>> {
        self.stopping.store(true, Ordering::Relaxed);
        self.thread.join().expect("the probe does not panic")
    }
}

fn sample(mut file: File, stopping: &AtomicBool) -> anyhow::Result<Histogram<u64>> {
    let mut took_us = Histogram::new(3)?;
    let page = [0x5a; WRITE_BYTES];
    while !stopping.load(Ordering::Relaxed) {
        let began = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        let took = began.elapsed();
        took_us.record(u64::try_from(took.as_micros())?)?;
        thread::sleep(SAMPLE_EVERY.saturating_sub(took));
    }
    Ok(took_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_is_one_synced_page() {
        let folder = tempfile::tempdir().unwrap();
        let probe = DiskProbe::start(folder.path()).unwrap();
        let file = folder.path().join("probe");
        while std::fs::metadata(&file).unwrap().len() < 5 * WRITE_BYTES as u64 {
            thread::sleep(Duration::from_millis(1));
        }
        let took_us = probe.stop().unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().len(), took_us.len() * WRITE_BYTES as u64);
    }
}
