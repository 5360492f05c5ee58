//! The conformance suite of engines, with real servers.
//!
//! `CLUSTER_CASE=shutdown cargo test -p socketio-redis conformance` runs the cases whose names
//! contain the word.

use parking_lot::Mutex;
use socketio::cluster::{BoxFuture, Engine, Topic};
use socketio::testing::cluster::TcpProxy;
use socketio::testing::cluster::conformance::{Case, Faults, Harness, Need, cases};
use socketio_redis::{Redis, RedisStreams, ShardedRedis, SubscriptionMode};
use std::collections::HashMap;
use std::fmt::Debug;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{RedisCluster, Server, url_of_port};

/// An engine for one server.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Classic,
    Sharded(SubscriptionMode),
    Streams,
}

/// One server, to which each engine has a proxy.
struct OneServer {
    server: Mutex<Server>,
    proxies: Mutex<HashMap<String, TcpProxy>>,
    kind: Kind,
}

impl OneServer {
    fn start(kind: Kind) -> Self {
        Self { server: Mutex::new(Server::start()), proxies: Mutex::default(), kind }
    }

    fn each(&self, server: &str, fault: impl Fn(&TcpProxy)) -> BoxFuture<'static, ()> {
        self.proxies.lock().get(server).into_iter().for_each(fault);
        Box::pin(async {})
    }
}

impl Harness for OneServer {
    fn engine(&self, name: &str) -> Box<dyn Engine> {
        let proxy = TcpProxy::start(self.server.lock().port).unwrap();
        let url = url_of_port(proxy.address().port());
        self.proxies.lock().insert(name.to_owned(), proxy);
        match self.kind {
            Kind::Classic => Box::new(Redis::new(url).unwrap()),
            Kind::Sharded(mode) => Box::new(ShardedRedis::new(url).unwrap().mode(mode)),
            Kind::Streams => Box::new(RedisStreams::new(url).unwrap()),
        }
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }
}

impl Faults for OneServer {
    fn provides(&self, need: Need) -> bool {
        let needs_log = matches!(need, Need::Log | Need::TrimLog | Need::ReplaceLog);
        need != Need::Simulation && (!needs_log || matches!(self.kind, Kind::Streams))
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
        self.each(server, TcpProxy::cut)
    }

    fn hang<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        self.each(server, |proxy| proxy.hang(true))
    }

    fn resume<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        self.each(server, |proxy| proxy.hang(false))
    }

    fn trim_log(&self) -> BoxFuture<'_, ()> {
        self.server.lock().cli(&["XTRIM", "socket.io", "MAXLEN", "0"]);
        Box::pin(async {})
    }

    fn replace_log(&self) -> BoxFuture<'_, ()> {
        self.server.lock().cli(&["FLUSHALL"]);
        Box::pin(async {})
    }

    fn inject<'a>(&'a self, topic: Topic<'a>, body: &'a [u8]) -> BoxFuture<'a, ()> {
        let (command, infixes) = match self.kind {
            Kind::Classic => ("PUBLISH", ["-request", "-response"]),
            Kind::Sharded(_) => ("SPUBLISH", ["", ""]),
            Kind::Streams => ("PUBLISH", ["", ""]),
        };
        let channel = match topic {
            Topic::Room { namespace, room } => format!("socket.io#{namespace}#{room}#"),
            Topic::Requests { namespace } => format!("socket.io{}#{namespace}#", infixes[0]),
            Topic::Responses { namespace } => format!("socket.io{}#{namespace}#", infixes[1]),
            Topic::Reply { namespace, server } => format!("socket.io{}#{namespace}#{server}#", infixes[1]),
            topic => format!("socket.io#{}#", topic.namespace()),
        };
        let mut bytes = b"*3\r\n".to_vec();
        for part in [command.as_bytes(), channel.as_bytes(), body] {
            bytes.extend(format!("${}\r\n", part.len()).into_bytes());
            bytes.extend(part);
            bytes.extend(b"\r\n");
        }
        let address = ("127.0.0.1", self.server.lock().port);
        // The engines go on meanwhile.
        Box::pin(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.read_exact(&mut [0; 4]).await.unwrap();
        })
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

/// How many cases run at a time, each on a thread of its own. They mostly wait.
const AT_A_TIME: usize = 12;
/// The cases that take longest. They begin first.
const LONG: [&str; 3] =
    ["an_outage_may_last_long", "a_hub_connects_when_it_can", "several_attempts_fail_before_one_succeeds"];

/// Runs the cases with a harness for each. `kinds` have names for messages of failures.
fn run<K: Copy + Debug + Send, H: Harness>(
    kinds: &[K],
    make: impl Fn(K, &'static Case) -> H + Sync,
    left_out: &[&str],
) {
    let word = std::env::var("CLUSTER_CASE").unwrap_or_default();
    let chosen = cases().filter(|case| case.name().contains(&word) && !left_out.contains(&case.name()));
    let mut jobs: Vec<_> = chosen.flat_map(|case| kinds.iter().map(move |kind| (*kind, case))).collect();
    jobs.sort_by_key(|(_, case)| !LONG.contains(&case.name()));
    let waiting = Mutex::new(jobs.into_iter());
    let failures = Mutex::new(Vec::new());
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        loop {
            let Some((kind, case)) = waiting.lock().next() else { return };
            runtime.block_on(async {
                let harness = make(kind, case);
                if case.can_run(&harness)
                    && let Err(failure) = case.run(&harness).await
                {
                    failures.lock().push(format!("{kind:?}: {failure}"));
                }
            });
        }
    };
    std::thread::scope(|scope| (0..AT_A_TIME).for_each(|_| _ = scope.spawn(work)));
    let failures = failures.into_inner();
    assert!(failures.is_empty(), "{} cases failed\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn one_server() {
    use SubscriptionMode::{Dynamic, DynamicPrivate, Static};
    let sharded = [Dynamic, DynamicPrivate, Static].map(Kind::Sharded);
    let kinds = [&[Kind::Classic], &sharded[..]].concat();
    run(&kinds, |kind, _| OneServer::start(kind), &[]);
}

#[test]
fn streams() {
    run(&[Kind::Streams], |kind, _| OneServer::start(kind), &[]);
}

#[test]
fn redis_cluster() {
    let cluster = RedisCluster::start(3, 0);
    run(&["cluster"], |_, case| Shards { cluster: &cluster, prefix: case.name() }, &NEED_ONE_ORDER);
}
