//! kill -9 under load, again and again.
//!
//! The oracle, for each station: acknowledged ≤ counted ≤ sent, and the
//! stored value is one that was sent at or after the last acknowledged one.
//! `WATERWATCH_KILL_ROUNDS` sets the rounds; `./campaign kill` runs the long
//! form.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::harness::{PATIENCE, Server, open};

/// Rounds in `./test`.
const ROUNDS: u32 = 20;

/// Stations that report one line at a time, each on its own connection.
const STATIONS: i64 = 24;

/// Stations behind one connection that does not wait, for each gateway.
const GATEWAY_STATIONS: i64 = 50;

/// What was sent for one station, over all rounds: the values in order.
#[derive(Debug, Default)]
struct History {
    sent: Vec<(u8, u8)>,
    /// How many of them were acknowledged, and the place of the last one.
    acknowledged: usize,
    last_acknowledged: Option<usize>,
}

type Histories = Arc<Mutex<HashMap<i64, History>>>;

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let rounds =
        std::env::var("WATERWATCH_KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let folder = tempfile::tempdir().unwrap();
    let histories = Histories::default();
    let seed = std::process::id();
    println!("seed {seed}");
    for round in 0..rounds {
        let server = Server::start(folder.path(), &[]);
        let data = server.data.clone();
        check(&data, &histories, round);
        let acknowledged = Arc::new(AtomicU64::new(0));
        let load = load(server.address, &histories, &acknowledged);
        // Killed after so many acknowledgements, different each round, so that
        // the kill falls into every part of the cycle.
        let after = 200 + u64::from(seed.wrapping_add(round).wrapping_mul(2_654_435_761) % 4000);
        crate::harness::wait_for("the load", || {
            (acknowledged.load(Ordering::Relaxed) >= after).then_some(())
        });
        server.kill();
        for sender in load {
            sender.join().unwrap();
        }
    }
    let server = Server::start(folder.path(), &[]);
    check(&server.data, &histories, rounds);
    let histories = histories.lock().unwrap();
    let (sent, acknowledged) = histories.values().fold((0, 0), |(sent, acknowledged), history| {
        (sent + history.sent.len(), acknowledged + history.acknowledged)
    });
    println!("{rounds} rounds: {sent} reports sent, {acknowledged} acknowledged, none lost");
    assert!(acknowledged > 0 && sent > acknowledged, "the kill never fell between a report and its reply");
}

fn load(
    address: SocketAddr,
    histories: &Histories,
    acknowledged: &Arc<AtomicU64>,
) -> Vec<thread::JoinHandle<()>> {
    let mut senders = Vec::new();
    for id in 0..STATIONS {
        let (histories, acknowledged) = (Arc::clone(histories), Arc::clone(acknowledged));
        senders.push(thread::spawn(move || send(address, &[id], 1, &histories, &acknowledged)));
    }
    for gateway in 1..=2 {
        let ids: Vec<i64> = (0..GATEWAY_STATIONS).map(|station| gateway * 1000 + station).collect();
        let (histories, acknowledged) = (Arc::clone(histories), Arc::clone(acknowledged));
        senders.push(thread::spawn(move || send(address, &ids, 200, &histories, &acknowledged)));
    }
    senders
}

/// Reports these stations in turn, `in_flight` lines at a time, until the
/// server is gone.
fn send(address: SocketAddr, ids: &[i64], in_flight: usize, histories: &Histories, acknowledged: &AtomicU64) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut turn = ids.iter().cycle();
    loop {
        let mut lines = String::new();
        let mut places = Vec::new();
        {
            let mut histories = histories.lock().unwrap();
            for &id in turn.by_ref().take(in_flight) {
                let history = histories.entry(id).or_default();
                // A value that tells its neighbours apart: a two-bit counter.
                let place = history.sent.len();
                let value = (u8::from(place & 1 != 0), u8::from(place & 2 != 0));
                history.sent.push(value);
                places.push((id, place));
                lines.push_str(&format!("{id} {} {}\n", value.0, value.1));
            }
        }
        // Sent counts from before the write: the server may have got it
        // whatever the write says.
        if stream.write_all(lines.as_bytes()).is_err() {
            return;
        }
        let mut replies = vec![0; 3 * places.len()];
        let mut read = 0;
        while read < replies.len() {
            match stream.read(&mut replies[read..]) {
                Ok(0) | Err(_) => break,
                Ok(bytes) => read += bytes,
            }
        }
        assert!(replies[..read].chunks(3).all(|reply| b"OK\n".starts_with(reply)), "a reply that is none");
        let mut histories = histories.lock().unwrap();
        for (id, place) in &places[..read / 3] {
            let history = histories.get_mut(id).unwrap();
            history.acknowledged += 1;
            history.last_acknowledged = Some(*place);
        }
        acknowledged.fetch_add((read / 3) as u64, Ordering::Relaxed);
        if read < replies.len() {
            return;
        }
    }
}

fn check(data: &Path, histories: &Histories, round: u32) {
    let database = open(data);
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "round {round}");
    let mut statement = database
        .prepare("SELECT station_id, alarm1, alarm2, reports FROM station_status JOIN station_state USING (station_id)")
        .unwrap();
    let stored: HashMap<i64, ((u8, u8), usize)> = statement
        .query_map([], |row| {
            let reports: i64 = row.get(3)?;
            Ok((row.get(0)?, ((row.get(1)?, row.get(2)?), usize::try_from(reports).unwrap())))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (id, history) in histories.lock().unwrap().iter() {
        let Some((value, counted)) = stored.get(id) else {
            assert_eq!(
                history.acknowledged, 0,
                "round {round}: station {id} was acknowledged and is not stored"
            );
            continue;
        };
        assert!(
            history.acknowledged <= *counted && *counted <= history.sent.len(),
            "round {round}: station {id}: {} acknowledged, {counted} counted, {} sent",
            history.acknowledged,
            history.sent.len()
        );
        let since = history.last_acknowledged.unwrap_or(0);
        assert!(
            history.sent[since..].contains(value),
            "round {round}: station {id} is {value:?}, which was not sent at or after the last acknowledged report"
        );
    }
    for id in stored.keys() {
        assert!(histories.lock().unwrap().contains_key(id), "round {round}: station {id} was never sent");
    }
}
