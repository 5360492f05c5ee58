//! [`TcpSettings`]: options of accepted TCP sockets, with which the kernel finds out that a client
//! is gone.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// The longest times that Linux takes.
const LONGEST_IDLE: Duration = Duration::from_secs(i16::MAX as u64);
#[cfg(any(target_os = "android", target_os = "linux"))]
const LONGEST_USER_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// The options of accepted TCP sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TcpSettings {
    pub(super) keepalive: Option<Duration>,
    pub(super) user_timeout: Option<Duration>,
}

impl Default for TcpSettings {
    fn default() -> Self {
        Self { keepalive: Some(Duration::from_secs(60)), user_timeout: Some(Duration::from_secs(120)) }
    }
}

impl TcpSettings {
    /// Sets the options. An option that the kernel does not take is left out, because the
    /// connection works without it.
    pub(super) fn apply(&self, stream: &TcpStream) {
        // Otherwise Nagle's algorithm delays small responses.
        let nodelay = stream.set_nodelay(true);
        let keepalive = self.keepalive.map_or(Ok(()), |idle| SockRef::from(stream).set_tcp_keepalive(&probes(idle)));
        for error in [nodelay, keepalive, self.set_user_timeout(stream)].into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "an option of a TCP socket could not be set");
        }
    }

    #[cfg(any(target_os = "android", target_os = "linux"))]
    fn set_user_timeout(&self, stream: &TcpStream) -> io::Result<()> {
        match self.user_timeout {
            Some(timeout) => SockRef::from(stream).set_tcp_user_timeout(Some(timeout.min(LONGEST_USER_TIMEOUT))),
            None => Ok(()),
        }
    }

    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    fn set_user_timeout(&self, _stream: &TcpStream) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the probes of a connection that has been idle for this time: four, with pauses of 15 s.
/// Some platforms only take the first time.
fn probes(idle: Duration) -> TcpKeepalive {
    let probes = TcpKeepalive::new().with_time(idle.min(LONGEST_IDLE));
    #[cfg(any(target_vendor = "apple", target_os = "android", target_os = "freebsd", target_os = "linux", windows))]
    let probes = probes.with_interval(Duration::from_secs(15)).with_retries(4);
    probes
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// The times that the kernel has for a stream to which these settings were applied.
    async fn applied(settings: TcpSettings) -> (Option<Duration>, Option<Duration>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let _client = TcpStream::connect(listener.local_addr().expect("it is bound")).await.expect("a connection");
        let (stream, _) = listener.accept().await.expect("a client");
        settings.apply(&stream);
        assert!(stream.nodelay().expect("an option"));
        let socket = SockRef::from(&stream);
        let idle = socket.keepalive().expect("an option").then(|| socket.tcp_keepalive_time().expect("an option"));
        (idle, socket.tcp_user_timeout().expect("an option"))
    }

    #[tokio::test]
    async fn the_kernel_takes_the_settings() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(applied(TcpSettings::default()).await, (seconds(60), seconds(120)));
        let short = TcpSettings { keepalive: seconds(1), user_timeout: Some(Duration::from_millis(1)) };
        assert_eq!(applied(short).await, (short.keepalive, short.user_timeout));
        assert_eq!(applied(TcpSettings { keepalive: None, user_timeout: None }).await, (None, None));
        let longest = TcpSettings { keepalive: Some(Duration::MAX), user_timeout: Some(Duration::MAX) };
        assert_eq!(applied(longest).await, (Some(LONGEST_IDLE), Some(LONGEST_USER_TIMEOUT)));
    }
}
