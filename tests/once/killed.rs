//! Client processes that are killed in the middle of a frame. Their connections end, and other
//! clients are not affected.

use serde_json::json;
use socketio::{Disconnect, Hub, Socket, State, event, events};
use socketio_tests::raw::{RawClient, text_frame};
use socketio_tests::{Log, log, serve, soon};
use std::io::{self, Write};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const CLIENTS: usize = 8;
/// The environment variable that gives the client process the server's address.
const ADDRESS: &str = "KILLED_TEST_SERVER";

#[event("double")]
async fn double(text: String) -> String {
    text.repeat(2)
}

#[event(disconnect)]
fn disconnect(socket: &Socket, end: Disconnect, log: State<Log>) {
    log.note(format_args!("{} {}", socket.params("id").unwrap_or_default(), end.reason()));
}

/// Not a test of its own: a client process of the test below. It is killed while it sends a large
/// message.
#[test]
#[ignore = "it is the other test's client"]
fn client() {
    let address = std::env::var(ADDRESS).expect("the test says it").parse().expect("an address");
    let mut client = RawClient::connect(address, "/ws/killed").expect("a connection");
    client.send(&text_frame(r#"{"event":"double","data":"x","id":1}"#)).expect("sent");
    client.receive(1, |answer| assert_eq!(answer, br#"{"id":1,"data":"xx"}"#)).expect("an answer");
    let large = text_frame(&format!(r#"{{"event":"double","data":"{}"}}"#, "x".repeat(900_000)));
    client.send(&large[..large.len() / 2]).expect("sent");
    writeln!(io::stdout(), "\nin the middle").expect("the test reads it");
    loop {
        std::thread::park();
    }
}

#[tokio::test]
async fn killed_clients_are_disconnected_and_the_others_stay_connected() {
    let (log, mut seen) = log();
    let hub = Hub::builder().state(log).events(events![double, disconnect]).build().expect("a hub");
    let server = serve(hub).await;
    let mut other = server.connect("other").await;
    let own = std::env::current_exe().expect("the test's own path");
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Command::new(&own)
            .args(["--exact", "killed::client", "--ignored", "--nocapture"])
            .env(ADDRESS, server.address().to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(client.stdout.take().expect("its output is piped")).lines();
        let middle = async { while lines.next_line().await.expect("text").expect("a line") != "in the middle" {} };
        soon("client in the middle of a frame", middle).await;
        clients.push(client);
    }
    assert_eq!(server.hub.len(), CLIENTS + 1);
    for client in &mut clients {
        assert_eq!(other.ask("double", "before").await["data"], json!("beforebefore"));
        client.kill().await.expect("it runs");
        seen.expect(&["killed transport error"]).await;
        assert_eq!(other.ask("double", "after").await["data"], json!("afterafter"));
    }
    assert_eq!(server.hub.len(), 1);
    seen.expect_nothing();
}
