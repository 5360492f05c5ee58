//! Servers, engines and a proxy for the tests.

mod cluster;
mod engine;
mod proxy;
mod server;

pub(crate) use cluster::RedisCluster;
pub(crate) use engine::{LOG, MAIN, Member, REQUESTS, RESPONSES, reply, room};
pub(crate) use proxy::Proxy;
pub(crate) use server::{Server, free_port};
