//! The minimal server: what a competent hand writes with tokio if nothing
//! needs to be read, checked or stored. Nobody who answers each line can be
//! much faster with these tools, so it stands for what the machine gives.

use std::io::Write;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

pub(super) fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        announce(&listener.local_addr()?.to_string())?;
        loop {
            let (stream, _) = listener.accept().await?;
            // Whether a connection ends well or not is its peer's business.
            tokio::spawn(answer(stream));
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

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&REPLIES[..reply_bytes(&buffer[..read])]).await?;
    }
}
