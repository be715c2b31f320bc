//! Until when a server with this database was alive, as the database tells.

use anyhow::{Context, ensure};
use rusqlite::{Connection, OptionalExtension, Transaction};
use waterwatch_core::alarm::Event;

use super::super::Batch;
use super::super::schema::COUNT_MAX;

/// Until when a server with this database was alive. It says so now and then,
/// and whatever it records says so by the way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alive {
    /// When it said so last, in milliseconds UTC.
    said_ms: Option<i64>,
    /// When the newest report or event was received.
    newest_ms: Option<i64>,
}

impl Alive {
    /// As it is recorded; `newest_ms` is when the newest report or event was
    /// received.
    pub(super) fn read(connection: &Connection, newest_ms: Option<i64>) -> anyhow::Result<Alive> {
        let said: Option<String> = connection
            .query_row("SELECT value FROM server WHERE name = 'alive_at'", [], |row| row.get(0))
            .optional()?;
        let said_ms = said
            .map(|said| {
                let at_ms: i64 = said.parse().with_context(|| format!("alive_at of server is {said:?}"))?;
                ensure!(at_ms.abs() <= COUNT_MAX, "alive_at of server is {at_ms}, which no server wrote");
                Ok(at_ms)
            })
            .transpose()?;
        Ok(Alive { said_ms, newest_ms })
    }

    /// The later of both, in milliseconds UTC.
    pub(super) fn until_ms(&self) -> Option<i64> {
        self.said_ms.max(self.newest_ms)
    }

    /// Says it with a batch that is to say it. So does one after which less
    /// would be known than before: the clock was set back, or the newest event
    /// tells of an earlier time.
    pub(super) fn write(&self, transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
        if self.is_said_by(batch) {
            transaction
                .prepare_cached(
                    "INSERT INTO server (name, value) VALUES ('alive_at', ?1)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute([batch.received_at_ms.to_string()])?;
        }
        Ok(())
    }

    /// The batch is recorded.
    pub(super) fn recorded(&mut self, batch: &Batch) {
        if self.is_said_by(batch) {
            self.said_ms = Some(batch.received_at_ms);
        }
        self.newest_ms = newest_ms(batch).or(self.newest_ms);
    }

    fn is_said_by(&self, batch: &Batch) -> bool {
        let now_ms = newest_ms(batch).map_or(batch.received_at_ms, |at_ms| at_ms.min(batch.received_at_ms));
        batch.is_alive || self.until_ms().is_some_and(|until_ms| now_ms < until_ms)
    }
}

/// When the newest report or event of a batch was received. What is told of tokens
/// does not count: it may be recorded while no server runs.
fn newest_ms(batch: &Batch) -> Option<i64> {
    let counts = |event: &&Event| !event.kind.is_about_a_token();
    let newest = batch.events.iter().rev().find(counts);
    match newest {
        Some(event) if batch.changes.is_empty() || event.sequence == batch.sequence => {
            Some(event.received_at_ms)
        }
        _ => (!batch.changes.is_empty()).then_some(batch.received_at_ms),
    }
}
