//! [`Server`]: how the server is found, anew for each attempt to connect.

use std::fmt;
use std::sync::Arc;

use crate::ConfigError;
use crate::address::{Address, Login, Place};
use crate::resp::Reply;
use crate::stream::{Found, Stream};
use crate::tls::Tls;

/// Where the messages are published.
#[derive(Clone)]
pub(crate) enum Server {
    /// One server.
    At(Address),
    /// The master that the Sentinels name.
    Sentinel {
        sentinels: Arc<[Address]>,
        name: Arc<str>,
        /// The credentials for the master.
        login: Login,
    },
}

impl Server {
    /// The master of this name.
    pub(crate) fn sentinel<S: AsRef<str>>(
        urls: impl IntoIterator<Item = S>,
        name: String,
    ) -> Result<Self, ConfigError> {
        let sentinels = Address::parse_all(urls)?.into();
        Ok(Self::Sentinel { sentinels, name: name.into(), login: Login::default() })
    }

    /// Finds the server.
    pub(crate) async fn find(&self, tls: &Tls) -> Result<Found, String> {
        match self {
            Self::At(address) => Ok(Found::new(address.place.clone(), address.login.clone())),
            Self::Sentinel { sentinels, name, login } => {
                let mut reasons = String::new();
                for sentinel in &**sentinels {
                    match ask(sentinel, name, tls).await {
                        Ok(place) => return Ok(Found::new(place, login.clone())),
                        Err(reason) => {
                            reasons.push_str(if reasons.is_empty() { "" } else { "; " });
                            reasons.push_str(&reason);
                        }
                    }
                }
                Err(reasons)
            }
        }
    }

    /// Checks that a new connection is to the right server. A Sentinel may not know yet that the
    /// server is no longer the master.
    pub(crate) async fn check(&self, stream: &mut Stream) -> Result<(), String> {
        let Self::Sentinel { name, .. } = self else { return Ok(()) };
        let role = stream.ask(&[b"ROLE"], |reply| Some(reply.array()?.first()?.text()?.to_owned())).await?;
        if role == "master" { Ok(()) } else { Err(format!("the server is no longer the master of {name}")) }
    }

    /// The credentials for the server.
    pub(crate) fn login(&mut self) -> &mut Login {
        match self {
            Self::At(address) => &mut address.login,
            Self::Sentinel { login, .. } => login,
        }
    }
}

/// Asks a Sentinel where the master is.
async fn ask(sentinel: &Address, name: &str, tls: &Tls) -> Result<Place, String> {
    let is_tls = matches!(sentinel.place, Place::Tcp { tls: true, .. });
    let read = |reply: &Reply<'_>| match reply.array() {
        Some([host, port]) => {
            let (host, port) = (host.text()?.into(), port.text()?.parse().ok()?);
            Some(Some(Place::Tcp { host, port, tls: is_tls }))
        }
        _ => Some(None),
    };
    let asked = async {
        let mut stream = Found::new(sentinel.place.clone(), sentinel.login.clone()).connect(tls).await?;
        let place = stream.ask(&[b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", name.as_bytes()], read).await?;
        place.ok_or_else(|| format!("it knows no master {name:?}"))
    };
    asked.await.map_err(|reason| format!("{}: {reason}", sentinel.place))
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => fmt::Debug::fmt(address, formatter),
            Self::Sentinel { sentinels, name, .. } => {
                formatter.debug_struct("Sentinel").field("name", name).field("sentinels", sentinels).finish()
            }
        }
    }
}
