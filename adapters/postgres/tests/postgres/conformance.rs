//! The conformance suite of engines, with real servers.
//!
//! `CLUSTER_CASE=shutdown cargo test -p socketio-postgres conformance` runs the cases whose names
//! contain the word.

use parking_lot::Mutex;
use socketio::cluster::{BoxFuture, Engine, Topic};
use socketio::testing::cluster::TcpProxy;
use socketio::testing::cluster::conformance::{Case, Faults, Harness, Need, cases};
use socketio_postgres::Postgres;
use std::collections::HashMap;
use std::time::Duration;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};

use crate::support::{Server, url_of_port};

/// A cluster that has a prefix on a server, to which each engine has a proxy.
struct Cluster<'a> {
    prefix: &'static str,
    /// That of all cases that do not stop it.
    shared: &'a Server,
    own: Option<Mutex<Server>>,
    proxies: Mutex<HashMap<String, TcpProxy>>,
    /// A connection of no server.
    injector: tokio::sync::Mutex<Option<Client>>,
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS socket_io_attachments \
                     (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)";

impl<'a> Cluster<'a> {
    fn new(case: &'static Case, shared: &'a Server) -> Self {
        let own = matches!(case.need(), Need::Stop | Need::Restart).then(|| Mutex::new(Server::start()));
        Self { prefix: case.name(), shared, own, proxies: Mutex::default(), injector: tokio::sync::Mutex::default() }
    }

    fn port(&self) -> u16 {
        self.own.as_ref().map_or(self.shared.port, |own| own.lock().port)
    }

    fn with_own(&self, act: impl FnOnce(&mut Server)) -> BoxFuture<'static, ()> {
        if let Some(own) = &self.own {
            act(&mut own.lock());
        }
        Box::pin(async {})
    }

    fn each(&self, server: &str, fault: impl Fn(&TcpProxy)) -> BoxFuture<'static, ()> {
        self.proxies.lock().get(server).into_iter().for_each(fault);
        Box::pin(async {})
    }
}

impl Harness for Cluster<'_> {
    fn engine(&self, name: &str) -> Box<dyn Engine> {
        let proxy = TcpProxy::start(self.port()).unwrap();
        let engine = Postgres::new(url_of_port(proxy.address().port())).unwrap().prefix(self.prefix);
        self.proxies.lock().insert(name.to_owned(), proxy);
        let engine = engine.heartbeat_interval(Duration::from_secs(1));
        Box::new(engine.heartbeat_timeout(Duration::from_secs(3)))
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }
}

impl Faults for Cluster<'_> {
    fn provides(&self, need: Need) -> bool {
        matches!(need, Need::Restart | Need::Stop | Need::Cut | Need::Hang | Need::Inject)
    }

    fn restart(&self) -> BoxFuture<'_, ()> {
        self.with_own(|server| {
            server.kill();
            server.restart();
        })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        self.with_own(Server::shut_down)
    }

    fn start(&self) -> BoxFuture<'_, ()> {
        self.with_own(Server::restart)
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
        let channel = format!("{}#{}", self.prefix, topic.namespace());
        let is_text = str::from_utf8(body).is_ok_and(|text| !text.contains('\0'));
        // What is no text is an attachment.
        let statement = if is_text && body.len() < 8_000 {
            "SELECT pg_notify($1, convert_from($2, 'UTF8'))"
        } else {
            "WITH stored AS (INSERT INTO socket_io_attachments (payload) VALUES ($2) RETURNING id) \
             SELECT pg_notify($1, json_build_object('attachmentId', id::text)::text) FROM stored"
        };
        Box::pin(async move {
            let mut injector = self.injector.lock().await;
            if injector.is_none() {
                let (client, connection) = tokio_postgres::connect(&self.shared.url(), NoTls).await.unwrap();
                tokio::spawn(connection);
                // Another case may create it too.
                _ = client.batch_execute(TABLE).await;
                *injector = Some(client);
            }
            let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&channel, Type::TEXT), (&body, Type::BYTEA)];
            injector.as_ref().unwrap().query_typed(statement, &parameters).await.unwrap();
        })
    }
}

/// How many cases run at a time, each on a thread of its own.
const AT_A_TIME: usize = 7;
/// The cases that take longest, since they mostly wait. They begin first.
const LONG: [&str; 3] =
    ["an_outage_may_last_long", "a_hub_connects_when_it_can", "several_attempts_fail_before_one_succeeds"];

#[test]
fn all_cases() {
    let word = std::env::var("CLUSTER_CASE").unwrap_or_default();
    let mut chosen: Vec<_> = cases().filter(|case| case.name().contains(&word)).collect();
    chosen.sort_by_key(|case| !LONG.contains(&case.name()));
    let shared = Server::start();
    let waiting = Mutex::new(chosen.into_iter());
    let failures = Mutex::new(Vec::new());
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        loop {
            let Some(case) = waiting.lock().next() else { return };
            runtime.block_on(async {
                let harness = Cluster::new(case, &shared);
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
