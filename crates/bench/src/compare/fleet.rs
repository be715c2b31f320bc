//! Databases in which every station is known already, made once through the
//! line protocol and copied for each run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::load::{Pace, Shape, Steady, Work};
use crate::peers::Peer;
use crate::protocol::Protocol;

/// How long it may take until every station is known.
const PREPARE_WAIT: Duration = Duration::from_secs(600);

/// The gateways that make them known.
const GATEWAYS: u32 = 64;
const IN_FLIGHT: u32 = 1_024;

/// The databases, by how many stations they know.
pub(super) struct Fleets {
    waterwatch: PathBuf,
    /// Gone with us.
    folder: TempDir,
    prepared: BTreeMap<u32, Fleet>,
}

/// One of them.
struct Fleet {
    folder: PathBuf,
    /// The minute of the last report in it, counted from 1970.
    minute: i64,
}

impl Fleets {
    pub(super) fn new(waterwatch: PathBuf, beside: &Path) -> anyhow::Result<Fleets> {
        let folder = tempfile::tempdir_in(beside).context("no folder for the databases")?;
        Ok(Fleets { waterwatch, folder, prepared: BTreeMap::new() })
    }

    /// Makes `stations` known in a database, unless there is one.
    ///
    /// # Errors
    /// The server does not take them.
    pub(super) fn prepare(&mut self, stations: u32) -> anyhow::Result<()> {
        if self.prepared.contains_key(&stations) {
            return Ok(());
        }
        eprintln!("making {stations} stations known");
        let folder = self.folder.path().join(stations.to_string());
        fs::create_dir(&folder)?;
        let server = Peer::Waterwatch.start(&self.waterwatch, &folder)?;
        let shape = Shape {
            connections: GATEWAYS,
            in_flight: IN_FLIGHT,
            stations,
            warm_up_stations: 0,
            shuffled: false,
        };
        let work = Work { protocol: Protocol::Lines, shape, pace: Pace::Once };
        Steady::connect(server.address, work)
            .and_then(|mut load| load.report_once(PREPARE_WAIT))
            .with_context(|| format!("the server's log:\n{}", server.log()))?;
        server.stop()?;
        self.prepared.insert(stations, Fleet { folder, minute: minute_now() });
        Ok(())
    }

    /// Copies the database with so many stations into `folder`, once their
    /// last contact lies in an earlier minute, so that the next one changes
    /// `last_date`.
    ///
    /// # Errors
    /// The disk has no room.
    pub(super) fn copy(&mut self, stations: u32, folder: &Path) -> anyhow::Result<()> {
        self.prepare(stations)?;
        let fleet = &self.prepared[&stations];
        while minute_now() <= fleet.minute {
            thread::sleep(Duration::from_millis(200));
        }
        for entry in fs::read_dir(&fleet.folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with("data.sqlite") {
                continue;
            }
            let copy = folder.join(entry.file_name());
            // Shares the blocks where the file system can.
            fs::copy(entry.path(), &copy).context("copying a database")?;
            // What is still to be written would be written while we measure.
            File::open(&copy)?.sync_all()?;
        }
        Ok(())
    }
}

fn minute_now() -> i64 {
    Timestamp::now().as_second() / 60
}
