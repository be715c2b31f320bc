//! One station's connection: bytes in, reports to the writer, replies out.
//!
//! One batch at a time: what is read is submitted, answered in one write, and
//! only then is more read. Bytes wait in the peer's socket meanwhile, so a
//! connection holds at most `in_flight_bytes_max` of them, and an idle one
//! holds no buffer at all.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::WaitForCancellationFutureOwned;
use waterwatch_core::wire::{self, End, Lines, Refusal};
use waterwatch_core::{Origin, Report};

use super::Shared;
use super::admission::Place;
use crate::lane::{Reports, Room, Speaker, Verdict};

/// Refused lines that are answered together: replies to garbage are longer
/// than the garbage, and this bounds what they take (some 4 KiB).
const REFUSALS_MAX: usize = 32;

/// Acknowledgements that are written together, from one buffer for all.
const OK_LINES_MAX: usize = 4096;

/// How long a connection that we close is still read, so that the last reply
/// is not destroyed by a reset on its way.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes that are read and dropped in that time.
const LINGER_BYTES_MAX: usize = 64 * 1024;

/// Bytes of one connection that are still taken when the server stops: a
/// gateway that never pauses must not hold up the end.
const LAST_BYTES_MAX: usize = 1024 * 1024;

/// Many `OK`, as bytes.
static OK_LINES: LazyLock<Vec<u8>> = LazyLock::new(|| wire::OK_LINE.repeat(OK_LINES_MAX));

thread_local! {
    /// Where every connection of a thread reads to. Used within one poll and
    /// never across an await.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection and what it has said so far.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    origin: Origin,
    lines: Lines,
    /// Bytes that are read and not yet used: the piece of a line, or what
    /// waits behind [`REFUSALS_MAX`] refusals.
    held: Vec<u8>,
    /// Whole lines may be in `held`.
    held_lines: bool,
    /// When it last said a whole report, or connected.
    heard: Instant,
    /// What it last said was one.
    reported_last: bool,
    timer: Pin<Box<Sleep>>,
    /// The timer runs for an unterminated report, not for idleness.
    quiet_runs: bool,
    speaker: Speaker,
    shared: Arc<Shared>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    /// `stopping` knows whom to wake: this task, as ever.
    stopping_wakes: bool,
    /// Once the server stops: how many bytes are still read.
    last_bytes: Option<usize>,
    _place: Place,
}

/// What is said together and answered together.
#[derive(Debug)]
struct Batch {
    reports: Reports,
    /// Each with its place among the lines.
    refusals: Vec<(usize, Refusal)>,
    /// The connection ends after the replies.
    last: bool,
    /// Room in the lane for the bytes that it came from.
    room: Room,
}

/// What a connection waits for.
enum Event {
    /// Bytes have arrived, with these lines in them.
    Heard(Batch),
    /// The peer has ended.
    Ended(End),
    /// Nothing has followed an unterminated report, or the peer is idle.
    Timer,
    /// The server is to stop.
    Stopping,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        origin: Origin,
        place: Place,
        speaker: Speaker,
        shared: Arc<Shared>,
    ) -> Connection {
        let heard = Instant::now();
        let idle_timeout = shared.limits.idle_timeout();
        Connection {
            stream,
            peer,
            origin,
            lines: Lines::new(shared.limits.line_bytes_max),
            held: Vec::new(),
            held_lines: false,
            heard,
            reported_last: false,
            timer: Box::pin(sleep_until(heard + idle_timeout)),
            quiet_runs: false,
            speaker,
            stopping: Box::pin(shared.stopping.clone().cancelled_owned()),
            stopping_wakes: false,
            shared,
            last_bytes: None,
            _place: place,
        }
    }

    /// Serves the station until it ends, is idle for too long, says what is
    /// no text, or its reports cannot be stored.
    pub(super) async fn serve(mut self) {
        while let Some(batch) = self.next().await {
            let last = batch.last;
            if self.answer(batch).await.is_break() {
                return;
            }
            if last {
                return self.linger().await;
            }
        }
    }

    /// The next lines. `None`: there will be none, or they took too long.
    async fn next(&mut self) -> Option<Batch> {
        loop {
            // Asked here too: the timer is not heard while bytes never pause.
            if !self.reported_last && self.is_idle() {
                tracing::debug!(peer = %self.peer, "closed a connection: no whole report for idle_timeout_s");
                return None;
            }
            if self.held_lines {
                let room = self.room(self.held.len()).await;
                let held = std::mem::take(&mut self.held);
                let batch = self.take(&held, room);
                if !batch.is_empty() {
                    return Some(batch);
                }
            }
            let event = match self.last_bytes {
                None => poll_fn(|context| self.poll_event(context)).await,
                Some(bytes) => self.event_while_stopping(bytes).await,
            };
            match event {
                Event::Heard(batch) if batch.is_empty() => {}
                Event::Heard(batch) => return Some(batch),
                Event::Ended(end) => {
                    let result = self.lines.end(&mut self.held.as_slice(), end)?;
                    if let Err(refusal) = result {
                        self.note_refused(&self.held, refusal);
                    }
                    return Some(self.last_batch(result).await);
                }
                Event::Stopping => self.last_bytes = Some(LAST_BYTES_MAX),
                Event::Timer if self.quiet_runs => {
                    self.quiet_runs = false;
                    self.timer.as_mut().reset(self.heard + self.shared.limits.idle_timeout());
                    if !self.would_block() {
                        // More has come that the runtime has not heard of.
                        continue;
                    }
                    if let Some(report) = self.lines.quiet(&mut self.held.as_slice()) {
                        let room = self.room(self.held.len()).await;
                        self.held = Vec::new();
                        return Some(Batch::of(Ok(report), room));
                    }
                }
                Event::Timer if self.last_bytes.is_some() => return None,
                // It may have reported since the timer was set, which is not
                // set anew for every report.
                Event::Timer => {
                    self.reported_last = false;
                    self.timer.as_mut().reset(self.heard + self.shared.limits.idle_timeout());
                }
            }
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        // First, or a gateway that never pauses would never hear of it.
        if !self.stopping_wakes {
            self.stopping_wakes = self.stopping.as_mut().poll(context).is_pending();
        }
        if self.shared.is_stopping() {
            return Poll::Ready(Event::Stopping);
        }
        // What could not be held is not read. Nobody is idle, and no line is
        // over, while it is us who do not read.
        let room = ready!(self.speaker.poll_room(context, self.shared.limits.in_flight_bytes_max));
        if let Poll::Ready(event) = self.poll_read(context, room) {
            return Poll::Ready(event);
        }
        self.timer.as_mut().poll(context).map(|()| Event::Timer)
    }

    fn poll_read(&mut self, context: &mut Context<'_>, room: Room) -> Poll<Event> {
        SCRATCH.with_borrow_mut(|scratch| {
            let held = self.fill_scratch(scratch);
            let mut buffer = ReadBuf::new(&mut scratch[held..]);
            Poll::Ready(match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => Event::Ended(End::Orderly),
                Ok(()) => {
                    let bytes = held + buffer.filled().len();
                    Event::Heard(self.take(&scratch[..bytes], room))
                }
                Err(_) => Event::Ended(End::Reset),
            })
        })
    }

    /// What has been received is taken, and nothing is waited for. Asks the
    /// socket itself: the runtime may not have heard of the last bytes yet.
    async fn event_while_stopping(&mut self, last_bytes: usize) -> Event {
        if last_bytes == 0 {
            return Event::Timer;
        }
        let room = self.room(self.shared.limits.in_flight_bytes_max).await;
        SCRATCH.with_borrow_mut(|scratch| {
            let held = self.fill_scratch(scratch);
            match rustix::net::recv(&self.stream, &mut scratch[held..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => Event::Ended(End::Orderly),
                Ok((_, read)) => {
                    self.last_bytes = Some(last_bytes.saturating_sub(read));
                    Event::Heard(self.take(&scratch[..held + read], room))
                }
                Err(rustix::io::Errno::AGAIN) => {
                    // Nothing more: what is held counts if it is whole.
                    self.last_bytes = Some(0);
                    self.quiet_runs = true;
                    Event::Timer
                }
                Err(rustix::io::Errno::INTR) => Event::Heard(Batch::empty(room)),
                Err(_) => Event::Ended(End::Reset),
            }
        })
    }

    fn is_idle(&self) -> bool {
        self.last_bytes.is_none() && self.heard.elapsed() >= self.shared.limits.idle_timeout()
    }

    /// Whether nothing waits in the socket: neither bytes nor its end.
    fn would_block(&self) -> bool {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        matches!(rustix::net::recv(&self.stream, &mut [0u8; 1], flags), Err(rustix::io::Errno::AGAIN))
    }

    /// Puts the held piece to the front of the scratch buffer, whose rest is
    /// for reading. A piece is at most a line, so there is always a rest.
    fn fill_scratch(&self, scratch: &mut Vec<u8>) -> usize {
        scratch.resize(self.shared.limits.in_flight_bytes_max, 0);
        scratch[..self.held.len()].copy_from_slice(&self.held);
        self.held.len()
    }

    /// Cuts the lines off `bytes` and holds the rest.
    fn take(&mut self, bytes: &[u8], mut room: Room) -> Batch {
        room.shrink_to(bytes.len());
        let mut batch = Batch::empty(room);
        let mut rest = bytes;
        while !batch.last && batch.refusals.len() < REFUSALS_MAX {
            let before = rest;
            let Some(result) = self.lines.next(&mut rest) else { break };
            if let Err(refusal) = result {
                let line = &before[..before.len() - rest.len()];
                self.note_refused(line.strip_suffix(b"\n").unwrap_or(line), refusal);
            }
            batch.push(result);
        }
        self.held_lines = batch.refusals.len() == REFUSALS_MAX;
        self.held.clear();
        if rest.is_empty() {
            // Given back: an idle connection holds nothing.
            self.held.shrink_to_fit();
        } else {
            self.held.extend_from_slice(rest);
            self.quiet_runs = self.lines.awaits_quiet(rest);
            if self.quiet_runs {
                self.timer.as_mut().reset(Instant::now() + wire::QUIET);
            }
        }
        batch
    }

    /// Submits a batch, waits until it is durable, and answers it.
    async fn answer(&mut self, batch: Batch) -> ControlFlow<()> {
        let Batch { reports, refusals, room, .. } = batch;
        let lines = reports.len() + refusals.len();
        let mut verdict = Verdict::new();
        self.reported_last = !reports.is_empty();
        if reports.is_empty() {
            drop(room);
        } else {
            match self.speaker.submit(reports, self.origin, room).await {
                Some(decided) => verdict = decided,
                // Not stored: closed unanswered, the station sends again.
                None => return ControlFlow::Break(()),
            }
            self.heard = Instant::now();
        }
        for (_, refusal) in refusals.iter().chain(&verdict) {
            tracing::debug!(peer = %self.peer, code = refusal.code(), "refused a line: {refusal}");
        }
        self.speaker.refused().note_reports(&verdict, self.origin, None);
        let all_ok = refusals.is_empty() && verdict.is_empty();
        let ok_bytes = lines * wire::OK_LINE.len();
        let mut written = 0;
        if all_ok {
            match self.acknowledge_at_once(ok_bytes) {
                Ok(bytes) if bytes == ok_bytes => return ControlFlow::Continue(()),
                Ok(bytes) => written = bytes,
                Err(_gone) => return ControlFlow::Break(()),
            }
        }
        let reply_timeout = self.shared.limits.reply_timeout();
        let written = async {
            if all_ok {
                self.acknowledge(written, ok_bytes).await
            } else {
                self.stream.write_all(&replies(lines, &refusals, &verdict)).await
            }
        };
        match timeout(reply_timeout, written).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_gone)) => ControlFlow::Break(()),
            Err(_elapsed) => {
                tracing::debug!(peer = %self.peer, "closed a connection: it does not take its replies");
                ControlFlow::Break(())
            }
        }
    }

    /// Writes what the socket takes of so many bytes of `OK` lines: all of
    /// them nearly always, and then no timer is needed for a wait that does
    /// not come.
    fn acknowledge_at_once(&self, bytes: usize) -> io::Result<usize> {
        match self.stream.try_write(&OK_LINES[..bytes.min(OK_LINES.len())]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    /// Writes the rest of so many bytes of `OK` lines, from a buffer that all
    /// connections share: one that waits for a slow reader holds nothing.
    async fn acknowledge(&mut self, mut written: usize, bytes: usize) -> io::Result<()> {
        while written < bytes {
            let begin = written % wire::OK_LINE.len();
            let end = OK_LINES.len().min(begin + bytes - written);
            self.stream.write_all(&OK_LINES[begin..end]).await?;
            written += end - begin;
        }
        Ok(())
    }

    fn note_refused(&self, line: &[u8], refusal: Refusal) {
        self.shared.refused_lines.count(&refusal);
        self.speaker.refused().note(wire::station_of(line), line, self.origin, refusal);
    }

    async fn last_batch(&mut self, result: Result<Report, Refusal>) -> Batch {
        let room = self.room(self.held.len()).await;
        let mut batch = Batch::of(result, room);
        batch.last = true;
        batch
    }

    async fn room(&mut self, bytes: usize) -> Room {
        poll_fn(|context| self.speaker.poll_room(context, bytes)).await
    }

    /// Ends our side and reads on for a moment: closing with unread bytes
    /// would reset the connection and could take the last reply with it.
    async fn linger(mut self) {
        let rest = async {
            self.stream.shutdown().await?;
            let mut dropped = 0;
            // Not within the task, of which every connection has one.
            let mut buffer = vec![0; 1024];
            while dropped < LINGER_BYTES_MAX {
                match self.stream.read(&mut buffer).await? {
                    0 => break,
                    read => dropped += read,
                }
            }
            io::Result::Ok(())
        };
        // However it ends, it is over.
        let _ = timeout(LINGER, rest).await;
    }
}

impl Batch {
    fn empty(room: Room) -> Batch {
        Batch { reports: Reports::new(), refusals: Vec::new(), last: false, room }
    }

    fn of(result: Result<Report, Refusal>, room: Room) -> Batch {
        let mut batch = Batch::empty(room);
        batch.push(result);
        batch
    }

    fn push(&mut self, result: Result<Report, Refusal>) {
        match result {
            Ok(report) => self.reports.push(report),
            Err(refusal) => {
                self.last |= refusal.closes_connection();
                self.refusals.push((self.reports.len() + self.refusals.len(), refusal));
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.refusals.is_empty()
    }
}

/// One reply for each line, in order. `refusals` are those of the wire, with
/// their places among the lines; `verdict` has the writer's, with their
/// places among the reports.
fn replies(lines: usize, refusals: &[(usize, Refusal)], verdict: &[(usize, Refusal)]) -> Vec<u8> {
    let mut replies = Vec::new();
    let mut refusals = refusals.iter().peekable();
    let mut verdict = verdict.iter().peekable();
    let mut report = 0;
    for line in 0..lines {
        if let Some((_, refusal)) = refusals.next_if(|(place, _)| *place == line) {
            refusal.write_reply(&mut replies);
            continue;
        }
        match verdict.next_if(|(place, _)| *place == report) {
            Some((_, refusal)) => refusal.write_reply(&mut replies),
            None => replies.extend_from_slice(wire::OK_LINE),
        }
        report += 1;
    }
    replies
}

#[cfg(test)]
mod tests {
    use super::*;
    use waterwatch_core::StationId;

    #[test]
    fn replies_come_in_the_order_of_the_lines() {
        let unknown = Refusal::StationsMax { station_id: StationId::MAX, stations_max: 1 };
        let text = |refusals: &[(usize, Refusal)], verdict: &[(usize, Refusal)]| {
            let replies = replies(4, refusals, verdict);
            let lines = String::from_utf8(replies).unwrap();
            lines
                .lines()
                .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
                .join(", ")
        };
        assert_eq!(text(&[], &[]), "OK, OK, OK, OK");
        assert_eq!(text(&[(0, Refusal::Empty), (2, Refusal::Empty)], &[]), "ERR empty, OK, ERR empty, OK");
        assert_eq!(text(&[(1, Refusal::Empty)], &[(1, unknown)]), "OK, ERR empty, ERR stations_max, OK");
        assert_eq!(
            text(&[(3, Refusal::Http)], &[(0, unknown), (2, unknown)]),
            "ERR stations_max, OK, ERR stations_max, ERR http"
        );
    }
}
