//! One report and its reply: connect, send a line, read a line, close.

use std::io;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use waterwatch_core::Report;
use waterwatch_core::wire::Reply;

use crate::server_address::ServerAddress;

/// The most addresses of one name that are tried. They share the time for
/// connecting, and each must keep enough of it for a slow link.
const ADDRESSES_MAX: usize = 4;

/// The most characters of a strange reply that are shown: enough to see who
/// it is that answers.
const EXCERPT_CHARS_MAX: usize = 60;

/// What became of a report: the server's reply, or why there is none.
pub(super) type Outcome = Result<Reply, Trouble>;

/// How long each part of an exchange may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// To look up the server's name.
    pub(super) look_up: Duration,
    /// To connect, all its addresses together.
    pub(super) connect: Duration,
    /// To send the report and get the reply.
    pub(super) reply: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            // The system asks a second name server when the first has been
            // silent for five seconds.
            look_up: Duration::from_secs(10),
            // Three lost packets (1 + 2 + 4 s) on a radio link still connect.
            connect: Duration::from_secs(10),
            // The server tries five seconds to store a report before it
            // gives up; the rest is for the link.
            reply: Duration::from_secs(15),
        }
    }
}

/// Why a report has no reply. It is not known whether the server took it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The server's name leads to no address.
    #[error("its address cannot be found: {0}")]
    NoAddress(io::Error),
    /// No address could be connected to; the error of the last one.
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// It was closed by the server.
    #[error("it closed the connection without a reply")]
    Closed,
    /// Nothing came in time.
    #[error("it did not reply within {0:?}")]
    Silent(Duration),
    /// What came is nothing that a waterwatch server says.
    #[error("it replied {0}; is this a waterwatch server?")]
    Strange(String),
}

impl Trouble {
    /// Two troubles of one kind are one message in the log.
    pub(super) fn kind(&self) -> TroubleKind {
        let error = match self {
            Trouble::NoAddress(error) | Trouble::Unreachable(error) | Trouble::Broken(error) => {
                Some(error.kind())
            }
            Trouble::Closed | Trouble::Silent(_) | Trouble::Strange(_) => None,
        };
        TroubleKind(discriminant(self), error)
    }
}

/// What two troubles of one kind have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TroubleKind(Discriminant<Trouble>, Option<io::ErrorKind>);

/// Sends `report` on a connection of its own and waits for the reply.
pub(super) async fn exchange(server: &ServerAddress, report: Report, deadlines: Deadlines) -> Outcome {
    let stream = connect(server, deadlines).await?;
    match timeout(deadlines.reply, ask(stream, report)).await {
        Ok(reply) => read_reply(&reply.map_err(Trouble::Broken)?),
        Err(_) => Err(Trouble::Silent(deadlines.reply)),
    }
}

/// Looks up the server and connects to the first of its addresses that takes
/// the connection. What one address leaves of its share of the time goes to
/// those after it.
async fn connect(server: &ServerAddress, deadlines: Deadlines) -> Result<TcpStream, Trouble> {
    let looking_up = timeout(deadlines.look_up, lookup_host((server.host.as_str(), server.port)));
    let found = looking_up.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let addresses: Vec<_> = found.map_err(Trouble::NoAddress)?.take(ADDRESSES_MAX).collect();
    let deadline = Instant::now() + deadlines.connect;
    let mut trouble = Trouble::NoAddress(io::Error::other("the name has none"));
    for (index, address) in addresses.iter().enumerate() {
        let share = deadline.duration_since(Instant::now()) / divisor(addresses.len() - index);
        let connected = timeout(share, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) if is_with_itself(&stream) => {
                trouble = Trouble::Unreachable(io::ErrorKind::ConnectionRefused.into());
            }
            Ok(stream) => return Ok(stream),
            Err(error) => trouble = Trouble::Unreachable(error),
        }
    }
    Err(trouble)
}

fn divisor(addresses: usize) -> u32 {
    u32::try_from(addresses).expect("not more than ADDRESSES_MAX")
}

/// Whether this is no server's connection: on the server's own machine, and
/// while the server is away, the system may choose the server's port as ours,
/// and TCP connects the socket to itself.
fn is_with_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

/// Sends the report and gives what comes back, up to a newline, the end or
/// more than a reply can have.
async fn ask(mut stream: TcpStream, report: Report) -> io::Result<Vec<u8>> {
    stream.write_all(format!("{report}\n").as_bytes()).await?;
    let mut reply = Vec::new();
    let limit = Reply::BYTES_MAX as u64 + 1;
    BufReader::new(stream.take(limit)).read_until(b'\n', &mut reply).await?;
    Ok(reply)
}

/// What a reply means.
fn read_reply(bytes: &[u8]) -> Outcome {
    if bytes.is_empty() {
        return Err(Trouble::Closed);
    }
    let reply = if bytes.len() > Reply::BYTES_MAX { None } else { Reply::parse(bytes) };
    reply.ok_or_else(|| Trouble::Strange(excerpt(bytes)))
}

fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    let shown: String = text.chars().take(EXCERPT_CHARS_MAX).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown:?}{more}")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn knows_each_reply() {
        let told = |bytes: &[u8]| match read_reply(bytes) {
            Ok(Reply::Ok) => "acknowledged".to_owned(),
            Ok(Reply::Refused { code, sentence }) => format!("refused {code}: {sentence}"),
            Err(trouble) => trouble.to_string(),
        };
        assert_eq!(told(b"OK\n"), "acknowledged");
        assert_eq!(told(b"OK\r\n"), "acknowledged");
        assert_eq!(told(b"OK"), "acknowledged");
        assert_eq!(told(b"ERR alarm Alarm1 is \"x\"\n"), "refused alarm: Alarm1 is \"x\"");
        // Nothing that a terminal would obey.
        assert_eq!(
            told(b"ERR alarm \x1b[2Jgone\n"),
            "it replied \"ERR alarm \\u{1b}[2Jgone\"; is this a waterwatch server?"
        );
        assert_eq!(told(b""), "it closed the connection without a reply");
        assert_eq!(told(b"O"), "it replied \"O\"; is this a waterwatch server?");
        assert_eq!(told(b"\n"), "it replied \"\"; is this a waterwatch server?");
        assert_eq!(
            told(b"HTTP/1.1 400 Bad\r\n"),
            "it replied \"HTTP/1.1 400 Bad\"; is this a waterwatch server?"
        );
        let mut long = b"ERR alarm ".to_vec();
        long.resize(Reply::BYTES_MAX + 1, b'x');
        assert!(told(&long).starts_with("it replied \"ERR alarm xxx"));
        long.truncate(Reply::BYTES_MAX);
        assert!(told(&long).starts_with("refused alarm: xxx"));
    }

    #[test]
    fn a_kind_is_the_trouble_and_its_cause() {
        let unreachable = |kind: io::ErrorKind| Trouble::Unreachable(kind.into()).kind();
        assert_eq!(unreachable(io::ErrorKind::TimedOut), unreachable(io::ErrorKind::TimedOut));
        assert_ne!(unreachable(io::ErrorKind::TimedOut), unreachable(io::ErrorKind::ConnectionRefused));
        assert_ne!(Trouble::Closed.kind(), Trouble::Silent(Duration::ZERO).kind());
        assert_eq!(Trouble::Strange("a".into()).kind(), Trouble::Strange("b".into()).kind());
    }

    #[test]
    fn a_silent_server_is_waited_for_no_longer_than_the_deadline() {
        // The system takes the connection and the line; nobody ever replies.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let deadlines = Deadlines { reply: Duration::from_millis(50), ..Deadlines::default() };
        let trouble = converse("127.0.0.1", listener.local_addr().unwrap().port(), deadlines).unwrap_err();
        assert_eq!(trouble.to_string(), "it did not reply within 50ms");
    }

    #[test]
    fn a_name_without_an_address_is_told_as_such() {
        // Longer than a name can be, so that no name server is asked.
        let trouble = converse(&"x".repeat(300), 54321, Deadlines::default()).unwrap_err();
        assert!(matches!(trouble, Trouble::NoAddress(_)), "{trouble}");
    }

    fn converse(host: &str, port: u16, deadlines: Deadlines) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server = ServerAddress { host: host.to_owned(), port };
        let report = waterwatch_core::wire::parse(b"123 0 1").unwrap();
        runtime.block_on(exchange(&server, report, deadlines))
    }
}
