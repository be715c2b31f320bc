//! The minimal server once more, with one plain epoll loop for each processor
//! and a buffer that all its connections share: no runtime, no tasks.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::thread;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::minimal::{READ_BYTES, REPLIES, announce, reply_bytes};

const LISTENER: Token = Token(usize::MAX);

/// Reply bytes that one connection may owe before it is read no further.
const OWED_BYTES_MAX: usize = REPLIES.len();

pub(super) fn serve() -> anyhow::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let loops: Vec<_> = (0..thread::available_parallelism()?.get())
        .map(|_| {
            let listener = TcpListener::from_std(listener.try_clone()?);
            Ok(thread::spawn(move || run(listener)))
        })
        .collect::<anyhow::Result<_>>()?;
    announce(&listener.local_addr()?.to_string())?;
    for one in loops {
        one.join().expect("a loop does not panic")?;
    }
    Ok(())
}

/// One loop: all of them accept from the same listener.
fn run(mut listener: TcpListener) -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1_024);
    let mut connections: HashMap<Token, Connection> = HashMap::new();
    let mut next = 0;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            done => done?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let token = Token(next);
                    next += 1;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, token, interest)?;
                    connections.insert(token, Connection { stream, owed_bytes: 0, next_reply_at: 0 });
                }
            } else if let Some(connection) = connections.get_mut(&event.token())
                && connection.turn(&mut buffer).is_err()
            {
                connections.remove(&event.token());
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// Bytes of replies that found no room in the socket yet.
    owed_bytes: usize,
    /// Where in a reply the next byte to write is.
    next_reply_at: usize,
}

impl Connection {
    fn turn(&mut self, buffer: &mut [u8]) -> std::io::Result<()> {
        loop {
            self.pay()?;
            if self.owed_bytes >= OWED_BYTES_MAX {
                return Ok(());
            }
            match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.owed_bytes += reply_bytes(&buffer[..read]);
                    self.pay()?;
                    // Epoll tells of bytes that come later.
                    if read < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn pay(&mut self) -> std::io::Result<()> {
        while self.owed_bytes > 0 {
            let end = REPLIES.len().min(self.next_reply_at + self.owed_bytes);
            match self.stream.write(&REPLIES[self.next_reply_at..end]) {
                Ok(written) => {
                    self.owed_bytes -= written;
                    self.next_reply_at = (self.next_reply_at + written) % 3;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
