//! The conformance suite of engines.

use socketio::cluster::{BoxFuture, Engine};
use socketio::testing::cluster::conformance::{self, Faults, Harness, Need};
use socketio_redis::{Redis, ShardedRedis};
use std::sync::Mutex;

use crate::support::Server;

/// A Redis server for one case.
struct RedisHarness {
    server: Mutex<Server>,
    make: fn(&str) -> Box<dyn Engine>,
}

impl RedisHarness {
    fn new(make: fn(&str) -> Box<dyn Engine>) -> Self {
        Self { server: Mutex::new(Server::start()), make }
    }
}

impl Harness for RedisHarness {
    fn engine(&self, _name: &str) -> Box<dyn Engine> {
        (self.make)(&self.server.lock().unwrap().url())
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }
}

impl Faults for RedisHarness {
    fn provides(&self, need: Need) -> bool {
        matches!(need, Need::Restart | Need::Stop)
    }

    fn restart(&self) -> BoxFuture<'_, ()> {
        let mut server = self.server.lock().unwrap();
        server.kill();
        server.restart();
        Box::pin(async {})
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        self.server.lock().unwrap().kill();
        Box::pin(async {})
    }

    fn start(&self) -> BoxFuture<'_, ()> {
        self.server.lock().unwrap().restart();
        Box::pin(async {})
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_classic_engine_conforms() {
    let make = |url: &str| -> Box<dyn Engine> { Box::new(Redis::new(url).unwrap()) };
    let report = conformance::run(async |_| RedisHarness::new(make)).await;

    eprintln!("{report}"); // names the cases that were skipped
    report.assert_passed();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sharded_engine_conforms() {
    let make = |url: &str| -> Box<dyn Engine> { Box::new(ShardedRedis::new(url).unwrap()) };
    let report = conformance::run(async |_| RedisHarness::new(make)).await;

    eprintln!("{report}"); // names the cases that were skipped
    report.assert_passed();
}
