//! Databases in which every station is known already, made once through the
//! line protocol and copied for each run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tempfile::TempDir;
use waterwatch::store::last_date::LastDate;

use crate::load::{Pace, Shape, Steady, Work};
use crate::peers::Peer;
use crate::protocol::Protocol;

/// How long it may take until every station is known.
const PREPARE_WAIT: Duration = Duration::from_secs(600);

/// The gateways that make them known.
const GATEWAYS: u32 = 64;
const IN_FLIGHT: u32 = 1_024;

/// How long ago the last contact of a fleet was that goes on reporting: an
/// earlier minute, so that the next report changes `last_date`; and not so long
/// that a report within the longest run ends a span, as after a silence.
const LAST_CONTACT_AGO: SignedDuration = SignedDuration::from_secs(70);

/// The databases, by how many stations they know.
pub(super) struct Fleets {
    waterwatch: PathBuf,
    /// Gone with us.
    folder: TempDir,
    prepared: BTreeMap<u32, PathBuf>,
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
        self.prepared.insert(stations, folder);
        Ok(())
    }

    /// Copies the database with so many stations into `folder`, as of a fleet
    /// that goes on reporting.
    ///
    /// # Errors
    /// The disk has no room.
    pub(super) fn copy(&mut self, stations: u32, folder: &Path) -> anyhow::Result<()> {
        self.prepare(stations)?;
        for entry in fs::read_dir(&self.prepared[&stations])? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("data.sqlite") {
                // Shares the blocks where the file system can.
                fs::copy(entry.path(), folder.join(entry.file_name())).context("copying a database")?;
            }
        }
        let database = folder.join("data.sqlite");
        goes_on(&database).context("moving a fleet's last contacts")?;
        // What is still to be written would be written while we measure.
        File::open(&database)?.sync_all()?;
        Ok(())
    }
}

/// Moves the last contact of every station to [`LAST_CONTACT_AGO`].
fn goes_on(database: &Path) -> anyhow::Result<()> {
    let connection = Connection::open(database)?;
    let journaled: i64 = connection.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))?;
    ensure!(journaled == 0, "{journaled} commits in its journal would undo it");
    let last_contact_ms = (Timestamp::now() - LAST_CONTACT_AGO).as_millisecond();
    let last_date = LastDate::new(TimeZone::system()).of(last_contact_ms).to_owned();
    let moved = connection.execute("UPDATE station_status SET last_date = ?1", [last_date])?;
    let times = "UPDATE station_state SET received_at = ?1, span_since = ?1";
    ensure!(connection.execute(times, [last_contact_ms])? == moved, "stations without a state");
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}
