//! What the Admin UI shows in development mode, and what its commands do.

use serde_json::{Value, json};
use socketio::testing::settle;
use socketio::{Admin, Hub, Recovery, Socket, contract, event, events};
use socketio_tests::admin::{AdminClient, password, settings};

#[event(connect)]
fn connect(socket: &Socket) {
    socket.join("hall").expect("it joins");
}

#[event("greet")]
fn greet(socket: &Socket, name: String) -> String {
    socket.set_attribute("name", name.as_str());
    format!("hello {name}")
}

fn hub(admin: Admin) -> Hub {
    Hub::builder().admin(admin).events(events![connect, greet]).build().expect("a hub")
}

/// An admin that has received everything that existed when it logged in.
async fn admin(hub: &Hub) -> (AdminClient, Value) {
    let mut admin = AdminClient::log_in(hub).await;
    let sockets = admin.wait_for("all_sockets").await.remove(0);
    (admin, sockets)
}

#[tokio::test(start_paused = true)]
async fn a_new_admin_sees_all_sockets_and_itself() {
    let hub = hub(settings().development());
    let client = hub.test_client().query("a", "b").header("x-forwarded-for", "192.0.2.7").cookie("s", "secret");
    let client = client.auth(json!({ "token": "secret" })).connect().await.expect("a client");
    client.request::<String>("greet", "ann").await.expect("an answer");
    let mut admin = AdminClient::log_in(&hub).await;
    let id = admin.0.id();
    assert_eq!(admin.next().await.0, "session");
    admin.expect(&[json!(["room_joined", "/admin", id, id]), json!(["socket_connected", id])]).await;
    let config = admin.wait_for("config").await;
    assert!(config[0]["supportedFeatures"].as_array().is_some_and(|all| all.contains(&json!("ALL_EVENTS"))));
    let sockets = admin.wait_for("all_sockets").await.remove(0);
    let sockets = sockets.as_array().expect("an array");
    assert_eq!(sockets.len(), 2);
    let described = sockets.iter().find(|socket| socket["nsp"] == "/").expect("the client");
    assert_eq!(described["id"], *client.id());
    assert_eq!([&described["transport"], &described["data"]["name"]], ["websocket", "ann"]);
    assert_eq!(described["rooms"], json!([client.id(), "hall"]));
    assert_eq!(described["clientId"].as_str().map(str::len), Some(12));
    let handshake = &described["handshake"];
    assert_eq!(handshake["address"], "192.0.2.7");
    assert_eq!(handshake["query"]["a"], "b");
    assert!(handshake["issued"].is_u64() && handshake["time"].is_string() && handshake["headers"].is_object());
    assert!(!described.to_string().contains("secret"), "{described}");
}

#[tokio::test(start_paused = true)]
async fn the_sockets_of_one_client_have_the_same_client_id() {
    let hub = hub(settings().development());
    let _chat = hub.of("/chat");
    let client = hub.test_client().connect().await.expect("a client");
    let _in_chat = client.connect_to("/chat", ()).await.expect("a socket");
    let _other = hub.test_client().connect().await.expect("a client");
    let (_admin, sockets) = admin(&hub).await;
    let of = |path: &str| -> Vec<&Value> {
        let sockets = sockets.as_array().expect("an array").iter();
        sockets.filter(|socket| socket["nsp"] == path).map(|socket| &socket["clientId"]).collect()
    };
    let (root, chat) = (of("/"), of("/chat"));
    assert_eq!((root.len(), chat.len()), (2, 1));
    assert_ne!(root[0], root[1]);
    assert!(root.contains(&chat[0]));
}

#[tokio::test(start_paused = true)]
async fn an_admin_follows_a_socket_from_its_connection_to_its_end() {
    let hub = hub(settings().development());
    let (mut admin, _) = admin(&hub).await;
    for is_plain in [false, true] {
        let client = hub.test_client();
        let client = if is_plain { client.plain() } else { client }.connect().await.expect("a client");
        let id = client.id();
        // The rooms that it joins before it is accepted are in its description.
        admin.expect(&[json!(["room_joined", "/", id, id])]).await;
        let connected = admin.wait_for("socket_connected").await;
        assert_eq!(connected[0]["rooms"], json!([id, "hall"]));

        client.request::<String>("greet", "ann").await.expect("an answer");
        hub.to("hall").emit(("news", 1, [2])).expect("it is sent");
        hub.socket(&id).expect("a socket").join("a \"room\"\n").expect("it joins");
        let update = json!({ "id": id, "nsp": "/", "data": { "name": "ann" } });
        let mut expected = vec![
            json!(["event_received", "/", id, ["greet", "ann"]]),
            json!(["socket_updated", update]),
            json!(["event_sent", "/", id, ["news", 1, [2]]]),
            json!(["room_joined", "/", "a \"room\"\n", id]),
        ];
        hub.socket(&id).expect("a socket").leave("hall");
        expected.push(json!(["room_left", "/", "hall", id]));
        admin.expect(&expected).await;

        client.disconnect().await;
        let reason = if is_plain { "transport close" } else { "client namespace disconnect" };
        admin
            .expect(&[
                json!(["socket_disconnected", "/", id, reason]),
                json!(["room_left", "/", id, id]),
                json!(["room_left", "/", "a \"room\"\n", id]),
            ])
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_refused_is_not_shown() {
    let refusing = Hub::builder().admin(settings().development());
    let hub = refusing.middleware(|socket: Socket| async move {
        socket.join("early").expect("it joins");
        Err::<(), _>(socketio::Refusal::new("no"))
    });
    let hub = hub.build().expect("a hub");
    let (mut admin, _) = admin(&hub).await;
    assert!(hub.test_client().connect().await.is_err());
    settle().await;
    assert_eq!(admin.next().await.0, "server_stats");
}

#[tokio::test(start_paused = true)]
async fn what_admins_do_is_not_observed() {
    let hub = hub(settings().development());
    let (mut one, _) = admin(&hub).await;
    let (mut two, _) = admin(&hub).await;
    one.0.emit(("nonsense", "x")).expect("it is sent");
    let id = two.0.id();
    one.expect(&[json!(["room_joined", "/admin", id, id]), json!(["socket_connected", id])]).await;
    settle().await;
    assert_eq!(one.next().await.0, "server_stats");
    assert_eq!(two.next().await.0, "server_stats");
}

#[tokio::test(start_paused = true)]
async fn events_of_any_content_are_shown_or_described() {
    let hub = hub(settings().development());
    let (mut admin, _) = admin(&hub).await;
    let client = hub.test_client().connect().await.expect("a client");
    let (id, large) = (client.id(), "x".repeat(70_000));
    client.emit(("e\u{1}\n\"\\", "\u{0}\u{7f}<script>")).expect("it is sent");
    client.emit(("large", &large)).expect("it is sent");
    client.emit(("none",)).expect("it is sent");
    let nested = (0..120).fold(json!(1), |inner, _| json!([inner]));
    client.emit(("nested", &nested)).expect("it is sent");
    let expected = [
        json!(["event_received", "/", id, ["e\u{1}\n\"\\", "\u{0}\u{7f}<script>"]]),
        json!(["event_received", "/", id, ["large", "(70002 bytes)"]]),
        json!(["event_received", "/", id, ["none"]]),
        json!(["event_received", "/", id, ["nested", nested]]),
    ];
    for event in expected {
        let received = admin.wait_for("event_received").await;
        assert_eq!(Value::from(received[..3].to_vec()), Value::from(event.as_array().expect("an array")[1..].to_vec()));
    }
}

#[tokio::test(start_paused = true)]
async fn commands_act_on_sockets() {
    let hub = hub(settings());
    let mut admin = AdminClient::log_in(&hub).await;
    admin.wait_for("config").await;
    let mut ann = hub.test_client().connect().await.expect("a client");
    let mut bob = hub.test_client().plain().connect().await.expect("a client");
    let rooms = |id: &str| hub.socket(id).map(|socket| socket.rooms()).unwrap_or_default();

    admin.0.emit(("join", "/", "lobby", ann.id())).expect("it is sent");
    admin.0.emit(("join", "/", "everyone")).expect("it is sent");
    settle().await;
    assert!(["hall", "lobby", "everyone"].iter().all(|room| hub.socket(ann.id()).expect("a socket").is_in(room)));
    assert!(!rooms(&bob.id()).contains(&"lobby".to_owned()) && rooms(&bob.id()).contains(&"everyone".to_owned()));

    admin.0.emit(("emit", "/", "lobby", "news", 1, [2])).expect("it is sent");
    admin.0.emit(("emit", "/", Value::Null, "news", 3)).expect("it is sent");
    admin.0.emit(("emit", "/", "", "news")).expect("it is sent");
    ann.expect_exact(("news", 1, [2])).await.expect("the event");
    for client in [&mut ann, &mut bob] {
        client.expect_exact(("news", 3)).await.expect("the event");
        client.expect_exact(("news",)).await.expect("the event");
    }

    admin.0.emit(("leave", "/", "lobby", ann.id())).expect("it is sent");
    admin.0.emit(("leave", "/", "everyone", Value::Null)).expect("it is sent");
    settle().await;
    assert_eq!(rooms(&ann.id()), [&*ann.id(), "hall"]);
    assert!(!rooms(&bob.id()).contains(&"everyone".to_owned()));

    let chat = hub.of("/chat");
    let mut in_chat = ann.connect_to("/chat", ()).await.expect("a socket");
    admin.0.emit(("_disconnect", "/chat", false, in_chat.id())).expect("it is sent");
    in_chat.expect_end().await.expect("the end");
    assert!(chat.is_empty() && hub.socket(ann.id()).is_some());
    let mut in_chat = ann.connect_to("/chat", ()).await.expect("a socket");
    admin.0.emit(("_disconnect", "/", true, ann.id())).expect("it is sent");
    in_chat.expect_end().await.expect("the end");
    ann.expect_end().await.expect("the end");
    assert!(hub.socket(bob.id()).is_some());
    admin.0.emit(("_disconnect", "/", false)).expect("it is sent");
    bob.expect_end().await.expect("the end");
}

/// Sends nonsense, and returns how many sockets and namespaces are left.
async fn nonsense(hub: &Hub) -> (usize, Vec<String>) {
    let admin = AdminClient::log_in(hub).await;
    let values = [json!(null), json!(7), json!(""), json!([]), json!({ "a": [1] }), json!("/nowhere"), json!("\u{0}")];
    for name in ["emit", "join", "leave", "_disconnect", "connect_us", "config"] {
        admin.0.emit((name,)).expect("it is sent");
        for first in &values {
            admin.0.emit((name, first)).expect("it is sent");
            for second in &values {
                admin.0.emit((name, first, second)).expect("it is sent");
                admin.0.emit((name, "/", second, json!({ "filter": 1 }))).expect("it is sent");
            }
        }
    }
    admin.0.emit(("join", "x".repeat(10_000), "room")).expect("it is sent");
    admin.0.emit(("emit", "/", "", "connect", 1)).expect("it is sent");
    settle().await;
    (hub.len(), hub.namespaces())
}

#[tokio::test(start_paused = true)]
async fn malformed_commands_are_ignored() {
    let hub = hub(settings());
    let mut client = hub.test_client().connect().await.expect("a client");
    assert_eq!(nonsense(&hub).await, (1, vec!["/".to_owned(), "/admin".to_owned()]));
    client.expect_nothing().await.expect("nothing");
}

#[tokio::test(start_paused = true)]
async fn read_only_admins_command_nothing() {
    let hub = hub(settings().development().read_only());
    let mut admin = AdminClient::log_in(&hub).await;
    let config = admin.wait_for("config").await;
    assert_eq!(config[0]["supportedFeatures"], json!(["AGGREGATED_EVENTS", "ALL_EVENTS"]));
    let mut client = hub.test_client().connect().await.expect("a client");
    for name in ["_disconnect", "join", "leave", "emit"] {
        admin.0.emit((name, "/", true, client.id())).expect("it is sent");
        admin.0.emit((name, "/", "hall")).expect("it is sent");
        admin.0.emit((name, "/", Value::Null, "news")).expect("it is sent");
    }
    client.expect_nothing().await.expect("nothing");
    assert_eq!(hub.socket(client.id()).expect("a socket").rooms(), [&*client.id(), "hall"]);
}

#[tokio::test(start_paused = true)]
async fn contracts_and_recovery_leave_the_admins_alone() {
    contract! {
        Greetings { "/" { receives [greet] } }
    }
    let builder = Hub::builder().admin(settings().development()).recovery(Recovery::new());
    let hub = builder.contract::<Greetings>().events(events![connect, greet]).build().expect("a hub");
    let (mut admin, _) = admin(&hub).await;
    let client = hub.test_client().connect().await.expect("a client");
    admin.wait_for("socket_connected").await;
    let id = client.id();
    drop(client);
    let ended = admin.wait_for("socket_disconnected").await;
    assert_eq!(ended[..2], [json!("/"), json!(id)]);
    assert_eq!(hub.contract_violations(), []);
    assert_eq!(AdminClient::refused(&hub, password("admin", "wrong")).await, "invalid credentials");
}
