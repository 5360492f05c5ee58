//! [`NamespaceBuilder`]: the handlers, middleware and limits of a namespace.

use std::fmt;
use std::sync::Arc;

use super::source::EventSource;
use crate::event::error::EventError;
use crate::event::handler::Handler;
use crate::event::middleware::{IncomingEvent, Next, event_middleware};
use crate::event::rate_limit::RateLimit;
use crate::hooks::guarded::Guarded;
use crate::hub::namespace::inner::Contents;
use crate::hub::socket::Socket;

/// The handlers, middleware and limits of one namespace. See
/// [`HubBuilder::namespace`](crate::HubBuilder::namespace).
#[derive(Default)]
#[must_use = "return it to the builder"]
pub struct NamespaceBuilder(pub(super) Contents);

impl fmt::Debug for NamespaceBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.mounted.iter().map(|mounted| mounted.events)).finish()
    }
}

impl NamespaceBuilder {
    /// The handlers of all tables.
    pub(super) fn handlers(&self) -> Vec<&'static Handler> {
        self.0.mounted.iter().flat_map(|mounted| mounted.events.handlers()).copied().collect()
    }

    /// Adds handlers. Several calls add up.
    pub fn events(mut self, events: impl EventSource) -> Self {
        self.0.mounted.push(events.into_mounted().into_inner());
        self
    }

    /// Calls `middleware` for each socket that connects, before its `connect` handler. Several
    /// middleware run in the order in which they were added. The first error refuses the socket,
    /// and the client receives its message and data.
    ///
    /// ```
    /// use socketio::{Hub, Refusal, Socket};
    ///
    /// async fn only_admins(socket: Socket) -> Result<(), Refusal> {
    ///     match socket.handshake().cookie("role") {
    ///         Some("admin") => Ok(()),
    ///         _ => {
    ///             let data = serde_json::json!({ "sign_in": "/login" });
    ///             Err(Refusal::new("admins only").with_data(data))
    ///         }
    ///     }
    /// }
    ///
    /// let hub = Hub::builder()
    ///     .namespace("/admin", |admin| admin.middleware(only_admins))
    ///     .build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn middleware<F, R, E>(mut self, middleware: F) -> Self
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<EventError>,
    {
        let middleware = Arc::new(Guarded::new(middleware));
        self.0.middleware.push(Arc::new(move |socket| {
            let middleware = Arc::clone(&middleware);
            // Called inside the future, so that a panic refuses the socket.
            Box::pin(async move { middleware(socket).await.map_err(Into::into) })
        }));
        self
    }

    /// Calls `middleware` around each event that a client sends, before handlers and listeners.
    ///
    /// Several middleware run in the order in which they were added, followed by those of the
    /// socket ([`Socket::event_middleware`]). Middleware can read the event, change it, answer it,
    /// or reject it with an error, which becomes the answer. Raw messages and lifecycle events do
    /// not pass through it.
    ///
    /// ```
    /// use socketio::{EventError, Hub, IncomingEvent, Next};
    ///
    /// async fn signed_in(event: IncomingEvent, next: Next) -> Result<(), EventError> {
    ///     if event.name() != "sign in" && event.socket().get_attribute("user").is_none() {
    ///         return Err(EventError::new("signed_out", "sign in first"));
    ///     }
    ///     next.run(event).await
    /// }
    ///
    /// let hub = Hub::builder().event_middleware(signed_in).build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    ///
    /// Middleware adds a few allocations to each event.
    pub fn event_middleware<F, R, E>(mut self, middleware: F) -> Self
    where
        F: Fn(IncomingEvent, Next) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<EventError>,
    {
        self.0.event_middleware.push(event_middleware(middleware));
        self
    }

    /// Limits how many events of this name each client may send. Default: no limit. `message`
    /// applies to raw messages and to the event of that name.
    /// [`HubBuilder::rate_limit`](crate::HubBuilder::rate_limit) describes what happens beyond the
    /// limit.
    ///
    /// [`build`](crate::HubBuilder::build) rejects a name without a handler in the namespace,
    /// because a limit with a misspelled name would have no effect. A [fallback
    /// handler](macro@crate::event) takes every name. A namespace without handlers accepts every
    /// name, because listeners are registered later.
    pub fn rate_limit_event(mut self, event: impl AsRef<str>, limit: RateLimit) -> Self {
        self.0.event_limits.set(event.as_ref(), limit);
        self
    }
}
