//! How connections come in: the routes that turn an HTTP request into a [`connection`](crate::connection).

mod client;
pub(crate) mod engine;
pub(crate) mod origin;
mod polling;
pub(crate) mod serve;
pub(crate) mod upgrade;
pub(crate) mod websocket;
