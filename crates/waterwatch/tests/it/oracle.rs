//! Who knows what may be lost and what may not, from outside.
//!
//! For each station: acknowledged ≤ counted ≤ sent, and the stored value is
//! one that was sent at or after the last acknowledged one.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::harness::{integrity, stored};

/// What was sent for one station: the values in order.
#[derive(Clone, Debug, Default)]
struct History {
    sent: Vec<(bool, bool)>,
    /// How many of them were acknowledged, and the place of the last one.
    acknowledged: usize,
    last_acknowledged: Option<usize>,
}

/// Keeps what was sent and what was acknowledged; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    histories: Arc<Mutex<BTreeMap<i64, History>>>,
    acknowledged: Arc<AtomicU64>,
}

/// What a load did in all.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Reports sent, answered or not.
    pub sent: usize,
    /// Reports that were answered with `OK`.
    pub acknowledged: usize,
}

impl Oracle {
    /// Another one that knows the same, and goes its own way from here.
    pub fn fork(&self) -> Oracle {
        Oracle {
            histories: Arc::new(Mutex::new(self.histories.lock().unwrap().clone())),
            acknowledged: Arc::new(AtomicU64::new(self.acknowledged())),
        }
    }

    /// Sends the next report of each of these stations in one go and reads
    /// the replies. Returns whether all of them came.
    pub fn report(&self, stream: &mut TcpStream, ids: impl IntoIterator<Item = i64>) -> bool {
        let (lines, places) = self.send(ids);
        // Sent counts from before the write: the server may have got it
        // whatever the write says.
        if stream.write_all(lines.as_bytes()).is_err() {
            return false;
        }
        let mut replies = vec![0; 3 * places.len()];
        let mut read = 0;
        while read < replies.len() {
            match stream.read(&mut replies[read..]) {
                Ok(0) | Err(_) => break,
                Ok(bytes) => read += bytes,
            }
        }
        let said = String::from_utf8_lossy(&replies[..read]);
        assert!(replies[..read].chunks(3).all(|reply| b"OK\n".starts_with(reply)), "not a reply: {said}");
        self.acknowledge(&places[..read / 3]);
        read == replies.len()
    }

    /// Writes down that the next report of each of these stations is sent:
    /// the lines, and the place of each in its station's history.
    pub fn send(&self, ids: impl IntoIterator<Item = i64>) -> (String, Vec<(i64, usize)>) {
        let (mut lines, mut places) = (String::new(), Vec::new());
        let mut histories = self.histories.lock().unwrap();
        for id in ids {
            let history = histories.entry(id).or_default();
            let place = history.sent.len();
            // Each value twice, so that there are changes and repeats.
            let (alarm1, alarm2) = (place & 2 != 0, place & 4 != 0);
            history.sent.push((alarm1, alarm2));
            places.push((id, place));
            lines.push_str(&format!("{id} {} {}\n", u8::from(alarm1), u8::from(alarm2)));
        }
        (lines, places)
    }

    /// Writes down that these were answered with `OK`.
    pub fn acknowledge(&self, places: &[(i64, usize)]) {
        let mut histories = self.histories.lock().unwrap();
        for (id, place) in places {
            let history = histories.get_mut(id).unwrap();
            history.acknowledged += 1;
            history.last_acknowledged = Some(*place);
        }
        self.acknowledged.fetch_add(places.len() as u64, Ordering::Relaxed);
    }

    /// How many reports were acknowledged until now.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// What was sent and acknowledged until now.
    pub fn totals(&self) -> Totals {
        let histories = self.histories.lock().unwrap();
        Totals {
            sent: histories.values().map(|history| history.sent.len()).sum(),
            acknowledged: histories.values().map(|history| history.acknowledged).sum(),
        }
    }

    /// Compares a database with what was sent. Nobody may report meanwhile.
    ///
    /// # Errors
    /// The first thing that must not be.
    pub fn check(&self, data: &Path) -> Result<(), String> {
        let verdict = integrity(data);
        if verdict != "ok" {
            return Err(format!("the database is damaged: {verdict}"));
        }
        crate::ledger::check(data)?;
        let stored = stored(data);
        let histories = self.histories.lock().unwrap();
        for (id, history) in histories.iter() {
            let Some(station) = stored.get(id) else {
                if history.acknowledged > 0 {
                    return Err(format!("station {id} was acknowledged and is not stored"));
                }
                continue;
            };
            if history.acknowledged > station.reports || station.reports > history.sent.len() {
                return Err(format!(
                    "station {id}: {} acknowledged, {} counted, {} sent",
                    history.acknowledged,
                    station.reports,
                    history.sent.len()
                ));
            }
            let since = history.last_acknowledged.unwrap_or(0);
            if !history.sent[since..].contains(&station.alarms) {
                return Err(format!(
                    "station {id} is {:?}, which was not sent at or after the last acknowledged report",
                    station.alarms
                ));
            }
        }
        match stored.keys().find(|id| !histories.contains_key(id)) {
            Some(id) => Err(format!("station {id} was never sent")),
            None => Ok(()),
        }
    }
}
