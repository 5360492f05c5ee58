//! Servers and engines for the tests.

mod engine;
mod server;

pub(crate) use engine::{MAIN, Member, reply};
pub(crate) use server::{Server, url_of_port};
