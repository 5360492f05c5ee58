//! [`Emitter`]: emits to the sockets of a cluster from a process that is no server of it.

mod error;
mod publisher;
mod selection;

use std::fmt::{self, Display};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

pub use error::{EmitterError, Published};
pub use selection::EmitterSelection;

use crate::cluster::addressing::{Addressing, EMITTER};
use crate::cluster::message::{Message, Names, Outgoing};
use crate::cluster::{Engine, EngineTraits, Inbox, Topic, codec};
use crate::event::message::{IntoEvent, IntoMessage};
use crate::event::raw_message::IntoRawMessage;
use crate::hub::hub_builder::normal_path;
use crate::session::time::after;
use crate::wire::scratch::Scratch;
use publisher::Publisher;

const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// Emits to the clients of a cluster from a process that is no server of it: a worker, a command, a
/// back-end of another kind.
///
/// It has the [engine](crate::cluster::Engine) of the servers, with the same settings. It receives
/// nothing, keeps no clients, and is not counted as a server. The servers may be of this crate or
/// on Node.js, for which it is what `@socket.io/redis-emitter` is. Cloning is cheap.
///
/// ```no_run
/// # use socketio::cluster::Engine;
/// # async fn example(redis: impl Engine) -> Result<(), socketio::EmitterError> {
/// use socketio::Emitter;
///
/// let emitter = Emitter::new(redis); // Redis::from_env()? of `socketio-redis`
/// emitter.emit(("news", "the doors are open")).await?;
/// emitter.to("lobby").except("muted").emit(("news", "the show begins")).await?;
/// emitter.of("/admin").to("on call").volatile().emit(("load", 0.7)).await?;
/// emitter.to("guests").sockets_join(["hall"]).await?;
/// emitter.close().await;
/// # Ok(())
/// # }
/// ```
///
/// # Results
///
/// Each method returns a future, [`Published`]. The message is queued at once, and the future
/// completes when the broker, such as Redis, has taken it. That some client has received it can't
/// be known. Messages of one emitter are published in the order of the calls. At most 16 MiB and
/// 65,536 messages wait.
///
/// # Connection
///
/// The engine connects on the tokio runtime on which the emitter is first used, and connects again
/// for ever. While it is not connected, emits wait for it, up to the [`patience`](Self::patience)
/// after the connection was lost; later they fail at once. The [`EmitterError`] says whether a
/// message can have been published.
#[derive(Clone)]
pub struct Emitter {
    shared: Arc<Shared>,
    namespace: Arc<str>,
}

/// What all clones of an emitter share.
struct Shared {
    publisher: Arc<Publisher>,
    traits: EngineTraits,
    patience: Duration,
    is_started: AtomicBool,
}

impl Emitter {
    /// An emitter over this engine. It connects when it is first used.
    pub fn new(engine: impl Engine) -> Self {
        let traits = engine.traits();
        let publisher = Arc::new(Publisher::new(Box::new(engine)));
        let shared = Shared { publisher, traits, patience: DEFAULT_PATIENCE, is_started: AtomicBool::new(false) };
        Self { shared: Arc::new(shared), namespace: "/".into() }
    }

    /// Sets how long emits wait for an engine that is not connected, counted from when the
    /// connection was lost, or from the first use. It has no effect on an emitter that was used or
    /// cloned. Default: 5 seconds.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.patience = patience;
        }
        self
    }

    /// An emitter for another namespace, such as `/chat`. It shares the connection of this one.
    /// Default: `/`.
    #[must_use]
    pub fn of(&self, namespace: impl AsRef<str>) -> Self {
        Self { shared: Arc::clone(&self.shared), namespace: normal_path(namespace.as_ref()).into() }
    }

    /// The path of the namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Selects the members of a room. The id of a socket is a room.
    pub fn to(&self, room: impl AsRef<str>) -> EmitterSelection<'_> {
        EmitterSelection::all(self).to(room)
    }

    /// Same as [`to`](Self::to), like `in` on Node.js.
    pub fn within(&self, room: impl AsRef<str>) -> EmitterSelection<'_> {
        self.to(room)
    }

    /// Selects all sockets except the members of a room.
    pub fn except(&self, room: impl AsRef<str>) -> EmitterSelection<'_> {
        EmitterSelection::all(self).except(room)
    }

    /// Selects all sockets except the one with this id.
    pub fn except_id(&self, id: impl AsRef<str>) -> EmitterSelection<'_> {
        self.except(id)
    }

    /// Selects all sockets, for [volatile](EmitterSelection::volatile) messages.
    pub fn volatile(&self) -> EmitterSelection<'_> {
        EmitterSelection::all(self).volatile()
    }

    /// Selects all sockets, for an event of which only the [latest](EmitterSelection::latest)
    /// message waits.
    pub fn latest(&self) -> EmitterSelection<'_> {
        EmitterSelection::all(self).latest()
    }

    /// Selects all sockets, for an event of which only the latest message [with this
    /// key](EmitterSelection::latest_by) waits.
    pub fn latest_by(&self, key: impl Display) -> EmitterSelection<'_> {
        EmitterSelection::all(self).latest_by(key)
    }

    /// Emits to all sockets of the namespace.
    pub fn emit(&self, message: impl IntoMessage) -> Published {
        EmitterSelection::all(self).emit(message)
    }

    /// Sends text or bytes to all sockets of the namespace, as they are.
    pub fn send(&self, message: impl IntoRawMessage) -> Published {
        EmitterSelection::all(self).send(message)
    }

    /// Makes all sockets of the namespace join rooms.
    pub fn sockets_join<I>(&self, rooms: I) -> Published
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        EmitterSelection::all(self).sockets_join(rooms)
    }

    /// Makes all sockets of the namespace leave rooms.
    pub fn sockets_leave<I>(&self, rooms: I) -> Published
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        EmitterSelection::all(self).sockets_leave(rooms)
    }

    /// Disconnects all sockets from the namespace.
    pub fn disconnect_sockets(&self) -> Published {
        EmitterSelection::all(self).disconnect_sockets()
    }

    /// Disconnects all sockets from the namespace, and says why.
    pub fn disconnect_sockets_with(&self, reason: impl AsRef<str>) -> Published {
        EmitterSelection::all(self).disconnect_sockets_with(reason)
    }

    /// Closes the connections of all sockets of the namespace.
    pub fn close_sockets(&self) -> Published {
        EmitterSelection::all(self).close_sockets()
    }

    /// Sends an event to the servers, not to clients. They receive it with
    /// [`on_server`](crate::Namespace::on_server), or `serverSideEmit` on Node.js. They can't
    /// answer it.
    pub fn server_emit(&self, event: impl IntoEvent) -> Published {
        match event.into_packet() {
            Ok(packet) => self.publish_to_all(&Message::ServerEmit { packet: &packet, request: None }),
            Err(error) => Published::failed(error.into()),
        }
    }

    /// Waits until the engine is connected.
    ///
    /// # Errors
    ///
    /// The time is up: [`EmitterError::Unreachable`]. The emitter goes on trying.
    pub async fn ready(&self, timeout: Duration) -> Result<(), EmitterError> {
        if !self.shared.start() {
            return Err(EmitterError::NoRuntime);
        }
        let until = after(Instant::now(), timeout);
        self.shared.publisher.link().up(until).await.map_err(EmitterError::Unreachable)
    }

    /// Publishes what waits, and ends the connection. Later emits, also those of clones, fail. When
    /// the last clone is dropped this happens too, in the background.
    pub async fn close(&self) {
        self.shared.close();
        self.shared.publisher.stopped().await;
    }

    fn addressing(&self) -> Addressing<'_> {
        Addressing::new(&self.shared.traits, &self.namespace, EMITTER)
    }

    fn publish(&self, topic: Topic<'_>, message: &Outgoing<'_>, is_volatile: bool) -> Published {
        if !self.shared.start() {
            return Published::failed(EmitterError::NoRuntime);
        }
        let mut body = Scratch::take();
        codec::encode(self.shared.traits.dialect, EMITTER, topic, message, &mut body);
        self.shared.publisher.publish(&self.namespace, topic, is_volatile, &body)
    }

    fn publish_to_all(&self, message: &Outgoing<'_>) -> Published {
        self.publish(self.addressing().request(message), message, false)
    }
}

impl Shared {
    /// Starts the engine and the task if they are not started. Returns `false` if there is no
    /// runtime for them.
    fn start(&self) -> bool {
        if self.is_started.load(Ordering::Relaxed) {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else { return false };
        if self.is_started.swap(true, Ordering::Relaxed) {
            return true;
        }
        let publisher = &self.publisher;
        publisher.link().begin();
        publisher.engine().start_emitter(Inbox::new(publisher.link()));
        runtime.spawn(Arc::clone(publisher).run(self.patience));
        true
    }

    fn close(&self) {
        self.publisher.close();
        if !self.is_started.swap(true, Ordering::Relaxed) {
            self.publisher.set_stopped();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Emitter")
            .field("engine", &self.shared.publisher.engine())
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

fn borrowed(names: &[Arc<str>]) -> Names<'_> {
    names.iter().map(|name| (&**name).into()).collect()
}
