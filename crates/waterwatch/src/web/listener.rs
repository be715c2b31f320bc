//! Accepts connections, within limits, and lets each run: slow heads, slow
//! readers and idle connections are cut off.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Peer;
use super::asker::Asker;
use super::places::{Place, Places, Taken};
use super::timely::Timely;
use crate::config::Limits;
use crate::log::Seldom;
use crate::metrics::{Connections, OpenConnection};

/// Connections that the kernel holds ready while we accept.
const BACKLOG: u32 = 4096;

/// How long to wait when no connection can be accepted (no file descriptors):
/// accepting again at once would spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Bytes that the head of a request may have: more than a browser with its
/// cookies sends.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Header lines that a request may have.
const HEADERS_MAX: usize = 64;

/// How long those that are being answered may take once the server stops.
const STOP: Duration = Duration::from_millis(2500);

/// What a connection is told that is one too many. It has not been read, so it is
/// told without being asked.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 148\r\n\r\n\
    {\"type\":\"urn:waterwatch:problem:not-done\",\"title\":\"It was not done; ask again\",\"status\":503,\
    \"detail\":\"too many connections (http_connections_max)\"}\n";

/// An address that is bound and not yet accepting.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// Where it is bound; the port is the real one.
    pub address: SocketAddr,
}

/// Binds an address for HTTP.
///
/// # Errors
/// If the address is taken or not this machine's.
pub fn bind(address: SocketAddr) -> anyhow::Result<Bound> {
    let bind = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart must not wait for the connections of the run before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let listener = bind().with_context(|| {
        format!("cannot listen for HTTP on {address}; --http takes another address, or off")
    })?;
    Ok(Bound { address: listener.local_addr()?, listener })
}

/// Serves until it is told to stop, and then until those that were asking are
/// answered.
pub(super) async fn serve(
    bound: Bound,
    router: Router,
    limits: &Limits,
    counts: Connections,
    stopping: CancellationToken,
) {
    let Bound { listener, .. } = bound;
    let mut places = Places::new(limits.http_connections_max);
    counts.may_be(limits.http_connections_max);
    let mut http = http1::Builder::new();
    // Without a timer the timeout would be none: a head that never ends, or never
    // begins, would hold its connection for ever.
    http.timer(TokioTimer::new())
        // Whoever has asked and says no more (`nc -N`) still hears the answer. So nobody here
        // notices who goes away meanwhile; what is sent for ever asks its `Asker`.
        .half_close(true)
        .header_read_timeout(Duration::from_secs(limits.http_head_timeout_s))
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let take_within = Duration::from_secs(limits.reply_timeout_s);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    accept_later(&error).await;
                    continue;
                }
            }
        };
        let place = match places.take(peer).await {
            Taken::Free(place) => place,
            Taken::Instead(place) => {
                say_evicted(peer);
                counts.evicted();
                place
            }
            Taken::None => {
                refuse(&stream, peer);
                counts.turned_away();
                continue;
            }
        };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let router = router.clone();
        let standing = place.standing();
        let stream = Arc::new(stream);
        let asker = Asker::of(&stream);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(standing.clone());
            request.extensions_mut().insert(asker.clone());
            router.clone().oneshot(request.map(Body::new))
        });
        let io = TokioIo::new(Timely::new(stream, take_within));
        let connection = graceful.watch(http.serve_connection(io, service));
        connections.spawn(run(connection, (place, counts.open()), peer));
    }
    drop(listener);
    if timeout(STOP, graceful.shutdown()).await.is_err() {
        tracing::warn!("some HTTP requests did not end in time; their connections are closed");
    }
    // Whoever is left holds the writer's lane open.
    connections.shutdown().await;
}

async fn run(
    connection: impl Future<Output = hyper::Result<()>>,
    (place, _open): (Place, OpenConnection),
    peer: SocketAddr,
) {
    tokio::select! {
        biased;
        () = place.wanted() => {}
        ended = connection => if let Err(error) = ended {
            // A peer that went away, sent no HTTP, or was too slow: its affair.
            tracing::debug!(%peer, %error, "an HTTP connection ended early");
        }
    }
}

fn say_evicted(peer: SocketAddr) {
    static NO_PLACE: Seldom = Seldom::new(Seldom::EVERY);
    NO_PLACE.say(|held_back| {
        tracing::warn!(
            %peer, held_back,
            "closed an HTTP connection without a valid token for one that came: http_connections_max are open"
        );
    });
}

fn refuse(stream: &TcpStream, peer: SocketAddr) {
    static NO_PLACE: Seldom = Seldom::new(Seldom::EVERY);
    NO_PLACE.say(|held_back| {
        tracing::warn!(%peer, held_back, "turned an HTTP connection away: http_connections_max are open, all with valid tokens");
    });
    // What cannot be said at once is not said. What it has sent already is taken
    // out of the way, or closing would reset the connection before it is read.
    let _ = stream.try_read(&mut [0; 4096]);
    let _ = stream.try_write(NO_ROOM);
}

async fn accept_later(error: &io::Error) {
    static CANNOT_ACCEPT: Seldom = Seldom::new(Seldom::EVERY);
    // The peer gave up while it waited: nothing is wrong with us.
    if error.kind() == io::ErrorKind::ConnectionAborted {
        return;
    }
    CANNOT_ACCEPT.say(|held_back| {
        tracing::error!(%error, held_back, "cannot accept HTTP connections for now; they wait");
    });
    tokio::time::sleep(ACCEPT_AGAIN).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_too_many_is_told_is_whole() {
        let text = std::str::from_utf8(NO_ROOM).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let said = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        assert_eq!(said, body.len().to_string());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
