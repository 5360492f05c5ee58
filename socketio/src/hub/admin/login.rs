//! Lets admins into their namespace, or refuses them.

use serde_json::{Map, Value};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::time::sleep;

use super::AdminCore;
use crate::event::error::Refusal;
use crate::hub::socket::Socket;

/// How long the answer to a wrong password is held back.
const DELAY: Duration = Duration::from_secs(1);
/// The longest name and password that are compared, in bytes.
const MAX_LENGTH: usize = 1_024;
/// The page shows its form again if it reads this text.
const INVALID: &str = "invalid credentials";

impl AdminCore {
    pub(super) async fn log_in(&self, socket: Socket) -> Result<(), Refusal> {
        let Some(credentials) = &self.credentials else { return Ok(()) };
        let auth: Map<String, Value> = socket.handshake().auth().unwrap_or_default();
        let text = |name: &str| auth.get(name).and_then(Value::as_str);
        if text("sessionId").is_some_and(|id| self.sessions.contains(id)) {
            return Ok(());
        }
        let (Some(username), Some(password)) = (text("username"), text("password")) else {
            return Err(INVALID.into());
        };
        if username.len() > MAX_LENGTH || password.len() > MAX_LENGTH {
            return Err(INVALID.into());
        }
        // All clients without an address count as one.
        let address = socket.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
        if !self.guesses.admit(address) {
            // At `WARN` the client could fill the log.
            tracing::debug!(%address, "too many attempts to log in as an admin");
            return Err("too many attempts, try again later".into());
        }
        if !credentials.verify(username, password).await {
            tracing::warn!(%address, "a client could not log in as an admin");
            sleep(DELAY).await;
            return Err(INVALID.into());
        }
        tracing::info!(%address, socket = %socket.shown_id(), "an admin has logged in");
        // It is sent when the socket is accepted.
        let _ = socket.emit(("session", self.sessions.begin()));
        Ok(())
    }
}
