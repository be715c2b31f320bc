//! Whether whoever asked is still there, for answers that go on: while one is sent
//! nobody reads from its connection, and so nobody hears of its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How often it is looked behind what somebody has sent besides: it hides the end from
/// those who wait for it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The connection of whoever asked.
#[derive(Clone, Debug)]
pub(super) struct Asker(Arc<TcpStream>);

impl Asker {
    pub(super) fn of(stream: &Arc<TcpStream>) -> Asker {
        Asker(Arc::clone(stream))
    }

    /// Waits until they have ended the connection, or their side of it, or it was reset.
    pub(super) async fn gone(&self) {
        while let Ok(1..) = self.0.peek(&mut [0]).await {
            match self.0.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => sleep(LOOK_AGAIN).await,
                _ => return,
            }
        }
    }
}
