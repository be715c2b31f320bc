//! One simulated station: when it reports, what it says, and what it does
//! when nobody answers.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep_until, timeout};
use waterwatch_core::wire::Reply;
use waterwatch_core::{Report, StationId};

use super::Fleet;
use super::contact::Contact;
use crate::backoff;

/// How late a report may be within its period, as a share of it: clocks in
/// the field are not exact.
const JITTER: f64 = 0.02;

/// How long a station waits for a connection, and for a reply: longer than
/// the server tries to store a report.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// The wait after a first failed try; it doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);

/// The longest wait between two tries: a server that is back is found within
/// half a minute.
const BACKOFF_LONGEST: Duration = Duration::from_secs(30);

/// Bytes of a report's line: the longest id, two alarms, blanks, newline.
const LINE_BYTES_MAX: usize = StationId::DIGITS_MAX + 5;

/// A station and what it remembers.
pub(super) struct Station {
    fleet: Rc<Fleet>,
    id: StationId,
    /// The address to report from, if it matters.
    source: Option<IpAddr>,
    contacts: [Contact; 2],
    /// The alarms of the last report that was acknowledged.
    acknowledged: Option<[bool; 2]>,
    /// When its period begins; reports come a little later each time, but
    /// never drift.
    period_begins: Instant,
    /// Tries that failed since the last reply.
    failures: u32,
    connection: Option<Connection>,
    dice: Rng,
}

impl Station {
    /// A station that reports first at `begins`, with both contacts off.
    pub(super) fn new(
        fleet: Rc<Fleet>,
        id: StationId,
        source: Option<IpAddr>,
        begins: Instant,
        mut dice: Rng,
    ) -> Station {
        let contacts = std::array::from_fn(|_| Contact::new(begins, fleet.options.every, &mut dice));
        Station {
            fleet,
            id,
            source,
            contacts,
            acknowledged: None,
            period_begins: begins,
            failures: 0,
            connection: None,
            dice,
        }
    }

    /// Reports until the fleet is stopped. A report that was begun is brought
    /// to its end.
    pub(super) async fn live(mut self) {
        let mut next = self.period_begins;
        while self.rest_until(next).await {
            next = if self.report().await { self.next_report() } else { self.next_try() };
        }
        if let Some(connection) = &self.connection {
            connection.forget();
        }
    }

    /// Waits until `then`; false if the fleet is stopped before. A connection
    /// that ends meanwhile is let go: a station connects when it has
    /// something to say.
    async fn rest_until(&mut self, then: Instant) -> bool {
        let stopped = self.fleet.stop.cancelled();
        let due = sleep_until(then);
        tokio::pin!(stopped, due);
        loop {
            let uncalled = async {
                match &self.connection {
                    Some(connection) => connection.uncalled().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stopped => return false,
                uncalled = uncalled => {
                    self.connection = None;
                    if let Err(error) = uncalled {
                        // What nobody asked for is the server's mistake, and
                        // must be seen.
                        let mut tally = self.fleet.tally.borrow_mut();
                        tally.try_begins();
                        tally.failed(&error);
                    }
                }
                () = &mut due => return true,
            }
        }
    }

    /// Sends what the contacts say now. True if there was a reply: a report
    /// that was refused is not sent again.
    async fn report(&mut self) -> bool {
        let now = Instant::now();
        for contact in &mut self.contacts {
            contact.advance(now, self.fleet.options.every, &mut self.dice);
        }
        let alarms = self.contacts.map(Contact::is_on);
        let report = Report { station_id: self.id, alarm1: alarms[0], alarm2: alarms[1] };
        self.fleet.tally.borrow_mut().try_begins();
        let answer = self.ask(report).await;
        let mut tally = self.fleet.tally.borrow_mut();
        match answer {
            Ok((Reply::Ok, latency)) => {
                tally.acknowledged(self.acknowledged.replace(alarms), alarms, latency);
            }
            Ok((Reply::Refused { code, sentence }, _)) => {
                tally.refused(&report.to_string(), &code, &sentence);
            }
            Err(error) => {
                tally.failed(&error);
                drop(tally);
                self.connection = None;
                return false;
            }
        }
        self.failures = 0;
        true
    }

    /// The reply to `report` and how long it took, connecting left out.
    async fn ask(&mut self, report: Report) -> io::Result<(Reply, Duration)> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.fleet, self.source).await?);
        }
        let connection = self.connection.as_mut().expect("opened above");
        let began = Instant::now();
        let reply = in_time("an answer", connection.ask(report)).await?;
        Ok((reply, began.elapsed()))
    }

    /// When the next report is due: in the next period, or when a contact
    /// changes. What was missed meanwhile is not made up for.
    fn next_report(&mut self) -> Instant {
        let now = Instant::now();
        self.period_begins = next_beginning(self.period_begins, self.fleet.options.every, now);
        let due = self.period_begins + self.fleet.options.every.mul_f64(JITTER * self.dice.f64());
        self.contacts.iter().map(|contact| contact.changes_at()).fold(due, Instant::min)
    }

    /// When to try again after a failure: each time twice as late, and never
    /// all stations at once.
    fn next_try(&mut self) -> Instant {
        let wait = backoff::delay(BACKOFF_FIRST, BACKOFF_LONGEST, self.failures, self.dice.u64(..));
        self.failures = self.failures.saturating_add(1);
        Instant::now() + wait
    }
}

/// The first beginning of a period after `now`.
fn next_beginning(begins: Instant, period: Duration, now: Instant) -> Instant {
    let Some(behind) = now.checked_duration_since(begins) else { return begins };
    let into_period_ns = behind.as_nanos() % period.as_nanos();
    let into_period =
        Duration::from_nanos(u64::try_from(into_period_ns).expect("a period is at most a year"));
    now + (period - into_period)
}

/// A connection to the server, counted while it is open.
struct Connection {
    stream: TcpStream,
    fleet: Rc<Fleet>,
}

impl Connection {
    /// Connects to the first of the server's addresses that answers.
    async fn open(fleet: &Rc<Fleet>, source: Option<IpAddr>) -> io::Result<Connection> {
        let mut failed = None;
        for &address in &fleet.addresses {
            match in_time("a connection", connect(address, source)).await {
                Ok(stream) => {
                    fleet.tally.borrow_mut().connected += 1;
                    return Ok(Connection { stream, fleet: Rc::clone(fleet) });
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.expect("a server has at least one address"))
    }

    /// Sends `report` and returns the reply.
    async fn ask(&mut self, report: Report) -> io::Result<Reply> {
        let mut line = [0; LINE_BYTES_MAX];
        let mut rest = &mut line[..];
        writeln!(rest, "{report}")?;
        let length = LINE_BYTES_MAX - rest.len();
        self.stream.write_all(&line[..length]).await?;
        let mut begun = Vec::new();
        loop {
            self.stream.readable().await?;
            if let Some(reply) = self.read_reply(&mut begun)? {
                return Ok(reply);
            }
        }
    }

    /// Reads what has come; `begun` holds the beginning of a longer reply.
    /// Apart from [`Connection::ask`], so that a waiting station keeps no
    /// buffer.
    fn read_reply(&self, begun: &mut Vec<u8>) -> io::Result<Option<Reply>> {
        let mut bytes = [0; Reply::BYTES_MAX];
        let read = match self.stream.try_read(&mut bytes) {
            Ok(0) => return Err(io::Error::other("the server closed the connection without an answer")),
            Ok(read) => &bytes[..read],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        begun.extend_from_slice(read);
        match begun.iter().position(|&byte| byte == b'\n') {
            None if begun.len() < Reply::BYTES_MAX => Ok(None),
            Some(end) if end + 1 == begun.len() => {
                Reply::parse(begun).map(Some).ok_or_else(|| strange(begun))
            }
            _ => Err(strange(begun)),
        }
    }

    /// Has the connection end by a reset, now that nothing is in flight.
    /// Closed in order, the connections of a large fleet would hold their
    /// ports for another minute: measured with 15,000, the system then
    /// searches so long for free ones that the next run stands still.
    fn forget(&self) {
        // If it fails, the connection is just closed in order.
        let _ = self.stream.set_zero_linger();
    }

    /// Returns when the connection ends while nothing was asked.
    ///
    /// # Errors
    /// The server said something all the same.
    async fn uncalled(&self) -> io::Result<()> {
        loop {
            if self.stream.readable().await.is_err() {
                return Ok(());
            }
            let mut bytes = [0; 64];
            match self.stream.try_read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(read) => return Err(strange(&bytes[..read])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Ok(()),
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.fleet.tally.borrow_mut().connected -= 1;
    }
}

async fn connect(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    // A report is one small write: it must not wait for a fuller packet.
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

/// Waits for `done`, and names what did not come in time.
async fn in_time<T>(what: &str, done: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(ANSWER_WAIT, done)
        .await
        .unwrap_or_else(|_| Err(io::Error::other(format!("{what} took longer than {ANSWER_WAIT:?}"))))
}

/// What came is no reply to one report.
fn strange(bytes: &[u8]) -> io::Error {
    let shown = &bytes[..bytes.len().min(64)];
    io::Error::other(format!("\"{}\" is no answer to one report", shown.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_keep_their_phase_and_are_not_made_up_for() {
        let begins = Instant::now();
        let second = Duration::from_secs(1);
        let after = |ms| next_beginning(begins, second, begins + Duration::from_millis(ms)) - begins;
        assert_eq!(after(0), second);
        assert_eq!(after(999), second);
        assert_eq!(after(1_000), second * 2);
        assert_eq!(after(7_300), second * 8);
    }
}
