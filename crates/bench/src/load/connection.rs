//! One connection of the load: what is in flight on it, and since when.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::replies::Replies;
use super::ring::Ring;

/// A connection that keeps so many reports in flight.
pub(super) struct Connection {
    stream: TcpStream,
    ring: Ring,
    replies: Replies,
    in_flight_max: u64,
    /// Reports answered since the beginning.
    answered: u64,
    /// Up to which report was written when. Writes are few where reports are
    /// many, so this stays short.
    writes: VecDeque<(u64, Instant)>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, ring: Ring, in_flight_max: u32) -> Connection {
        Connection {
            stream,
            ring,
            replies: Replies::default(),
            in_flight_max: u64::from(in_flight_max),
            answered: 0,
            writes: VecDeque::new(),
        }
    }

    /// Reads what has come and sends as many reports as were answered;
    /// returns how many replies `OK` there were. `record` is told how many
    /// replies had which latency.
    ///
    /// # Errors
    /// The connection has ended, or the server answers what was never asked.
    pub(super) fn turn(
        &mut self,
        buffer: &mut [u8],
        mut record: impl FnMut(Duration, u64),
    ) -> io::Result<u64> {
        let acknowledged = self.read(buffer, &mut record)?;
        self.write()?;
        Ok(acknowledged)
    }

    /// Reports that are written and not answered yet.
    pub(super) fn in_flight(&self) -> u64 {
        self.ring.reports_sent() - self.answered
    }

    /// The replies that were not `OK`.
    pub(super) fn take_strange(&mut self) -> Vec<Vec<u8>> {
        self.replies.take_strange()
    }

    fn read(&mut self, buffer: &mut [u8], record: &mut impl FnMut(Duration, u64)) -> io::Result<u64> {
        let mut acknowledged = 0;
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(acknowledged),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (ok, other) = self.replies.take(&buffer[..read]);
            acknowledged += ok;
            self.answer(ok + other, record)?;
            // Epoll tells of bytes that come later; a short read saves the
            // one that would only find nothing.
            if read < buffer.len() {
                return Ok(acknowledged);
            }
        }
    }

    fn answer(&mut self, replies: u64, record: &mut impl FnMut(Duration, u64)) -> io::Result<()> {
        if replies > self.in_flight() {
            return Err(io::Error::other("more replies than reports"));
        }
        let now = Instant::now();
        let answered = self.answered + replies;
        while self.answered < answered {
            let &(up_to, written_at) = self.writes.front().expect("what is in flight was written");
            let until = up_to.min(answered);
            record(now - written_at, until - self.answered);
            self.answered = until;
            if up_to == until {
                self.writes.pop_front();
            }
        }
        Ok(())
    }

    /// Fills up what is in flight. What does not fit into the socket goes on
    /// when there is room, which is an event.
    fn write(&mut self) -> io::Result<()> {
        let up_to = self.answered + self.in_flight_max;
        loop {
            let began = Instant::now();
            let unsent = self.ring.unsent(up_to);
            if unsent.is_empty() {
                return Ok(());
            }
            match self.stream.write(unsent) {
                Ok(written) => {
                    self.ring.advance(written);
                    let sent = self.ring.reports_sent();
                    if self.writes.back().is_none_or(|&(up_to, _)| up_to < sent) {
                        self.writes.push_back((sent, began));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
