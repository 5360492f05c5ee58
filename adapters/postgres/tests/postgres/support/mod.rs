//! Servers, engines and a proxy for the tests.

mod engine;
mod proxy;
mod server;

pub(crate) use engine::{MAIN, Member, reply};
pub(crate) use proxy::Proxy;
pub(crate) use server::Server;
