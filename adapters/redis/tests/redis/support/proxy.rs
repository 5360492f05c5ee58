//! [`Proxy`]: a TCP proxy that can stop to carry anything, as a network does.

use std::net::SocketAddr;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Accepts connections for a server.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    /// Counts the stalls. A connection carries nothing any more after one.
    stalls: watch::Sender<u32>,
}

impl Proxy {
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stalls, stalled) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut stalled = stalled.clone();
                stalled.mark_unchanged();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = stalled.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, stalls }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The connections stay open and carry nothing any more. New ones work.
    pub(crate) fn stall(&self) {
        self.stalls.send_modify(|stalls| *stalls += 1);
    }
}
