//! A connection for each report: connect, send, read the reply, close; so
//! many at once.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::ring::{Ring, Stations};
use super::source::Source;
use super::{ANSWER_WAIT, Counts, EVENTS_MAX, Load, Work};
use crate::protocol::replies::Replies;

/// Bytes that a single reply takes at most, and more.
const REPLY_BYTES: usize = 1_024;

/// Places that are never without a connection.
pub(super) struct Reconnecting {
    work: Work,
    poll: Poll,
    source: Source,
    places: Vec<Place>,
    counts: Counts,
    answered_at: Instant,
}

/// One place, and the connection that it has now.
struct Place {
    ring: Ring,
    visit: Option<Visit>,
}

/// One connection, from its beginning to its only reply.
struct Visit {
    stream: TcpStream,
    began: Instant,
    is_sent: bool,
    replies: Replies,
}

impl Reconnecting {
    pub(super) fn new(server: SocketAddr, work: Work) -> anyhow::Result<Reconnecting> {
        let (hello, _) = work.protocol.hello(0);
        ensure!(hello.is_empty(), "a connection for each report is only measured where nobody says hello");
        let first = if work.shape.warm_up_stations > 0 { Stations::WarmUp } else { Stations::Measured };
        let place = |place| Place { ring: Ring::new(work.protocol, work.shape, place, first), visit: None };
        Ok(Reconnecting {
            work,
            poll: Poll::new()?,
            source: Source::new(server),
            places: (0..work.shape.connections).map(place).collect(),
            counts: Counts::default(),
            answered_at: Instant::now(),
        })
    }

    /// Begins a place's next connection and sends its report at once if the
    /// connection stands, as it does on loopback.
    fn begin(&mut self, number: usize) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut stream = self.source.connect().context("cannot connect")?;
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        let replies = self.work.protocol.replies(1);
        let place = &mut self.places[number];
        let visit = place.visit.insert(Visit { stream, began, is_sent: false, replies });
        if let Err(error) = visit.send(&mut place.ring) {
            self.end(number, &error);
        }
        Ok(())
    }

    /// Does what a place's connection is ready for.
    fn serve(&mut self, number: usize) -> anyhow::Result<()> {
        let place = &mut self.places[number];
        let Some(visit) = &mut place.visit else { return Ok(()) };
        match visit.send(&mut place.ring).and_then(|()| visit.receive()) {
            Ok(None) => return Ok(()),
            Ok(Some((acknowledged, refused))) => {
                if acknowledged + refused > 1 {
                    self.end(number, &io::Error::other("more replies than reports"));
                } else {
                    self.counts.latency(visit.began.elapsed(), 1);
                    self.counts.acknowledged += acknowledged;
                    self.counts.refuse(visit.replies.take_strange());
                    self.answered_at = Instant::now();
                }
            }
            Err(error) => self.end(number, &error),
        }
        // Closed before the next one begins.
        self.places[number].visit = None;
        self.begin(number)
    }

    fn end(&mut self, number: usize, error: &io::Error) {
        self.places[number].visit = None;
        self.counts.ended += 1;
        if self.counts.ended <= Counts::PRINTED_MAX {
            eprintln!("a connection of place {} got no reply: {error}", number + 1);
        }
    }
}

impl Load for Reconnecting {
    fn drive(&mut self, end: Instant) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            for number in 0..self.places.len() {
                if self.places[number].visit.is_none() {
                    self.begin(number)?;
                }
            }
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            ensure!(now - self.answered_at < ANSWER_WAIT, "no answer to any report for {ANSWER_WAIT:?}");
            match self.poll.poll(&mut events, Some((end - now).min(ANSWER_WAIT))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            for event in &events {
                self.serve(event.token().0)?;
            }
        }
    }

    fn measured_stations_take_over(&mut self) {
        if self.work.shape.warm_up_stations == 0 {
            return;
        }
        for (number, place) in (0..).zip(&mut self.places) {
            let mut ring = Ring::new(self.work.protocol, self.work.shape, number, Stations::Measured);
            ring.follow(&place.ring);
            place.ring = ring;
        }
    }

    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }
}

impl Visit {
    /// Sends the report unless it is sent; nothing happens while the
    /// connection does not stand yet.
    fn send(&mut self, ring: &mut Ring) -> io::Result<()> {
        if self.is_sent {
            return Ok(());
        }
        let report = ring.unsent(ring.reports_sent() + 1);
        match self.stream.write(report) {
            // A new connection has room for a report.
            Ok(written) if written < report.len() => Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                ring.advance(written);
                self.is_sent = true;
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the reply has come: how many acknowledgements and others.
    fn receive(&mut self) -> io::Result<Option<(u64, u64)>> {
        let mut buffer = [0; REPLY_BYTES];
        loop {
            let counts = match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.replies.take(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            };
            if counts != (0, 0) {
                return Ok(Some(counts));
            }
        }
    }
}
