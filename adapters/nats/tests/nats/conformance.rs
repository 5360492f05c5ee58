//! The conformance suite of engines, with real servers.
//!
//! `CLUSTER_CASE=shutdown cargo test -p socketio-nats conformance` runs the cases whose names
//! contain the word.

use parking_lot::Mutex;
use socketio::cluster::{BoxFuture, Engine, Topic};
use socketio::testing::cluster::TcpProxy;
use socketio::testing::cluster::conformance::{Faults, Harness, Need, cases};
use socketio_nats::Nats;
use std::collections::HashMap;
use std::time::Duration;

use crate::support::{Server, url_of_port};

/// Servers are forgotten soon after they ended, so that the tests need not wait long. A tenth of
/// the interval is the time in which servers answer each other, also on a busy machine.
const INTERVAL: Duration = Duration::from_secs(4);
const TIMEOUT: Duration = Duration::from_secs(8);

/// One server, to which each engine has a proxy.
struct OneServer {
    server: Mutex<Server>,
    proxies: Mutex<HashMap<String, TcpProxy>>,
}

impl OneServer {
    fn start() -> Self {
        let server = Server::with("max_payload: 8MB");
        Self { server: Mutex::new(server), proxies: Mutex::default() }
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
        Box::new(Nats::new(url).unwrap().heartbeats(INTERVAL, TIMEOUT).max_payload(8 << 20))
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }
}

impl Faults for OneServer {
    fn provides(&self, need: Need) -> bool {
        matches!(need, Need::Nothing | Need::Restart | Need::Stop | Need::Cut | Need::Hang | Need::Inject)
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

    fn inject<'a>(&'a self, topic: Topic<'a>, body: &'a [u8]) -> BoxFuture<'a, ()> {
        assert_eq!(topic.namespace(), "/");
        let subject = match topic {
            Topic::Reply { server, .. } => format!("socket.io.=2F.to.{server}"),
            _ => "socket.io.=2F.all".to_owned(),
        };
        let mut raw = self.server.lock().connect();
        raw.publish(&subject, body);
        raw.flush();
        Box::pin(async {})
    }
}

/// How many cases run at a time, each on a thread of its own. They mostly wait.
const AT_A_TIME: usize = 8;
/// The cases that take longest. They begin first.
const LONG: [&str; 3] =
    ["an_outage_may_last_long", "a_hub_connects_when_it_can", "several_attempts_fail_before_one_succeeds"];

#[test]
fn one_server() {
    let word = std::env::var("CLUSTER_CASE").unwrap_or_default();
    let mut chosen: Vec<_> = cases().filter(|case| case.name().contains(&word)).collect();
    chosen.sort_by_key(|case| !LONG.contains(&case.name()));
    let waiting = Mutex::new(chosen.into_iter());
    let failures = Mutex::new(Vec::new());
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        loop {
            let Some(case) = waiting.lock().next() else { return };
            runtime.block_on(async {
                let harness = OneServer::start();
                if case.can_run(&harness)
                    && let Err(failure) = case.run(&harness).await
                {
                    failures.lock().push(failure.to_string());
                }
            });
        }
    };
    std::thread::scope(|scope| (0..AT_A_TIME).for_each(|_| _ = scope.spawn(work)));
    let failures = failures.into_inner();
    assert!(failures.is_empty(), "{} cases failed\n{}", failures.len(), failures.join("\n"));
}
