//! Who may use the Admin UI, and what it shows in production mode.

use futures_util::future::join_all;
use serde_json::{Value, json};
use socketio::testing::Refused;
use socketio::{Admin, Hub};
use socketio_tests::admin::{AdminClient, HASH, password, settings};
use std::time::Duration;
use tokio::time::advance;

fn hub(admin: Admin) -> Hub {
    Hub::builder().admin(admin).build().expect("a hub")
}

const INVALID: &str = "invalid credentials";

#[tokio::test(start_paused = true)]
async fn only_the_right_name_and_password_let_an_admin_in() {
    let hub = hub(settings());
    let wrong = [
        json!({}),
        password("admin", "wrong"),
        password("somebody", "changeit"),
        password("", ""),
        json!({ "username": "admin" }),
        json!({ "password": "changeit" }),
        json!({ "username": ["admin"], "password": { "a": 1 } }),
        json!({ "sessionId": "" }),
        json!({ "sessionId": "0".repeat(32) }),
        json!({ "sessionId": 7, "username": "admin", "password": null }),
        password("admin", &"changeit".repeat(1_000)),
        password(&"admin\0".repeat(1_000), "changeit"),
        password("admin", "change\0it"),
    ];
    for auth in wrong {
        assert_eq!(AdminClient::refused(&hub, auth.clone()).await, INVALID, "{auth}");
    }
    let mut admin = AdminClient::log_in(&hub).await;
    let session = admin.wait_for("session").await;
    assert_eq!(session[0].as_str().map(str::len), Some(32));
    assert_eq!(hub.of("/admin").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_admin_logs_in_again_with_the_session_id_for_a_day() {
    let hub = hub(settings());
    let mut admin = AdminClient::log_in(&hub).await;
    let id = admin.wait_for("session").await.remove(0);
    let auth = json!({ "sessionId": id });
    for _ in 0..100 {
        let again = hub.of("/admin").test_client().auth(&auth).connect().await.expect("the session is known");
        assert_eq!(AdminClient(again).next().await.0, "config", "another session id would replace this one");
    }
    advance(Duration::from_secs(86_400)).await;
    assert_eq!(AdminClient::refused(&hub, auth).await, INVALID);
}

#[tokio::test(start_paused = true)]
async fn passwords_can_be_guessed_ten_times_from_an_address() {
    let hub = hub(settings());
    let guess = async |address: [u8; 4], word: &str| {
        let client = hub.of("/admin").test_client().peer_addr((address, 80).into()).auth(password("admin", word));
        client.connect().await.map_err(|error| error.refused().map(|refused| refused.message().to_owned()))
    };
    let began = tokio::time::Instant::now();
    let refused = join_all((0..12).map(|_| guess([192, 0, 2, 1], "wrong"))).await;
    let refused: Vec<_> = refused.into_iter().filter_map(|refused| refused.err().flatten()).collect();
    assert_eq!(refused.iter().filter(|message| *message == INVALID).count(), 10, "{refused:?}");
    assert_eq!(refused.iter().filter(|message| message.starts_with("too many attempts")).count(), 2, "{refused:?}");
    assert!(began.elapsed() >= Duration::from_secs(1), "a wrong guess is answered after a second");
    // The limit does not tell whether the password is right.
    for word in ["wrong", "changeit"] {
        let refused = guess([192, 0, 2, 1], word).await.err().flatten();
        assert!(refused.is_some_and(|message| message.starts_with("too many attempts")), "{word}");
    }
    assert!(guess([192, 0, 2, 2], "changeit").await.is_ok());
    advance(Duration::from_secs(10)).await;
    assert!(guess([192, 0, 2, 1], "changeit").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn everybody_is_let_in_if_the_application_says_so() {
    let hub = hub(Admin::open_to_everyone());
    let client = hub.of("/admin").test_client().connect().await.expect("everybody is let in");
    assert_eq!(AdminClient(client).next().await.0, "config");
}

#[tokio::test(start_paused = true)]
async fn a_plain_client_needs_a_password_too() {
    let hub = hub(settings());
    assert!(hub.of("/admin").test_client().plain().connect().await.is_err());
    assert!(hub.of("/admin").is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_an_admin_ui_there_is_no_such_namespace() {
    let hub = Hub::builder().build().expect("a hub");
    let client = hub.test_client().connect().await.expect("a client");
    let refused = client.connect_to("/admin", password("admin", "changeit")).await.expect_err("no namespace");
    assert_eq!(refused.refused().map(Refused::message), Some("Invalid namespace"));
}

#[tokio::test(start_paused = true)]
async fn production_mode_shows_servers_alone() {
    let hub = hub(settings());
    let client = hub.test_client().connect().await.expect("a client");
    let mut admin = AdminClient::log_in(&hub).await;
    assert_eq!(admin.next().await.0, "session");
    let commands = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"];
    let mut features = vec!["AGGREGATED_EVENTS"];
    features.extend(commands);
    assert_eq!(admin.next().await, ("config", vec![json!({ "supportedFeatures": features })]));
    hub.socket(client.id()).expect("a socket").join("a room").expect("it joins");
    hub.broadcast(("news", 1)).expect("it is sent");
    client.emit(("hello", 2)).expect("it is sent");
    let mut times = Vec::new();
    for _ in 0..3 {
        let (name, args) = admin.next().await;
        assert_eq!(name, "server_stats", "{args:?}");
        times.push(args[0]["uptime"].as_f64().expect("seconds"));
        let stats = &args[0];
        assert_eq!(stats["serverId"], "server");
        assert_eq!(stats["pid"], std::process::id());
        assert!(stats["hostname"].is_string() && stats["aggregatedEvents"].is_array());
        assert_eq!([&stats["clientsCount"], &stats["pollingClientsCount"]], [2, 0]);
        let namespaces = json!([{ "name": "/", "socketsCount": 1 }, { "name": "/admin", "socketsCount": 1 }]);
        assert_eq!(stats["namespaces"], namespaces);
    }
    assert!(times.windows(2).all(|pair| (pair[1] - pair[0] - 2.0).abs() < 0.1), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn statistics_count_what_happened_since_the_last_ones() {
    let hub = hub(settings());
    let mut admin = AdminClient::log_in(&hub).await;
    let count = |stats: &[Value], kind: &str| -> u64 {
        let events = stats[0]["aggregatedEvents"].as_array().expect("an array");
        let second = |event: &&Value| event["timestamp"].as_u64().is_some_and(|time| time % 1_000 == 0);
        assert_eq!(events.iter().filter(second).count(), events.len());
        events.iter().filter(|event| event["type"] == kind).filter_map(|event| event["count"].as_u64()).sum()
    };
    admin.wait_for("server_stats").await;
    let first = hub.test_client().connect().await.expect("a client");
    let second = hub.test_client().connect().await.expect("a client");
    first.emit(("hello", "x".repeat(1_000))).expect("it is sent");
    let stats = admin.wait("server_stats", |stats| count(stats, "rawConnection") > 0).await;
    assert_eq!(count(&stats, "rawConnection"), 2);
    assert!(count(&stats, "packetsIn") >= 3 && count(&stats, "bytesIn") >= 1_000, "{stats:?}");
    assert!(count(&stats, "packetsOut") >= 2 && count(&stats, "bytesOut") > 0, "{stats:?}");
    drop((first, second));
    let stats = admin.wait("server_stats", |stats| count(stats, "rawDisconnection") > 0).await;
    assert_eq!([count(&stats, "rawConnection"), count(&stats, "rawDisconnection")], [0, 2]);
}

#[test]
fn settings_that_can_not_work_are_rejected() {
    let problems = |admin: Admin| {
        let builder = Hub::builder().namespace("/used", |namespace| namespace).admin(admin);
        builder.build().map_or_else(|error| error.to_string(), |_| String::new())
    };
    assert_eq!(problems(settings()), "");
    let of_hash = problems(Admin::new("admin", "hunter2"));
    assert!(of_hash.contains("a bcrypt hash") && !of_hash.contains("hunter2"), "{of_hash}");
    let slow = HASH.replace("$04$", "$31$");
    assert!(problems(Admin::new("admin", slow)).contains("at most 14"));
    for path in ["/", "/used", "used", "/admin-{id}"] {
        assert!(problems(settings().namespace(path)).contains("admin.namespace"), "{path}");
    }
    assert!(!format!("{:?}", settings()).contains("$2a$"));
}
