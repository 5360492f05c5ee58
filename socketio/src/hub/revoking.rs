//! [`DisconnectWhere`]: disconnects the sockets whose attribute has a value, on all servers.
//!
//! The other servers get it as an event between servers, with the attribute and the value, so that
//! servers of any kind can do the same. Sessions of clients that are cut off end too.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use crate::event::message::IntoMessage;
use crate::hub::adapter::{BoxFuture, LocalAdapter, RequestError, ServerReplies};
use crate::hub::namespace::inner::NamespaceInner;
use crate::hub::server_events::ServerEvent;
use crate::hub::socket::attributes::SocketAttributes;

/// The event with which a server tells the others.
pub(crate) const DISCONNECT_WHERE: &str = "socketio:disconnect_where";

/// An attribute and a value. Sockets that have it are disconnected.
#[derive(Debug, PartialEq)]
pub(crate) struct Revoked {
    attribute: String,
    value: Value,
}

impl Revoked {
    pub(crate) fn new(attribute: impl Into<String>, value: Value) -> Self {
        Self { attribute: attribute.into(), value }
    }

    pub(crate) fn includes(&self, attributes: &SocketAttributes) -> bool {
        attributes.get(&self.attribute) == Some(&self.value)
    }
}

/// The sockets of all servers that are being disconnected, from
/// [`disconnect_where`](crate::Namespace::disconnect_where). Await it to learn how many they are.
#[must_use = "await it to learn whether all servers have done it; otherwise drop it"]
pub struct DisconnectWhere {
    own: Disconnected,
    others: BoxFuture<'static, Result<ServerReplies, RequestError>>,
}

impl fmt::Debug for DisconnectWhere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DisconnectWhere").field("own", &self.own).finish_non_exhaustive()
    }
}

/// How many sockets and sessions [`disconnect_where`](crate::Namespace::disconnect_where) has
/// ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnected {
    /// The number of sockets, on all servers that have answered.
    pub sockets: usize,
    /// The number of clients that were cut off and can no longer resume their session. Sessions
    /// that are stored in the cluster are not counted: their clients are refused when they come
    /// back.
    pub sessions: usize,
    /// The number of servers that did not answer. Their sockets may still be connected.
    pub silent: usize,
}

/// The answer of another server.
#[derive(Serialize, Deserialize)]
struct Answer {
    sockets: usize,
    #[serde(default)]
    sessions: usize,
}

impl DisconnectWhere {
    pub(crate) fn begin(namespace: &Arc<NamespaceInner>, attribute: String, value: Value) -> Self {
        let event = (DISCONNECT_WHERE, &attribute, &value).into_packet();
        // This server first: a client that it disconnects may connect to another one at once.
        let own = namespace.local().disconnect_where(Revoked::new(attribute, value));
        let others = match event {
            Ok(event) => namespace.server_request(&event, namespace.ack_timeout()),
            Err(error) => Box::pin(std::future::ready(Err(RequestError::NotSent(error.to_string())))),
        };
        Self { own, others }
    }
}

impl IntoFuture for DisconnectWhere {
    type Output = Result<Disconnected, RequestError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut all = self.own;
            let replies = self.others.await?;
            all.silent += replies.silent;
            for reply in replies.replies {
                match reply.answer.decode() {
                    Ok(Answer { sockets, sessions }) => {
                        all.sockets = all.sockets.saturating_add(sockets);
                        all.sessions = all.sessions.saturating_add(sessions);
                    }
                    Err(_) => all.silent += 1,
                }
            }
            Ok(all)
        })
    }
}

impl LocalAdapter {
    /// Does what another server asks for. Returns `false` if it is something else.
    pub(crate) fn revoke_for(&self, event: &ServerEvent<'_>) -> bool {
        if event.name() != DISCONNECT_WHERE {
            return false;
        }
        let mut args = event.args().remaining();
        let revoked =
            args.as_mut().ok().and_then(|args| Some(Revoked::new(args.next::<String>().ok()?, args.next().ok()?)));
        match revoked {
            Some(revoked) => {
                let Disconnected { sockets, sessions, .. } = self.disconnect_where(revoked);
                if let Some(ack) = event.ack() {
                    // Numbers always serialize.
                    let _ = ack.send(Answer { sockets, sessions });
                }
            }
            None => tracing::warn!("another server does not tell which sockets it disconnects"),
        }
        true
    }

    /// Disconnects the sockets of this server that have the attribute, and ends the sessions of
    /// clients that are cut off. Sockets that are not accepted yet leave when they are.
    fn disconnect_where(&self, revoked: Revoked) -> Disconnected {
        let revoked = Arc::new(revoked);
        let mut disconnected = Disconnected::default();
        let recovery = self.recovery();
        // Meanwhile no client is cut off, and none comes back.
        let order = recovery.map(|recovery| recovery.order());
        for socket in self.registry().all().iter() {
            disconnected.sockets += usize::from(socket.revoke(&revoked));
        }
        drop(order);
        if let Some(recovery) = recovery {
            disconnected.sessions += recovery.revoke(&revoked);
        }
        tracing::debug!(attribute = revoked.attribute, ?disconnected, "sockets are disconnected");
        disconnected
    }
}
