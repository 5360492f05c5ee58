//! How connections come in: the routes that turn an HTTP request into a [`connection`](crate::connection).

pub(crate) mod origin;
pub(crate) mod serve;
pub(crate) mod upgrade;
pub(crate) mod websocket;
