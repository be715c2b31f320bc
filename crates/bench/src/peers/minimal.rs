//! The minimal server: what a competent hand writes with tokio if nothing
//! needs to be read, checked or stored. Nobody who answers each line can be
//! much faster with these tools, so it stands for what the machine gives. A
//! variant reads each report, as whoever wants to know what it says must.

use std::io::Write;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use waterwatch::config::Limits;
use waterwatch_core::wire::Lines;

/// Bytes read at once, and so the most lines.
pub(super) const READ_BYTES: usize = 64 * 1_024;

/// As many replies as a read can ask for.
pub(super) static REPLIES: [u8; 3 * READ_BYTES] = {
    let mut bytes = [b'\n'; 3 * READ_BYTES];
    let mut place = 0;
    while place < bytes.len() {
        bytes[place] = b'O';
        bytes[place + 1] = b'K';
        place += 3;
    }
    bytes
};

/// How closely a server looks at what it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// It counts newlines.
    AtNewlines,
    /// It reads each report with waterwatch's own parser.
    AtReports,
}

pub(super) fn serve(looks: Looks) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        announce(&listener.local_addr()?.to_string())?;
        loop {
            let (stream, _) = listener.accept().await?;
            // Whether a connection ends well or not is its peer's business.
            tokio::spawn(answer(stream, looks));
        }
    })
}

/// Says where it listens, as waterwatch does.
pub(super) fn announce(address: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening stations {address}").context("cannot write to standard output")
}

/// Bytes of the replies to what was read.
pub(super) fn reply_bytes(read: &[u8]) -> usize {
    3 * memchr::memchr_iter(b'\n', read).count()
}

async fn answer(mut stream: TcpStream, looks: Looks) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut lines = Lines::new(Limits::default().line_bytes_max);
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let mut bytes = &buffer[..read];
        let replies = match looks {
            Looks::AtNewlines => reply_bytes(bytes),
            // A line that is no report is left without an answer, which the
            // generator takes for the failure that it is.
            Looks::AtReports => 3 * std::iter::from_fn(|| lines.next(&mut bytes)).flatten().count(),
        };
        stream.write_all(&REPLIES[..replies]).await?;
    }
}
