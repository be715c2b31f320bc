//! The ledger and the alarms' facts, read as a stranger would: with SQL alone.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, Row};

use crate::harness::open;

/// One entry of the ledger: what the tests look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub sequence: i64,
    pub received_at: i64,
    /// Whose alarm and which, such as `7/comms`; `server` if it is about none.
    pub alarm: String,
    pub occurrence: Option<i64>,
    pub kind: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub reason: Option<String>,
    pub event_time: i64,
    pub until: Option<i64>,
    /// The stations that it is about, where it is about many.
    pub stations: Vec<i64>,
}

/// The whole ledger, the oldest first.
pub fn ledger(data: &Path) -> Vec<Entry> {
    read_ledger(&open(data))
}

/// The kinds of what happened to one alarm, or to the server, in order.
pub fn kinds(data: &Path, alarm: &str) -> Vec<String> {
    ledger(data).into_iter().filter(|entry| entry.alarm == alarm).map(|entry| entry.kind).collect()
}

/// Compares ledger, facts and contacts of one moment.
///
/// # Errors
/// The first thing that must not be.
pub fn check(data: &Path) -> Result<(), String> {
    let mut database = open(data);
    let moment = database.transaction().unwrap();
    let mut states: BTreeMap<String, String> = BTreeMap::new();
    let mut raised = Vec::new();
    let mut last = 0;
    for entry in read_ledger(&moment) {
        let Entry { sequence, alarm, kind, from, to, .. } = &entry;
        if *sequence <= last {
            return Err(format!("{sequence} comes after {last}"));
        }
        last = *sequence;
        for id in &entry.stations {
            let (from, to) = match kind.as_str() {
                "stands_for" => ("normal", "suppressed"),
                "heard_again" => ("suppressed", "normal"),
                kind => return Err(format!("{sequence} is about many: {kind}")),
            };
            let before = states.insert(format!("{id}/comms"), to.to_owned());
            if before.as_deref().unwrap_or("normal") != from {
                return Err(format!("{id} was {before:?}, and event {sequence} ({kind}) leads from {from}"));
            }
        }
        let (Some(from), Some(to)) = (from, to) else { continue };
        let before = states.insert(alarm.clone(), to.clone()).unwrap_or_else(|| "normal".to_owned());
        if before != *from {
            return Err(format!("{alarm} was {before}, and event {sequence} ({kind}) leads from {from}"));
        }
        if kind == "raised" {
            raised.push(*sequence);
        }
    }
    let facts = read_facts(&moment);
    for (alarm, facts) in &facts {
        let told = states.remove(alarm).unwrap_or_else(|| "normal".to_owned());
        if told != facts.state {
            return Err(format!("{alarm} is {}, and the ledger says {told}", facts.state));
        }
        if facts.occurrence.is_some_and(|occurrence| !raised.contains(&occurrence)) {
            return Err(format!("nothing raised {:?} of {alarm}", facts.occurrence));
        }
    }
    if let Some((alarm, state)) = states.iter().find(|(_, state)| *state != "normal") {
        return Err(format!("{alarm} is at rest, and the ledger says {state}"));
    }
    for (alarm, on) in read_contacts(&moment) {
        let is_on = |alarm: &str| facts.get(alarm).is_some_and(|facts| facts.contact);
        let known = is_on(&alarm);
        // Where several devices report as a station, the last one to do so hides
        // nothing that another says.
        let station = alarm.split('/').next().unwrap_or_default();
        if on != known && (on || !is_on(&format!("{station}/identity"))) {
            return Err(format!("the contact of {alarm} is {on}, and its alarm knows {known}"));
        }
    }
    Ok(())
}

struct Facts {
    contact: bool,
    occurrence: Option<i64>,
    state: &'static str,
}

fn read_ledger(database: &Connection) -> Vec<Entry> {
    let entry = |row: &Row<'_>| {
        let point: Option<String> = row.get("point")?;
        let source: String = row.get("source")?;
        Ok(Entry {
            sequence: row.get("sequence")?,
            received_at: row.get("received_at")?,
            alarm: point.map_or(source.clone(), |point| format!("{source}/{point}")),
            occurrence: row.get("occurrence")?,
            kind: row.get("kind")?,
            from: row.get("from_state")?,
            to: row.get("to_state")?,
            reason: row.get("reason")?,
            event_time: row.get("event_time")?,
            until: row.get("until")?,
            stations: row
                .get::<_, Option<Vec<u8>>>("stations")?
                .map(|bytes| read_stations(&bytes))
                .unwrap_or_default(),
        })
    };
    let mut statement = database
        .prepare(
            "SELECT sequence, received_at, CAST(source AS TEXT) AS source, point, occurrence, kind, from_state,
             to_state, reason, event_time, until, stations FROM alarm_event ORDER BY sequence",
        )
        .unwrap();
    statement.query_map([], entry).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Steps from one id to the next, seven bits a byte.
fn read_stations(bytes: &[u8]) -> Vec<i64> {
    let (mut stations, mut id, mut step, mut shift) = (Vec::new(), 0, 0, 0);
    assert_eq!(bytes[0], 1, "the version");
    for byte in &bytes[1..] {
        step |= i64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            id += step;
            stations.push(id);
            (step, shift) = (0, 0);
        }
    }
    stations
}

/// The state as docs/alarms.md derives it.
fn read_facts(database: &Connection) -> BTreeMap<String, Facts> {
    let facts = |row: &Row<'_>| {
        let is = |column: &str| row.get::<_, Option<i64>>(column).map(|value| value.is_some());
        let contact: bool = row.get("contact")?;
        let on = contact != is("delay_due")? || is("chatter_due")?;
        let state = match (is("occurrence")?, is("acknowledged_at")?) {
            _ if is("service_until")? => "out_of_service",
            _ if is("shelf_until")? => "shelved",
            _ if is("suppressed_by")? => "suppressed",
            (false, _) => "normal",
            (true, true) => "acknowledged",
            (true, false) if on => "unacknowledged",
            (true, false) => "rtn_unacknowledged",
        };
        let alarm = format!("{}/{}", row.get::<_, String>("source")?, row.get::<_, String>("point")?);
        Ok((alarm, Facts { contact, occurrence: row.get("occurrence")?, state }))
    };
    let mut statement = database
        .prepare(
            "SELECT CAST(source AS TEXT) AS source, point, contact, delay_due, occurrence, acknowledged_at,
             service_until, shelf_until, suppressed_by, chatter_due FROM alarm",
        )
        .unwrap();
    let own: BTreeMap<String, Facts> =
        statement.query_map([], facts).unwrap().collect::<Result<_, _>>().unwrap();
    let mut all = BTreeMap::new();
    let mut together =
        database.prepare("SELECT silent_since, stations FROM silent_together ORDER BY entry").unwrap();
    let entries =
        together.query_map([], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    for entry in entries {
        let (since, stations) = entry.unwrap();
        for id in read_stations(&stations) {
            match since {
                Some(_) => all.insert(
                    format!("{id}/comms"),
                    Facts { contact: true, occurrence: None, state: "suppressed" },
                ),
                None => all.remove(&format!("{id}/comms")),
            };
        }
    }
    all.extend(own);
    all
}

fn read_contacts(database: &Connection) -> BTreeMap<String, bool> {
    let mut statement =
        database.prepare("SELECT CAST(station_id AS TEXT), alarm1, alarm2 FROM station_status").unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, bool>(2)?)))
        .unwrap();
    rows.map(Result::unwrap)
        .flat_map(|(id, alarm1, alarm2)| [(format!("{id}/alarm1"), alarm1), (format!("{id}/alarm2"), alarm2)])
        .collect()
}
