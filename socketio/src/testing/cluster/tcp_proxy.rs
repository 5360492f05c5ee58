//! [`TcpProxy`]: a TCP proxy that can stop to carry anything, as a network does.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A TCP proxy in front of the broker that an engine connects to. It stops to carry anything when a
/// test says so. It ends with the runtime.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// A connection carries nothing any more after a stall.
    stalls: u32,
    /// A connection ends at a cut.
    cuts: u32,
    /// Nothing is carried meanwhile.
    hangs: bool,
}

impl TcpProxy {
    /// Listens on a port of 127.0.0.1 that the system chooses, for a server on `port`.
    ///
    /// # Errors
    ///
    /// The system has no free port.
    ///
    /// # Panics
    ///
    /// If it is not called on a tokio runtime.
    pub fn start(port: u16) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let (state, current) = watch::channel(State::default());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, port, current.clone()));
            }
        });
        Ok(Self { address, state })
    }

    /// What clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connections stay open and carry nothing any more. New ones work.
    pub fn stall(&self) {
        self.state.send_modify(|state| state.stalls += 1);
    }

    /// The connections end. New ones work.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// The connections and new ones carry nothing, until it is called with `false`.
    pub fn hang(&self, hangs: bool) {
        self.state.send_modify(|state| state.hangs = hangs);
    }
}

async fn carry(client: TcpStream, port: u16, state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let State { stalls, cuts, .. } = state.borrow().clone();
    let (mut end, mut stall) = (state.clone(), state.clone());
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    // They own the connections, which must outlive a stall.
    let mut up = pin!(copy(client_reads, server_writes, state.clone()));
    let mut down = pin!(copy(server_reads, client_writes, state));
    tokio::select! {
        () = &mut up => {}
        () = &mut down => {}
        () = until(&mut end, |state| state.cuts != cuts) => {}
        () = until(&mut stall, |state| state.stalls != stalls) => std::future::pending().await,
    }
}

async fn until(state: &mut watch::Receiver<State>, is_true: impl FnMut(&State) -> bool) {
    _ = state.wait_for(is_true).await;
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        until(&mut state, |state| !state.hangs).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
