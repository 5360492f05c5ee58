//! Who is connected, and direct messages: free handlers that share the state [`People`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{
    Disconnect, DisconnectReason, EmitError, Events, Handshake, Hub, Refusal, Socket, State, event, events,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use ts_rs::TS;

use super::error::ChatError;
use super::names::{Name, Text};
use super::{LISTING_TIMEOUT, names, now};

pub(crate) const EVENTS: Events = events![enter, leave, tell];

/// How long the receiver's page may take to acknowledge a message.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Everybody who is connected to this server. On each server of a cluster, a name belongs to one
/// socket.
#[derive(Default)]
pub(crate) struct People(Mutex<BTreeMap<Name, Person>>);

struct Person {
    socket: Socket,
    /// A secret of the page. A new connection with the same secret takes over the name.
    key: Option<String>,
}

impl People {
    /// Assigns a name to a socket. If the key matches, it replaces the socket that had the name,
    /// and returns that.
    fn enter(&self, name: &Name, key: Option<&str>, socket: &Socket) -> Result<Option<Socket>, Refusal> {
        let mut people = self.lock();
        if let Some(person) = people.get(name)
            && (key.is_none() || person.key.as_deref() != key)
        {
            return Err("this name is taken".into());
        }
        let person = Person { socket: socket.clone(), key: key.map(str::to_owned) };
        Ok(people.insert(name.clone(), person).map(|earlier| earlier.socket))
    }

    /// Releases a name. `false`: another socket has taken it over.
    fn leave(&self, name: &Name, socket: &Socket) -> bool {
        let mut people = self.lock();
        people.get(name).is_some_and(|person| person.socket == *socket) && people.remove(name).is_some()
    }

    fn names(&self) -> Vec<Name> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Person>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[event("welcome")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Welcome<'a> {
    name: &'a Name,
    people: BTreeSet<Name>,
}

#[event("arrived")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Arrived<'a> {
    name: &'a Name,
}

#[event("left")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Left<'a> {
    name: &'a Name,
}

#[derive(Deserialize, JsonSchema, TS)]
pub(crate) struct Tell {
    to: String,
    text: Text,
}

/// A direct message. The receiver's page acknowledges it.
#[event("told", ack = ())]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Told {
    from: Name,
    text: Text,
    at: u64,
}

/// The reason for which the server closes the connection. A WebSocket's close frame has it too, a
/// Socket.IO DISCONNECT has not.
#[event("farewell")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Farewell<'a> {
    reason: &'a str,
}

#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Delivered {
    at: u64,
}

/// The name and the key that a client connects with.
#[derive(Deserialize)]
struct Credentials {
    name: String,
    key: Option<String>,
}

impl Credentials {
    /// A Socket.IO client sends them as `auth`, a plain WebSocket client in the query string.
    fn of(handshake: Handshake<'_>) -> Self {
        let query = |key| handshake.query(key).map(Cow::into_owned);
        handshake.auth().unwrap_or_else(|_| Self { name: query("name").unwrap_or_default(), key: query("key") })
    }
}

/// Handles a new connection. An error refuses it.
#[event(connect)]
async fn enter(socket: &Socket, handshake: Handshake<'_>, people: State<People>) -> Result<(), Refusal> {
    let Credentials { name, key } = Credentials::of(handshake);
    let name = Name::parse(&name)?;
    let earlier = people.enter(&name, key.as_deref(), socket)?;
    // Nothing may fail from here on: a refused socket has no `disconnect` event, so its name would
    // never be released.
    name.assign(socket);
    let _ = socket.join(inbox(name.as_str()));
    if let Some(earlier) = earlier {
        let reason = "you are connected from elsewhere";
        let _ = earlier.emit(&Farewell { reason });
        earlier.close_with(4001, reason);
        earlier.closed().await;
    } else {
        let _ = socket.broadcast(&Arrived { name: &name }, true);
    }
    let mut there = names(socket.hub().timeout(LISTING_TIMEOUT).fetch_sockets().await);
    // Those who are connecting at the same time, and this socket itself.
    there.extend(people.names());
    let _ = socket.emit(&Welcome { name: &name, people: there });
    Ok(())
}

#[event(disconnect)]
fn leave(socket: &Socket, name: Name, people: State<People>, end: Disconnect) -> Result<(), EmitError> {
    // After a restart of the server, the clients come back.
    if people.leave(&name, socket) && end.reason() != DisconnectReason::Shutdown {
        socket.broadcast(&Left { name: &name }, true)?;
    }
    Ok(())
}

/// Forwards a message, and answers when the receiver's page has acknowledged it. Meanwhile the
/// sender's other events are handled.
#[event("tell", concurrent)]
pub(crate) async fn tell(hub: &Hub, from: Name, Tell { to, text }: Tell) -> Result<Delivered, ChatError> {
    let at = now();
    let receivers = hub.to(inbox(&to)).timeout(DELIVERY_TIMEOUT);
    match receivers.request(&Told { from, text, at }).await {
        Ok(answers) if !answers.answers.is_empty() => Ok(Delivered { at }),
        Ok(answers) if answers.is_complete() => Err(ChatError::NobodyThere(to)),
        _ => Err(ChatError::NotDelivered(to)),
    }
}

/// The room of the sockets with a name, of which each server of a cluster may have one. It is no
/// [`RoomName`](super::names::RoomName), so that clients can't join it.
fn inbox(name: &str) -> String {
    format!("@{name}")
}
