//! One connection of the load: what is in flight on it, and since when.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::pace::Schedule;
use super::ring::Ring;
use crate::protocol::Protocol;
use crate::protocol::replies::Replies;

/// When a connection may send its next report.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// When fewer than so many are in flight.
    InFlight(u64),
    /// The same, until so many are sent.
    Until { in_flight: u64, reports: u64 },
    /// When it falls due.
    Due(Schedule),
}

/// A connection that sends when it is its turn.
pub(super) struct Connection {
    stream: TcpStream,
    ring: Ring,
    /// Takes over from `ring` at the end of a report.
    next_ring: Option<Ring>,
    replies: Replies,
    turn: Turn,
    /// Reports answered since the beginning.
    answered: u64,
    /// Up to which report was written when. Writes are few where reports are
    /// many, so this stays short. Not kept where reports fall due: there the
    /// latency counts from that moment.
    writes: VecDeque<(u64, Instant)>,
    /// How late the last write was, if its reports were due at some time.
    late: Option<Duration>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, protocol: Protocol, ring: Ring, turn: Turn) -> Connection {
        let replies = protocol.replies(ring.reports());
        Connection {
            stream,
            ring,
            next_ring: None,
            replies,
            turn,
            answered: 0,
            writes: VecDeque::new(),
            late: None,
        }
    }

    /// From the next report on, those of `ring` are sent.
    pub(super) fn go_on_with(&mut self, ring: Ring) {
        self.next_ring = Some(ring);
    }

    /// Reads what has come and sends what may be sent; returns how many
    /// acknowledgements there were. `record` is told how many replies had
    /// which latency.
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

    /// Whether all that was ever to be sent is answered.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.turn, Turn::Until { reports, .. } if self.answered >= reports)
    }

    /// The replies that were no acknowledgement.
    pub(super) fn take_strange(&mut self) -> Vec<Vec<u8>> {
        self.replies.take_strange()
    }

    /// How late the oldest report of the last write was sent; `None` if there
    /// was no write since this was asked, or none that was due.
    pub(super) fn take_late(&mut self) -> Option<Duration> {
        self.late.take()
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
        if let Turn::Due(schedule) = self.turn {
            for report in self.answered..answered {
                record(now.saturating_duration_since(schedule.due_at(report)), 1);
            }
            self.answered = answered;
        }
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

    /// Sends what may be sent. What does not fit into the socket goes on when
    /// there is room, which is an event.
    pub(super) fn write(&mut self) -> io::Result<()> {
        loop {
            let began = Instant::now();
            let up_to = match self.turn {
                Turn::InFlight(in_flight) => self.answered + in_flight,
                Turn::Until { in_flight, reports } => reports.min(self.answered + in_flight),
                Turn::Due(schedule) => schedule.due(began),
            };
            let up_to = self.change_rings(up_to);
            let unsent = self.ring.unsent(up_to);
            if unsent.is_empty() {
                return Ok(());
            }
            match self.stream.write(unsent) {
                Ok(written) => {
                    let first = self.ring.reports_sent();
                    self.ring.advance(written);
                    if let Turn::Due(schedule) = self.turn {
                        self.late = Some(began.saturating_duration_since(schedule.due_at(first)));
                    }
                    self.note(began);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets the next ring take over, or only the report that is half sent be
    /// finished before that.
    fn change_rings(&mut self, up_to: u64) -> u64 {
        let Some(mut next) = self.next_ring.take() else { return up_to };
        if self.ring.is_at_report_end() {
            next.follow(&self.ring);
            self.ring = next;
            up_to
        } else {
            self.next_ring = Some(next);
            self.ring.reports_sent() + 1
        }
    }

    fn note(&mut self, written_at: Instant) {
        let sent = self.ring.reports_sent();
        let is_noted = self.writes.back().is_some_and(|&(up_to, _)| up_to >= sent);
        if !matches!(self.turn, Turn::Due(_)) && !is_noted {
            self.writes.push_back((sent, written_at));
        }
    }
}
