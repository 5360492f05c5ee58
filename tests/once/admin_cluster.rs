//! The Admin UI shows all servers of a cluster, whichever an admin is connected to.

use serde_json::{Value, json};
use socketio::testing::cluster::SimNet;
use socketio::{Hub, Socket, event, events};
use socketio_tests::admin::{AdminClient, settings};
use std::time::Duration;

#[event("name")]
fn name(socket: &Socket, name: String) {
    socket.set_attribute("name", name);
}

async fn server(net: &SimNet, id: &str) -> Hub {
    let admin = settings().development().server_id(id);
    let hub = Hub::builder().admin(admin).events(events![name]).cluster(net.engine(id)).build().expect("a hub");
    hub.ready(Duration::from_secs(10)).await.expect("the network is up");
    hub
}

#[tokio::test(start_paused = true)]
async fn an_admin_sees_the_servers_and_sockets_of_the_cluster() {
    let net = SimNet::seeded(1);
    let (one, two) = (server(&net, "one").await, server(&net, "two").await);
    let ann = two.test_client().connect().await.expect("a client");
    ann.request::<()>("name", "ann").await.expect("an answer");
    let mut admin = AdminClient::log_in(&one).await;
    let sockets = admin.wait_for("all_sockets").await.remove(0);
    let described = sockets.as_array().expect("an array").iter().find(|socket| socket["nsp"] == "/").expect("ann");
    assert_eq!([&described["id"], &described["transport"]], [&*ann.id(), "websocket"]);
    assert_eq!(described["clientId"].as_str().map(str::len), Some(12));
    assert_eq!(described["data"], json!({ "name": "ann" }));
    for id in ["one", "two", "one", "two"] {
        admin.wait("server_stats", |stats| stats[0]["serverId"] == id).await;
    }

    let bob = two.test_client().plain().connect().await.expect("a client");
    let connected = admin.wait_for("socket_connected").await;
    assert_eq!(connected[0]["id"], *bob.id());
    ann.request::<()>("name", "anna").await.expect("an answer");
    let received = admin.wait_for("event_received").await;
    assert_eq!(received[..3], [json!("/"), json!(ann.id()), json!(["name", "anna"])]);
    let updated = admin.wait_for("socket_updated").await;
    assert_eq!(updated[0]["data"], json!({ "name": "anna" }));
}

#[tokio::test(start_paused = true)]
async fn commands_reach_the_sockets_of_all_servers() {
    let net = SimNet::seeded(2);
    let (one, two) = (server(&net, "one").await, server(&net, "two").await);
    // The first server does not know this namespace.
    let _only_there = two.of("/there");
    let mut ann = two.test_client().connect().await.expect("a client");
    let mut there = ann.connect_to("/there", ()).await.expect("a socket");
    let mut admin = AdminClient::log_in(&one).await;
    admin.wait_for("all_sockets").await;

    admin.0.emit(("join", "/", "lobby", ann.id())).expect("it is sent");
    let joined = admin.wait_for("room_joined").await;
    assert_eq!(joined[..3], [json!("/"), json!("lobby"), json!(ann.id())]);
    admin.0.emit(("emit", "/", "lobby", "news", 1)).expect("it is sent");
    ann.expect_exact(("news", 1)).await.expect("the event");
    admin.0.emit(("leave", "/", "lobby", Value::Null)).expect("it is sent");
    let left = admin.wait_for("room_left").await;
    assert_eq!(left[1], "lobby");
    admin.0.emit(("_disconnect", "/there", false, there.id())).expect("it is sent");
    there.expect_end().await.expect("the end");
    assert!(!one.namespaces().contains(&"/there".to_owned()));
    admin.0.emit(("_disconnect", "/", true, ann.id())).expect("it is sent");
    ann.expect_end().await.expect("the end");
    let ended = admin.wait("socket_disconnected", |args| args[0] == "/").await;
    assert_eq!(ended[1..3], [json!(ann.id()), json!("server namespace disconnect")]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_sends_no_more_statistics() {
    let net = SimNet::seeded(3);
    let (one, two) = (server(&net, "one").await, server(&net, "two").await);
    let mut admin = AdminClient::log_in(&one).await;
    admin.wait("server_stats", |stats| stats[0]["serverId"] == "two").await;
    two.shutdown(Duration::from_secs(1)).await;
    let dropped = two.cluster().expect("a cluster").stats().dropped;
    for _ in 0..5 {
        admin.wait("server_stats", |stats| stats[0]["serverId"] == "one").await;
    }
    assert_eq!(two.cluster().expect("a cluster").stats().dropped, dropped);
}
