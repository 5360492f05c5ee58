//! Clients in the process of their hub.

use socketio::Hub;
use socketio::testing::{Client, ClientBuilder, TestError};

/// A client of each kind: of Socket.IO, and plain.
pub fn kinds(hub: &Hub) -> [ClientBuilder; 2] {
    [hub.test_client(), hub.test_client().plain()]
}

/// The same, connected.
///
/// # Errors
///
/// The hub refuses one of them.
pub async fn both(hub: &Hub) -> Result<[Client; 2], TestError> {
    let [socketio, plain] = kinds(hub);
    Ok([socketio.connect().await?, plain.connect().await?])
}
