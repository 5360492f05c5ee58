//! Servers and engines for the tests.

mod cluster;
mod engine;
mod server;

pub(crate) use cluster::RedisCluster;
pub(crate) use engine::{LOG, MAIN, Member, REQUESTS, RESPONSES, reply, room};
pub(crate) use server::{Server, free_port, url_of_port};
