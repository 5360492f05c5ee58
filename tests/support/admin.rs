//! An admin of a hub, as the Admin UI is one.

use serde_json::{Value, json};
use socketio::testing::{Client, TestError};
use socketio::{Admin, Hub};

/// The bcrypt hash of `changeit`.
pub const HASH: &str = "$2a$04$rfi1lb3oYgfGe93.ApQz0.qddMkbvE.iypTL.lSish93tOhgduqza";

/// All events that admins receive.
const EVENTS: [&str; 11] = [
    "server_stats",
    "session",
    "config",
    "all_sockets",
    "socket_connected",
    "socket_updated",
    "socket_disconnected",
    "room_joined",
    "room_left",
    "event_received",
    "event_sent",
];

/// The settings of an Admin UI for `admin` with the password `changeit`.
pub fn settings() -> Admin {
    Admin::new("admin", HASH).server_id("server")
}

/// The `auth` payload of somebody who logs in.
pub fn password(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

/// A client of the namespace `/admin`.
#[derive(Debug)]
pub struct AdminClient(pub Client);

impl AdminClient {
    /// Logs in with the right password, or without one.
    pub async fn log_in(hub: &Hub) -> Self {
        let auth = password("admin", "changeit");
        Self(hub.of("/admin").test_client().auth(auth).connect().await.expect("the password is right"))
    }

    /// Tries to log in, and returns the message of the refusal.
    pub async fn refused(hub: &Hub, auth: impl Into<Value>) -> String {
        match hub.of("/admin").test_client().auth(auth.into()).connect().await {
            Ok(_) => panic!("an admin was let in"),
            Err(error) => error.refused().expect("a refusal").message().to_owned(),
        }
    }

    /// The next event.
    pub async fn next(&mut self) -> (&'static str, Vec<Value>) {
        let mut last: Option<TestError> = None;
        for name in EVENTS {
            match self.0.expect_event(name).await {
                Ok(event) => return (name, event.args().all().expect("JSON")),
                Err(error) => last = Some(error),
            }
        }
        panic!("no event for admins: {last:?}");
    }

    /// The arguments of the next event of this name. Other events are dropped.
    pub async fn wait_for(&mut self, wanted: &str) -> Vec<Value> {
        self.wait(wanted, |_| true).await
    }

    /// The arguments of the next event of this name for which `is_it` is true. Other events are
    /// dropped.
    pub async fn wait(&mut self, wanted: &str, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        for _ in 0..1_000 {
            match self.next().await {
                (name, args) if name == wanted && is_it(&args) => return args,
                _ => {}
            }
        }
        panic!("no `{wanted}` among a thousand events");
    }

    /// The next events except statistics, each as an array of its name and arguments. Times and
    /// descriptions of sockets are left out.
    pub async fn expect(&mut self, events: &[Value]) {
        for expected in events {
            let (name, args) = loop {
                match self.next().await {
                    ("server_stats", _) => {}
                    event => break event,
                }
            };
            let is_time = |value: &Value| value.as_str().is_some_and(|text| text.len() == 24 && text.ends_with('Z'));
            let shown = args.into_iter().filter(|arg| !is_time(arg)).map(|arg| match arg {
                Value::Object(fields) if fields.contains_key("handshake") => fields["id"].clone(),
                other => other,
            });
            let got: Vec<Value> = [json!(name)].into_iter().chain(shown).collect();
            assert_eq!(Value::from(got), *expected, "{}", self.0.record());
        }
    }
}
