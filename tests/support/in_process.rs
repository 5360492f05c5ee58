//! Test clients in the hub's process.

use socketio::Hub;
use socketio::testing::{Client, ClientBuilder, TestError};

/// One builder of each kind: Socket.IO, then plain.
pub fn kinds(hub: &Hub) -> [ClientBuilder; 2] {
    [hub.test_client(), hub.test_client().plain()]
}

/// One connected client of each kind: Socket.IO, then plain.
///
/// # Errors
///
/// The hub refuses a client.
pub async fn both(hub: &Hub) -> Result<[Client; 2], TestError> {
    let [socketio, plain] = kinds(hub);
    Ok([socketio.connect().await?, plain.connect().await?])
}
