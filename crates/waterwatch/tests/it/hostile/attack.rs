//! Peers that mean no good, on a thread of their own until dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// A slow peer's pause between two bytes.
const BYTE_EVERY: Duration = Duration::from_secs(1);

/// Connections that flood, and what each sends: in all 2 MiB a second, which
/// is about 40,000 lines that must be read and refused.
const FLOODING: usize = 32;
const FLOOD_BYTES: usize = 6 * 1024;
const FLOOD_EVERY: Duration = Duration::from_millis(94);

/// How soon one that was refused pushes in again.
const PUSH_EVERY: Duration = Duration::from_millis(200);

/// How long until the attackers are where they want to be.
const SET_UP: Duration = Duration::from_secs(20);

/// An attack that goes on until it is dropped.
pub struct Attack {
    _runtime: Runtime,
}

impl Attack {
    /// Peers that send a byte now and then that could be a report's, and never
    /// its end. (Three numbers and a pause would be one, as old clients send it.)
    pub fn slow(address: SocketAddr, connections: usize) -> Attack {
        Attack::of(connections, move |_, mut stream| async move {
            for byte in b"1234567890".iter().cycle() {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(BYTE_EVERY).await;
            }
        })
        .starting(address)
    }

    /// Peers that say nothing, as those do that have vanished without a word.
    pub fn silent(address: SocketAddr, connections: usize) -> Attack {
        Attack::of(connections, |_, mut stream| async move {
            let _ = stream.read(&mut [0]).await;
        })
        .starting(address)
    }

    /// Peers that send what is no report, without an end. One half of them
    /// reads the replies; one of four sends bytes that are no text either, is
    /// closed for it, and comes back.
    pub fn garbage(address: SocketAddr) -> Attack {
        Attack::of(FLOODING, |number, mut stream| async move {
            let mut random = fastrand::Rng::with_seed(number as u64);
            let mut replies = vec![0; 64 * 1024];
            loop {
                let line_bytes = random.usize(2..100);
                let byte = |_| if number % 4 == 3 { random.u8(..) } else { random.u8(b'!'..=b'~') };
                let mut garbage: Vec<u8> = (0..FLOOD_BYTES).map(byte).collect();
                garbage.iter_mut().step_by(line_bytes).for_each(|byte| *byte = b'\n');
                let sent = tokio::time::timeout(FLOOD_EVERY, stream.write_all(&garbage)).await;
                if matches!(sent, Ok(Err(_))) {
                    return;
                }
                if number % 2 == 0 {
                    let _ = stream.try_read(&mut replies);
                }
                tokio::time::sleep(FLOOD_EVERY).await;
            }
        })
        .starting(address)
    }

    /// Peers that connect again and again, more than there is room for.
    pub fn pushing(address: SocketAddr, connections: usize) -> Attack {
        let runtime = runtime();
        for _ in 0..connections {
            runtime.spawn(async move {
                loop {
                    if let Ok(mut stream) = TcpStream::connect(address).await {
                        let _ = stream.read(&mut [0]).await;
                    }
                    tokio::time::sleep(PUSH_EVERY).await;
                }
            });
        }
        Attack { _runtime: runtime }
    }

    fn of<F: Future<Output = ()> + Send + 'static>(
        connections: usize,
        peer: impl Fn(usize, TcpStream) -> F + Send + Sync + 'static,
    ) -> Peers<impl Fn(usize, TcpStream) -> F + Send + Sync + 'static> {
        Peers { connections, peer }
    }
}

/// An attack that is yet to start.
struct Peers<P> {
    connections: usize,
    peer: P,
}

impl<P, F> Peers<P>
where
    P: Fn(usize, TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    /// Starts it, and waits until all are connected. One that is thrown out
    /// comes back.
    fn starting(self, address: SocketAddr) -> Attack {
        let runtime = runtime();
        let (peer, inside) = (Arc::new(self.peer), Arc::new(Semaphore::new(0)));
        for number in 0..self.connections {
            let (peer, inside) = (Arc::clone(&peer), Arc::clone(&inside));
            runtime.spawn(async move {
                loop {
                    if let Ok(stream) = TcpStream::connect(address).await {
                        inside.add_permits(1);
                        peer(number, stream).await;
                    }
                    tokio::time::sleep(PUSH_EVERY).await;
                }
            });
        }
        let all = u32::try_from(self.connections).unwrap();
        let connected = runtime
            .block_on(async { tokio::time::timeout(SET_UP, inside.acquire_many(all)).await.map(|_| ()) });
        connected.expect("the attackers are connected in time");
        Attack { _runtime: runtime }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
