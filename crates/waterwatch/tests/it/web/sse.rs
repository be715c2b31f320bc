//! Server-sent events as they come, byte by byte, such that they can be cut at any
//! place.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::Api;
use crate::harness::{PATIENCE, Server};

/// One entry that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub id: i64,
    pub kind: String,
    pub data: Value,
}

/// An open stream.
pub struct Stream {
    socket: TcpStream,
    /// What came and is not yet read.
    raw: Vec<u8>,
    /// The body as far as it is whole.
    body: Vec<u8>,
    /// All until the body.
    pub head: String,
    /// The last id that was said, with an entry or without.
    pub last_id: Option<i64>,
}

impl Stream {
    /// Asks for a stream, without waiting for anything.
    pub fn ask(server: &Server, api: &Api, query: &str, last_id: Option<i64>) -> Stream {
        let mut socket = TcpStream::connect(api.address).expect("the server accepts");
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let last = last_id.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        let token = server.token();
        write!(
            socket,
            "GET /api/v1/events/stream{query} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{last}\r\n"
        )
        .unwrap();
        Stream { socket, raw: Vec::new(), body: Vec::new(), head: String::new(), last_id }
    }

    /// Opens a stream: it is known from where on it follows.
    pub fn open(server: &Server, query: &str, last_id: Option<i64>) -> Stream {
        let mut stream = Stream::ask(server, &server.api(), query, last_id);
        stream.last_id = None;
        // What was recorded since may follow at once.
        while stream.last_id.is_none() {
            assert!(stream.read(), "{}", stream.head);
            assert!(
                stream.head.is_empty() || stream.head.starts_with("HTTP/1.1 200 OK\r\n"),
                "{}",
                stream.head
            );
            assert!(stream.block().flatten().is_none(), "before it is said from where on");
        }
        stream
    }

    /// The next entry; `None` at the end.
    pub fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(sent) = self.take() {
                return Some(sent);
            }
            if !self.read() {
                return None;
            }
        }
    }

    /// The entries until the one with this sequence.
    pub fn until(&mut self, sequence: i64) -> Vec<Sent> {
        let mut all = Vec::new();
        while self.last_id.is_none_or(|id| id < sequence) {
            all.push(self.next().expect("the stream goes on"));
        }
        all
    }

    /// The whole entries that come until so many bytes have come, or that time is
    /// over; then it is cut.
    pub fn cut_after(mut self, bytes: usize, time: Duration) -> (Vec<Sent>, Option<i64>) {
        let until = Instant::now() + time;
        let mut piece = [0; 512];
        let mut left = bytes;
        while left > 0 && Instant::now() < until {
            self.socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
            let most = left.min(piece.len());
            match self.socket.read(&mut piece[..most]) {
                Ok(0) => break,
                Ok(count) => {
                    left -= count;
                    self.raw.extend_from_slice(&piece[..count]);
                }
                Err(_) => {}
            }
        }
        drop(self.socket.shutdown(std::net::Shutdown::Both));
        self.decode();
        let all = std::iter::from_fn(|| self.take()).collect();
        (all, self.last_id)
    }

    /// Sends more, as nobody does who follows.
    pub fn say(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server takes it");
    }

    /// Says that nothing more is said, and goes on listening.
    pub fn half_close(&self) {
        self.socket.shutdown(std::net::Shutdown::Write).expect("it is open");
    }

    /// Ends it as a phone does whose program is killed: without a word of farewell.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO)).expect("an option");
    }

    /// Reads more; `false` at the end, however it came.
    fn read(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        match self.socket.read(&mut piece) {
            Ok(0) => false,
            Ok(count) => {
                self.raw.extend_from_slice(&piece[..count]);
                self.decode();
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came in time"),
            Err(_) => false,
        }
    }

    /// Takes the head and whole chunks out of what came.
    fn decode(&mut self) {
        if self.head.is_empty() {
            let Some(end) = find(&self.raw, b"\r\n\r\n") else { return };
            self.head = String::from_utf8(self.raw.drain(..end + 4).collect()).expect("a head is ASCII");
        }
        while let Some(end) = find(&self.raw, b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..end]).ok();
            let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).expect("a chunk's size");
            let whole = end + 2 + size + 2;
            if self.raw.len() < whole {
                return;
            }
            self.body.extend_from_slice(&self.raw[end + 2..whole - 2]);
            self.raw.drain(..whole);
        }
    }

    /// The next entry among what came whole.
    fn take(&mut self) -> Option<Sent> {
        loop {
            if let Some(sent) = self.block()? {
                return Some(sent);
            }
        }
    }

    /// What was said next, if that came whole: an entry, or only up to where there
    /// is none.
    fn block(&mut self) -> Option<Option<Sent>> {
        let end = find(&self.body, b"\n\n")?;
        let said: Vec<u8> = self.body.drain(..end + 2).collect();
        let (mut kind, mut data) = (String::new(), None);
        for line in std::str::from_utf8(&said).expect("UTF-8").lines() {
            match line.split_once(": ") {
                Some(("id", id)) => self.last_id = Some(id.parse().expect("a sequence")),
                Some(("event", said)) => said.clone_into(&mut kind),
                Some(("data", said)) => data = Some(serde_json::from_str(said).expect("JSON")),
                _ => {}
            }
        }
        Some(self.last_id.zip(data).map(|(id, data)| Sent { id, kind, data }))
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
