//! The conformance suite of engines, with real servers.
//!
//! `CLUSTER_CASE=shutdown cargo test -p socketio-redis conformance` runs the cases whose names
//! contain the word.

use parking_lot::Mutex;
use socketio::cluster::{BoxFuture, Engine, Topic};
use socketio::testing::cluster::conformance::{Faults, Harness, Need, cases};
use socketio_redis::{Redis, ShardedRedis, SubscriptionMode};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{Proxy, RedisCluster, Server};

/// One server, to which each engine has a proxy.
struct OneServer {
    server: Mutex<Server>,
    proxies: Mutex<HashMap<String, Proxy>>,
    mode: Option<SubscriptionMode>,
}

impl OneServer {
    fn start(mode: Option<SubscriptionMode>) -> Self {
        Self { server: Mutex::new(Server::start()), proxies: Mutex::default(), mode }
    }

    fn each(&self, server: &str, fault: impl Fn(&Proxy)) -> BoxFuture<'static, ()> {
        self.proxies.lock().get(server).into_iter().for_each(fault);
        Box::pin(async {})
    }
}

impl Harness for OneServer {
    fn engine(&self, name: &str) -> Box<dyn Engine> {
        let proxy = Proxy::start(self.server.lock().port);
        let url = proxy.url();
        self.proxies.lock().insert(name.to_owned(), proxy);
        match self.mode {
            None => Box::new(Redis::new(url).unwrap()),
            Some(mode) => Box::new(ShardedRedis::new(url).unwrap().mode(mode)),
        }
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }
}

impl Faults for OneServer {
    fn provides(&self, need: Need) -> bool {
        need != Need::Simulation
    }

    fn restart(&self) -> BoxFuture<'_, ()> {
        let mut server = self.server.lock();
        server.kill();
        server.restart();
        Box::pin(async {})
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        self.server.lock().kill();
        Box::pin(async {})
    }

    fn start(&self) -> BoxFuture<'_, ()> {
        self.server.lock().restart();
        Box::pin(async {})
    }

    fn cut<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        self.each(server, Proxy::cut)
    }

    fn hang<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        self.each(server, |proxy| proxy.hang(true))
    }

    fn resume<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        self.each(server, |proxy| proxy.hang(false))
    }

    fn inject<'a>(&'a self, topic: Topic<'a>, body: &'a [u8]) -> BoxFuture<'a, ()> {
        let (command, infixes) = match self.mode {
            None => ("PUBLISH", ["-request", "-response"]),
            Some(_) => ("SPUBLISH", ["", ""]),
        };
        let channel = match topic {
            Topic::Room { namespace, room } => format!("socket.io#{namespace}#{room}#"),
            Topic::Requests { namespace } => format!("socket.io{}#{namespace}#", infixes[0]),
            Topic::Responses { namespace } => format!("socket.io{}#{namespace}#", infixes[1]),
            Topic::Reply { namespace, server } => format!("socket.io{}#{namespace}#{server}#", infixes[1]),
            topic => format!("socket.io#{}#", topic.namespace()),
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.server.lock().port)).unwrap();
        let mut bytes = Vec::new();
        for part in [command.as_bytes(), channel.as_bytes(), body] {
            bytes.extend(format!("${}\r\n", part.len()).into_bytes());
            bytes.extend(part);
            bytes.extend(b"\r\n");
        }
        stream.write_all(b"*3\r\n").unwrap();
        stream.write_all(&bytes).unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        Box::pin(async {})
    }
}

/// A Redis Cluster, in which each case has a prefix.
struct Shards<'a> {
    cluster: &'a RedisCluster,
    prefix: &'static str,
}

impl Harness for Shards<'_> {
    fn engine(&self, _name: &str) -> Box<dyn Engine> {
        Box::new(ShardedRedis::cluster(self.cluster.urls()).unwrap().prefix(self.prefix))
    }
}

/// These cases expect messages to different rooms in the order of the calls, which they have on one
/// server. The nodes of a Redis Cluster know no order between their channels.
const NEED_ONE_ORDER: [&str; 2] =
    ["members_of_excepted_rooms_are_left_out_everywhere", "the_sender_is_left_out_and_others_are_not"];

async fn run<H: Harness>(make: impl Fn(&'static str) -> H, left_out: &[&str]) {
    let word = std::env::var("CLUSTER_CASE").unwrap_or_default();
    let mut failures = Vec::new();
    for case in cases().filter(|case| case.name().contains(&word) && !left_out.contains(&case.name())) {
        let harness = make(case.name());
        if case.can_run(&harness)
            && let Err(failure) = case.run(&harness).await
        {
            failures.push(failure.to_string());
        }
    }
    assert!(failures.is_empty(), "{} cases failed\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test]
async fn redis() {
    run(|_| OneServer::start(None), &[]).await;
}

#[tokio::test]
async fn sharded_redis() {
    run(|_| OneServer::start(Some(SubscriptionMode::Dynamic)), &[]).await;
}

#[tokio::test]
async fn sharded_redis_without_channels_of_rooms() {
    run(|_| OneServer::start(Some(SubscriptionMode::Static)), &[]).await;
}

#[tokio::test]
async fn sharded_redis_with_channels_of_all_rooms() {
    run(|_| OneServer::start(Some(SubscriptionMode::DynamicPrivate)), &[]).await;
}

#[tokio::test]
async fn redis_cluster() {
    let cluster = RedisCluster::start(3, 0);
    run(|prefix| Shards { cluster: &cluster, prefix }, &NEED_ONE_ORDER).await;
}
