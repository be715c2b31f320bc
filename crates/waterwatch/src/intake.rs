//! The intake: accepts stations, within limits, and lets each connection run.
//!
//! It knows neither SQL nor stations' states. What a connection says is read
//! in `connection`; what becomes of it is the writer's affair.

mod admission;
mod connection;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use waterwatch_core::Origin;

use crate::config::{Limits, Listener, Range};
use crate::lane::Lane;
use crate::log::Seldom;
use crate::metrics::{Connections, Metrics, RefusedLines};
use admission::Admission;
use connection::Connection;

/// Connections that the kernel holds ready while we accept: a fleet that
/// comes back at once after a restart waits there instead of being refused.
const BACKLOG: u32 = 4096;

/// How long to wait when no connection can be accepted (no file descriptors):
/// accepting again at once would spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Accepts stations and lets their connections run.
#[derive(Clone, Debug)]
pub struct Intake {
    lane: Lane,
    shared: Arc<Shared>,
    admission: Arc<Admission>,
    connections: Connections,
    stopping: CancellationToken,
    hang_up: watch::Receiver<()>,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    limits: Limits,
    /// Asked by each connection before each reading, so it must not take a
    /// lock.
    is_stopping: AtomicBool,
    /// Wakes the connections, after `is_stopping` was set.
    stopping: CancellationToken,
    refused_lines: RefusedLines,
}

impl Shared {
    fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.stopping.cancel();
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }
}

/// A listener that is bound and not yet accepting.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    allow: Vec<Range>,
    /// Where it is bound; the port is the real one.
    pub address: SocketAddr,
}

/// Binds a listener.
///
/// # Errors
/// If the address is taken or not this machine's.
pub fn bind(listener: &Listener) -> anyhow::Result<Bound> {
    let address = listener.address;
    let bind = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart must not wait for the connections of the run before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let bound = bind().with_context(|| format!("cannot listen for stations on {address}"))?;
    Ok(Bound { address: bound.local_addr()?, listener: bound, allow: listener.allow.clone() })
}

impl Intake {
    /// An intake that hands reports to `lane`, ends orderly when `stopping`
    /// is cancelled, and closes every connection at once when `hang_up`
    /// changes. `metrics` counts connections, and lines that are refused.
    #[must_use]
    pub fn new(
        lane: Lane,
        limits: Limits,
        stopping: CancellationToken,
        hang_up: watch::Receiver<()>,
        metrics: &Metrics,
    ) -> Intake {
        metrics.stations.may_be(limits.connections_max);
        let admission = Arc::new(Admission::new(
            limits.connections_max,
            limits.connections_per_address_max,
            metrics.stations.clone(),
        ));
        let shared = Shared {
            limits,
            is_stopping: AtomicBool::new(false),
            stopping: CancellationToken::new(),
            refused_lines: metrics.refused_lines.clone(),
        };
        let connections = metrics.stations.clone();
        Intake { lane, shared: Arc::new(shared), admission, connections, stopping, hang_up }
    }

    /// Accepts until it is told to stop, then waits for the connections to
    /// end. `number` is the listener's, by which reports name it.
    pub async fn serve(mut self, bound: Bound, number: u16) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => break,
                Ok(()) = self.hang_up.changed() => connections.abort_all(),
                Some(_) = connections.join_next() => {}
                accepted = bound.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        if let Some(connection) = self.admit(stream, peer, number, &bound.allow) {
                            connections.spawn(connection.serve());
                        }
                    }
                    Err(error) => self.accept_later(&error).await,
                }
            }
        }
        self.accept_the_last(bound, number, &mut connections);
        self.shared.stop();
        loop {
            tokio::select! {
                Ok(()) = self.hang_up.changed() => connections.abort_all(),
                ended = connections.join_next() => if ended.is_none() { break },
            }
        }
    }

    /// The connection, if there is room for it and its peer may connect. The
    /// others are closed without a word: any reply would count as success
    /// with an old client.
    fn admit(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        listener: u16,
        allow: &[Range],
    ) -> Option<Connection> {
        static NOT_ALLOWED: Seldom = Seldom::new(Seldom::EVERY);
        static NO_ROOM: Seldom = Seldom::new(Seldom::EVERY);
        let address = peer.ip().to_canonical();
        if !allow.is_empty() && !allow.iter().any(|range| range.contains(address)) {
            NOT_ALLOWED.say(|held_back| {
                tracing::warn!(%peer, held_back, "closed a connection: its address is not in the listener's allow");
            });
            self.connections.turned_away();
            return None;
        }
        let place = match self.admission.admit(address) {
            Ok(place) => place,
            Err(full) => {
                NO_ROOM.say(|held_back| tracing::warn!(%peer, held_back, "closed a connection: {full}"));
                self.connections.turned_away();
                return None;
            }
        };
        // Without it a reply could wait for the peer's delayed acknowledgement.
        stream.set_nodelay(true).ok()?;
        Some(Connection::new(
            stream,
            peer,
            Origin::of(listener, address),
            place,
            self.lane.speaker(),
            Arc::clone(&self.shared),
        ))
    }

    /// Serves the connections that the kernel has completed already, whose
    /// reports may have been received; then closes the listener.
    fn accept_the_last(&self, bound: Bound, number: u16, connections: &mut JoinSet<()>) {
        // A listener of the runtime does not block, and stays so.
        let Ok(listener) = bound.listener.into_std() else { return };
        for _ in 0..BACKLOG {
            let Ok((stream, peer)) = listener.accept() else { return };
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
                && let Some(connection) = self.admit(stream, peer, number, &bound.allow)
            {
                connections.spawn(connection.serve());
            }
        }
    }

    async fn accept_later(&self, error: &io::Error) {
        static CANNOT_ACCEPT: Seldom = Seldom::new(Seldom::EVERY);
        // The peer gave up while it waited: nothing is wrong with us.
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        CANNOT_ACCEPT.say(|held_back| {
            tracing::error!(%error, held_back, "cannot accept connections for now; they wait");
        });
        tokio::select! {
            () = self.stopping.cancelled() => {}
            () = tokio::time::sleep(ACCEPT_AGAIN) => {}
        }
    }
}
