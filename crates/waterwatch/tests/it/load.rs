//! Stations that report until the server is gone: single ones, each on its
//! own connection and with one report in flight, and gateways, which do not
//! wait for replies, so that one commit takes many reports.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::PATIENCE;
use crate::oracle::Oracle;

/// How much is reported.
#[derive(Clone, Copy, Debug)]
pub struct Intensity {
    /// Single stations.
    pub stations: i64,
    /// Gateways.
    pub gateways: i64,
    /// Lines that each gateway has in flight.
    pub in_flight: usize,
    /// Stations behind each gateway.
    pub stations_per_gateway: i64,
    /// How long each waits after its replies.
    pub pause: Duration,
}

impl Intensity {
    /// Another one each time: from a few stations now and then to gateways
    /// that never pause.
    pub fn any(random: &mut fastrand::Rng) -> Intensity {
        Intensity {
            stations: random.i64(1..=32),
            gateways: random.i64(0..=3),
            in_flight: random.usize(50..=1000),
            stations_per_gateway: random.i64(1..=1000),
            pause: Duration::from_millis(*random.choice(&[0, 0, 1, 10]).unwrap()),
        }
    }
}

/// The ids of each gateway begin at a multiple of it.
const GATEWAY_IDS: i64 = 1_000_000;

/// How long a stubborn station waits until it connects again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A load that goes on.
pub struct Load {
    senders: Vec<JoinHandle<()>>,
    /// Whether they connect again after a report without an answer.
    again: Arc<AtomicBool>,
}

impl Load {
    /// Starts one that ends when the server does. Its ids are the same each
    /// time: a single station's is below 1000.
    pub fn start(address: SocketAddr, oracle: &Oracle, intensity: Intensity) -> Load {
        Load::start_with(address, oracle, intensity, false)
    }

    /// Starts one that does not give up until it is told to stop.
    pub fn stubborn(address: SocketAddr, oracle: &Oracle, intensity: Intensity) -> Load {
        Load::start_with(address, oracle, intensity, true)
    }

    fn start_with(address: SocketAddr, oracle: &Oracle, intensity: Intensity, stubborn: bool) -> Load {
        let singles = (0..intensity.stations).map(|id| (vec![id], 1));
        let gateways = (1..=intensity.gateways).map(|gateway| {
            let first = gateway * GATEWAY_IDS;
            ((first..first + intensity.stations_per_gateway).collect(), intensity.in_flight)
        });
        let again = Arc::new(AtomicBool::new(stubborn));
        let start = |(ids, in_flight): (Vec<i64>, usize)| {
            let (oracle, again) = (oracle.clone(), Arc::clone(&again));
            thread::spawn(move || {
                let mut turn = ids.into_iter().cycle();
                loop {
                    let flight = || turn.by_ref().take(in_flight).collect();
                    send(address, flight, intensity.pause, &oracle, &again);
                    if !again.load(Ordering::Relaxed) {
                        return;
                    }
                    thread::sleep(AGAIN_AFTER);
                }
            })
        };
        let senders = singles.chain(gateways).map(start).collect();
        Load { senders, again }
    }

    /// Tells a stubborn one to stop after the replies that are due, and waits.
    pub fn stop(self) {
        self.again.store(false, Ordering::Relaxed);
        self.join();
    }

    /// Whether each has noticed that the server is gone.
    pub fn ended(&self) -> bool {
        self.senders.iter().all(JoinHandle::is_finished)
    }

    /// Waits until each has noticed that the server is gone.
    pub fn join(self) {
        for sender in self.senders {
            sender.join().unwrap();
        }
    }
}

/// Reports on one connection, a flight at a time, until the server is gone,
/// or a stubborn load is told to stop.
fn send(
    address: SocketAddr,
    mut flight: impl FnMut() -> Vec<i64>,
    pause: Duration,
    oracle: &Oracle,
    again: &AtomicBool,
) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let stubborn = again.load(Ordering::Relaxed);
    while oracle.report(&mut stream, flight()) {
        if stubborn && !again.load(Ordering::Relaxed) {
            return;
        }
        thread::sleep(pause);
    }
}
