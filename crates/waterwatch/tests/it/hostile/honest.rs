//! Stations that report at a fixed rate, whatever the server does.

use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{IN_TIME, sleep_until};
use crate::oracle::Oracle;

/// Stations, each on its own connection.
const STATIONS: u32 = 20;

/// How often each reports.
const EVERY: Duration = Duration::from_millis(100);

/// Reports that are due a second.
pub const OFFERED_A_SECOND: f64 = 200.0;

/// What became of the reports of some time.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Reports that were acknowledged in time, a second.
    pub a_second: f64,
    /// 99 of 100 acknowledgements were not later than this.
    p99: Option<Duration>,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p99_ms = self.p99.map_or(f64::NAN, |p99| p99.as_secs_f64() * 1000.0);
        write!(f, "{:.0}/s (p99 {p99_ms:.1} ms)", self.a_second)
    }
}

/// The stations.
pub struct Honest {
    address: SocketAddr,
    oracle: Oracle,
    streams: Vec<Option<TcpStream>>,
}

impl Honest {
    /// Connects them.
    pub fn connect(address: SocketAddr) -> Honest {
        let streams = (0..STATIONS).map(|_| connect(address)).collect();
        Honest { address, oracle: Oracle::default(), streams }
    }

    /// Each reports whenever it is due, for this long.
    pub fn report_for(&mut self, span: Duration) -> Measured {
        let started = Instant::now();
        let mut late = thread::scope(|scope| {
            let stations: Vec<_> = (0..STATIONS)
                .zip(&mut self.streams)
                .map(|(number, stream)| {
                    let (address, oracle) = (self.address, &self.oracle);
                    let first = started + EVERY * number / STATIONS;
                    let id = i64::from(number) + 1;
                    scope.spawn(move || station(id, address, stream, oracle, first, started + span))
                })
                .collect();
            stations.into_iter().flat_map(|station| station.join().unwrap()).collect::<Vec<_>>()
        });
        late.sort();
        let in_time = late.iter().filter(|late| **late <= IN_TIME).count();
        let p99 = late.get(late.len() * 99 / 100).copied();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        Measured { a_second: in_time as f64 / span.as_secs_f64(), p99 }
    }

    /// Nothing of theirs is lost.
    pub fn end(self, data: &Path) {
        drop(self.streams);
        self.oracle.check(data).unwrap();
    }
}

/// How late each acknowledgement of this station was.
fn station(
    id: i64,
    address: SocketAddr,
    stream: &mut Option<TcpStream>,
    oracle: &Oracle,
    first: Instant,
    end: Instant,
) -> Vec<Duration> {
    let mut late = Vec::new();
    let mut due = first;
    while due < end {
        sleep_until(due);
        if stream.is_none() {
            *stream = connect(address);
        }
        if stream.as_mut().is_some_and(|stream| oracle.report(stream, [id])) {
            late.push(due.elapsed());
        } else {
            *stream = None;
        }
        // What was due meanwhile is not made up for: it was missed.
        while due <= Instant::now() {
            due += EVERY;
        }
    }
    late
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, IN_TIME).ok()?;
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(IN_TIME)).unwrap();
    Some(stream)
}

/// The median by the rate.
pub fn median(measured: &[Measured]) -> Measured {
    let mut sorted = measured.to_vec();
    sorted.sort_by(|a, b| a.a_second.total_cmp(&b.a_second));
    sorted[sorted.len() / 2]
}
