//! Where new connections come from.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

/// Ports of one source address, within what any program may use.
const PORT_MIN: u16 = 10_000;
const PORT_MAX: u16 = 59_999;

/// Source addresses 127.0.0.2 to 127.0.0.201. With the ports of each they are
/// ten million: none is used twice within the minute in which the system
/// keeps a closed connection's pair to itself.
const HOST_MIN: u8 = 2;
const HOST_MAX: u8 = 201;

/// Opens connections to one server, each from another address and port if it
/// is on loopback. Left to itself the system would run out of free ports at
/// about 14,000 connections a second, and the search for one would be what is
/// measured.
pub(super) struct Source {
    server: SocketAddr,
    host: u8,
    port: u16,
}

impl Source {
    pub(super) fn new(server: SocketAddr) -> Source {
        Source { server, host: HOST_MIN, port: PORT_MIN }
    }

    /// Begins a connection.
    ///
    /// # Errors
    /// The system has no room for it.
    pub(super) fn connect(&mut self) -> io::Result<TcpStream> {
        let SocketAddr::V4(server) = self.server else { return TcpStream::connect(self.server) };
        if !server.ip().is_loopback() {
            return TcpStream::connect(self.server);
        }
        loop {
            match self.connect_from_next(server) {
                // Somebody else has this pair.
                Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable) => {}
                done => return done,
            }
        }
    }

    fn connect_from_next(&mut self, server: SocketAddrV4) -> io::Result<TcpStream> {
        let source = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, self.host), self.port);
        self.advance();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&source.into())?;
        match socket.connect(&server.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                Err(error)
            }
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }

    fn advance(&mut self) {
        if self.port < PORT_MAX {
            self.port += 1;
        } else {
            self.port = PORT_MIN;
            self.host = if self.host < HOST_MAX { self.host + 1 } else { HOST_MIN };
        }
    }
}
