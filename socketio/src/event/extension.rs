//! [`Extension`]: a value that is stored in one socket, as a handler parameter.

use std::any::type_name;
use std::ops::{Deref, DerefMut};

use super::argument::{Argument, Arguments};
use super::error::EventError;
use crate::wire::shown::shown;

/// A clone of a value that is stored in the socket, as a handler parameter.
///
/// The socket has the value if one of these stored it:
///
/// - [`Socket::insert_extension`](crate::Socket::insert_extension), usually in the `connect`
///   handler or a middleware;
/// - [`Upgrade::with_extension`](crate::Upgrade::with_extension);
/// - a layer that adds it to the extensions of the connection's first request, like
///   `axum::Extension`.
///
/// If the socket has no such value, the handler is not called. The client receives the error
/// `internal` without details, and the log names the event and the type. A handler whose value may
/// be missing calls [`Socket::extension`](crate::Socket::extension) instead.
///
/// ```
/// use socketio::{Extension, Handshake, Refusal, Socket, event};
///
/// #[derive(Clone)]
/// struct User {
///     name: String,
/// }
///
/// #[event(connect)]
/// fn join(socket: &Socket, handshake: Handshake<'_>) -> Result<(), Refusal> {
///     let name = handshake.query("name").ok_or("who are you?")?.into_owned();
///     socket.insert_extension(User { name });
///     Ok(())
/// }
///
/// #[event("say")]
/// fn say(Extension(user): Extension<User>, text: String) -> String {
///     format!("{}: {text}", user.name)
/// }
///
/// // In a unit test, a handler is called as any function.
/// assert_eq!(say(Extension(User { name: "Ann".into() }), "hello".into()), "Ann: hello");
/// ```
///
/// Wrap large values in an `Arc` to keep the clone cheap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extension<T>(pub T);

impl<T> Deref for Extension<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Extension<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<'a, T: Clone + Send + Sync + 'static> Argument<'a> for Extension<T> {
    fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
        arguments.socket().extension().map(Self).ok_or_else(|| {
            tracing::error!(
                event = &*shown(arguments.event_name()),
                extension = type_name::<T>(),
                "a handler takes an `Extension` that the socket does not have: give it one with `Socket::insert_extension` in the \
                 `connect` handler, or with a layer before the handshake"
            );
            EventError::internal()
        })
    }
}
