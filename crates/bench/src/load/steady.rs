//! Connections that stay, as many from the beginning to the end.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use mio::{Events, Interest, Poll, Token};

use super::connection::{Connection, Turn};
use super::pace::{Pace, Schedule, due_in_all};
use super::ring::{Ring, Stations};
use super::{ANSWER_WAIT, Counts, EVENTS_MAX, Load, Work};
use crate::protocol::READ_BYTES;

/// How long a connection may take to be accepted and greeted.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Connections that stay.
pub(crate) struct Steady {
    work: Work,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    counts: Counts,
    answered_at: Instant,
    began: Instant,
    /// Reports of all connections that have fallen due until now, and were
    /// sent if there was room.
    due: u64,
}

impl Steady {
    /// Connects, one after the other.
    ///
    /// # Errors
    /// The server cannot be reached, or does not greet as it should.
    pub(crate) fn connect(server: SocketAddr, work: Work) -> anyhow::Result<Steady> {
        let streams = (0..work.shape.connections)
            .map(|place| {
                greet(server, work, place).with_context(|| format!("connection {} to {server}", place + 1))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut load = Steady {
            work,
            poll: Poll::new()?,
            connections: Vec::new(),
            counts: Counts::default(),
            answered_at: Instant::now(),
            began: Instant::now(),
            due: 0,
        };
        let first = if work.shape.warm_up_stations > 0 { Stations::WarmUp } else { Stations::Measured };
        for (place, mut stream) in (0..).zip(streams) {
            let ring = Ring::new(work.protocol, work.shape, place, first);
            ensure!(
                ring.reports() <= work.protocol.ring_reports_max(),
                "{} reports of one connection are more than MQTT tells apart",
                ring.reports()
            );
            let in_flight = u64::from(work.shape.in_flight);
            let turn = match work.pace {
                Pace::Once => Turn::Until { in_flight, reports: ring.stations() },
                Pace::Open { reports_per_s } => Turn::Due(Schedule {
                    began: load.began,
                    reports_per_s,
                    connections: work.shape.connections,
                    place,
                }),
                Pace::Closed | Pace::Reconnect => Turn::InFlight(in_flight),
            };
            let token = Token(load.connections.len());
            load.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            load.connections.push(Some(Connection::new(stream, work.protocol, ring, turn)));
        }
        Ok(load)
    }

    /// Lets every station report once, and waits until all is acknowledged.
    ///
    /// # Errors
    /// That takes longer than `wait`, or not everything is acknowledged.
    pub(crate) fn report_once(&mut self, wait: Duration) -> anyhow::Result<()> {
        assert!(self.work.pace == Pace::Once, "another pace has no end");
        let end = Instant::now() + wait;
        while self.connections.iter().flatten().any(|connection| !connection.is_done()) {
            ensure!(Instant::now() < end, "not every station was acknowledged within {wait:?}");
            self.drive(Instant::now() + Duration::from_millis(20))?;
        }
        let Counts { refused, ended, .. } = self.counts;
        ensure!(refused == 0 && ended == 0, "{refused} reports were refused, {ended} connections ended");
        Ok(())
    }

    /// Does what one connection is ready for.
    fn serve(&mut self, place: usize, buffer: &mut [u8]) {
        let Some(connection) = &mut self.connections[place] else { return };
        let counts = &mut self.counts;
        match connection.turn(buffer, |latency, replies| counts.latency(latency, replies)) {
            Ok(acknowledged) => {
                counts.acknowledged += acknowledged;
                if acknowledged > 0 {
                    self.answered_at = Instant::now();
                }
                counts.refuse(connection.take_strange());
                counts.late(connection.take_late());
            }
            Err(error) => self.end(place, &error),
        }
    }

    /// Sends what has fallen due since the last time.
    fn send_due(&mut self) {
        let Pace::Open { reports_per_s } = self.work.pace else { return };
        let due = due_in_all(self.began.elapsed(), reports_per_s);
        let connections = self.connections.len();
        // Who is behind by more than one report sends them in one write.
        let turns = (due - self.due).min(connections as u64);
        for report in due - turns..due {
            let place = usize::try_from(report % connections as u64).expect("less than a length");
            let Some(connection) = &mut self.connections[place] else { continue };
            match connection.write() {
                Ok(()) => self.counts.late(connection.take_late()),
                Err(error) => self.end(place, &error),
            }
        }
        self.due = due;
    }

    /// When the next report falls due.
    fn next_due(&self) -> Option<Instant> {
        let Pace::Open { reports_per_s } = self.work.pace else { return None };
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 reports")]
        Some(self.began + Duration::from_secs_f64(self.due as f64 / reports_per_s))
    }

    fn end(&mut self, place: usize, error: &std::io::Error) {
        let in_flight = self.connections[place].take().map_or(0, |connection| connection.in_flight());
        eprintln!("connection {} with {in_flight} in flight: {error}", place + 1);
        self.counts.ended += 1;
    }
}

impl Load for Steady {
    /// Each connection becomes writable when it is registered, which starts
    /// it.
    fn drive(&mut self, end: Instant) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            self.send_due();
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            ensure!(
                now - self.answered_at < ANSWER_WAIT,
                "no answer to any report for {ANSWER_WAIT:?}: is this the right kind of server?"
            );
            let wake_at = self.next_due().map_or(end, |due| due.min(end));
            match self.poll.poll(&mut events, Some(wake_at.saturating_duration_since(now).min(ANSWER_WAIT))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            for event in &events {
                self.serve(event.token().0, &mut buffer);
            }
            if self.connections.iter().all(Option::is_none) {
                bail!("the server has ended every connection");
            }
        }
    }

    fn measured_stations_take_over(&mut self) {
        if self.work.shape.warm_up_stations == 0 {
            return;
        }
        for (place, connection) in (0..).zip(&mut self.connections) {
            if let Some(connection) = connection {
                let Work { protocol, shape, .. } = self.work;
                connection.go_on_with(Ring::new(protocol, shape, place, Stations::Measured));
            }
        }
    }

    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }
}

/// Connects and says hello, if that is to be said.
fn greet(server: SocketAddr, work: Work, place: u32) -> anyhow::Result<mio::net::TcpStream> {
    let mut stream = TcpStream::connect_timeout(&server, CONNECT_WAIT)?;
    stream.set_nodelay(true)?;
    let (hello, welcome) = work.protocol.hello(place);
    if !hello.is_empty() {
        stream.set_read_timeout(Some(CONNECT_WAIT))?;
        stream.write_all(&hello)?;
        let mut said = vec![0; welcome.len()];
        stream.read_exact(&mut said).context("no welcome")?;
        ensure!(said == welcome, "not the expected welcome: {}", said.escape_ascii());
    }
    stream.set_nonblocking(true)?;
    Ok(mio::net::TcpStream::from_std(stream))
}
