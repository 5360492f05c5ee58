//! [`Server`]: how the server is found, anew for each attempt to connect.

use crate::address::Address;
use crate::stream::Found;
use crate::tls::Tls;

/// Where the messages are published.
#[derive(Clone)]
pub(crate) enum Server {
    /// One server.
    At(Address),
}

impl Server {
    /// Finds the server.
    pub(crate) async fn find(&self, _tls: &Tls) -> Result<Found, String> {
        match self {
            Self::At(address) => Ok(Found::new(address.place.clone(), address.login.clone())),
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(address) => std::fmt::Debug::fmt(address, formatter),
        }
    }
}
