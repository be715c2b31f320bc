//! A connection whose peer takes what is written to it within a time, or is
//! cut off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// A stream that fails once its peer has taken nothing for a time while there was
/// something to take: an open page whose phone is gone must hold no memory.
#[derive(Debug)]
pub(super) struct Timely {
    stream: Arc<TcpStream>,
    take_within: Duration,
    /// Runs while something waits to be taken.
    late: Pin<Box<Sleep>>,
    waits: bool,
}

impl Timely {
    /// Shared with those who only look whether the peer is there.
    pub(super) fn new(stream: Arc<TcpStream>, take_within: Duration) -> Timely {
        Timely { stream, take_within, late: Box::pin(sleep(Duration::ZERO)), waits: false }
    }

    /// Writes as soon as the socket takes something.
    fn poll_take(
        &mut self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.stream.poll_write_ready(context)?.is_pending() {
                return self.poll_late(context);
            }
            match write(&self.stream) {
                // The runtime had not heard of it yet; now it has.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.waits = false;
                    return Poll::Ready(written);
                }
            }
        }
    }

    fn poll_late<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if !self.waits {
            self.waits = true;
            self.late.as_mut().reset(Instant::now() + self.take_within);
        }
        ready!(self.late.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl AsyncRead for Timely {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            match self.stream.try_read_buf(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Timely {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_take(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_take(context, |stream| stream.try_write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket holds nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match rustix::net::shutdown(&*self.stream, Shutdown::Write) {
            // It is over already.
            Ok(()) | Err(rustix::io::Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}
