//! The server dies with thousands of stations connected, and all of them come
//! back at once. `./campaign storm` runs the long form.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::Server;
use crate::oracle::Oracle;

/// In `./test`; `WATERWATCH_STORM_STATIONS` sets another number.
const STATIONS: usize = 5000;

/// Open files that this process needs besides the stations.
const FILES_RESERVED: usize = 500;

/// How long a station waits for a reply, and until it tries again.
const REPLY: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(100);

/// One address has not enough ports for two rounds of connections. Not the one
/// that other tests have their servers on, whose ports would become scarce.
const ADDRESSES: usize = 8;

/// Until all are acknowledged again: far more than it takes on two busy
/// cores, far less than anybody would call an outage.
const ALL_BACK: Duration = Duration::from_secs(15);

#[test]
fn thousands_come_back_at_once_after_kill_9_and_nothing_is_lost() {
    let wanted = std::env::var("WATERWATCH_STORM_STATIONS").map_or(STATIONS, |text| text.parse().unwrap());
    let files = waterwatch::open_files::raise().map_or(usize::MAX, |files| usize::try_from(files).unwrap());
    let stations = wanted.min(files.saturating_sub(FILES_RESERVED));
    if stations < wanted {
        println!(
            "SKIPPED: {wanted} stations; the open files that the system allows are enough for {stations}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let (address, oracle) = (server.address, Oracle::default());
    let again = Arc::new(AtomicUsize::new(0));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (start, started) = watch::channel(());
        let mut connected = JoinSet::new();
        for id in 0..stations {
            connected.spawn(until_acknowledged(id, address, oracle.clone(), Arc::clone(&again)));
        }
        let streams = connected.join_all().await;
        again.store(0, Ordering::Relaxed);

        let killed = Instant::now();
        server.kill();
        let mut back = JoinSet::new();
        for (id, mut stream) in streams.into_iter().enumerate() {
            let (oracle, again, mut started) = (oracle.clone(), Arc::clone(&again), started.clone());
            back.spawn(async move {
                // Each notices by itself.
                assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)), "nothing more is said");
                drop(stream);
                started.changed().await.unwrap();
                until_acknowledged(id, address, oracle, again).await
            });
        }
        let server = Server::start(folder.path(), &["--listen", &address.to_string()]);
        let listening = Instant::now();
        start.send_replace(());
        let streams = back.join_all().await;
        let took = listening.elapsed();
        println!(
            "{stations} stations: listening {:?} after the kill, all acknowledged {took:?} later, {} tries more",
            listening - killed,
            again.load(Ordering::Relaxed)
        );
        assert!(took < ALL_BACK, "{took:?}");
        oracle.check(&server.data).unwrap();
        let data = server.data.clone();
        drop(streams);
        server.stop();
        oracle.check(&data).unwrap();
    });
}

/// A station that connects and reports until it is acknowledged, and stays
/// connected.
async fn until_acknowledged(
    id: usize,
    server: SocketAddr,
    oracle: Oracle,
    again: Arc<AtomicUsize>,
) -> TcpStream {
    let from = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(id % ADDRESSES).unwrap());
    loop {
        let (line, places) = oracle.send([i64::try_from(id).unwrap()]);
        let reported = tokio::time::timeout(REPLY, report(from, server, line.as_bytes())).await;
        if let Ok(Ok(stream)) = reported {
            oracle.acknowledge(&places);
            return stream;
        }
        again.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(AGAIN).await;
    }
}

async fn report(from: Ipv4Addr, server: SocketAddr, line: &[u8]) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let mut stream = socket.connect(server).await?;
    stream.write_all(line).await?;
    let mut reply = [0; 3];
    stream.read_exact(&mut reply).await?;
    assert_eq!(&reply, b"OK\n");
    Ok(stream)
}
