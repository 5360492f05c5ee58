//! What is published and received, as other programs see it.

use socketio::cluster::{Engine, Topic};
use socketio::testing::cluster::{Recorded, batch};
use socketio_postgres::Postgres;

use crate::support::{MAIN, Member, Server, reply};

#[tokio::test]
async fn messages_arrive_in_order() {
    let server = Server::start();
    let mut one = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN]).await;
    let mut other = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN, reply("b")]).await;
    let bodies: Vec<_> = (0..5_000).map(|number| format!("{{\"number\":{number}}}")).collect();
    let messages = bodies.iter().enumerate().map(|(at, body)| {
        let topic = if at % 3 == 0 { reply("b") } else { MAIN };
        (topic, body.as_bytes())
    });
    one.engine.publish(&batch(messages)).await.unwrap();
    for body in &bodies {
        one.expect("/", body).await;
        other.expect("/", body).await;
    }
}

#[tokio::test]
async fn equal_messages_are_not_folded_into_one() {
    let server = Server::start();
    let mut member = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN]).await;
    let body = r#"{"type":4,"data":{}}"#;
    member.engine.publish(&batch(vec![(MAIN, body.as_bytes()); 300])).await.unwrap();
    member.publish(MAIN, "{}").await;
    for _ in 0..300 {
        member.expect("/", body).await;
    }
    member.expect("/", "{}").await;
}

#[tokio::test]
async fn namespaces_have_their_channels() {
    let server = Server::start();
    let long = format!("/{}", "n".repeat(100));
    let longer = format!("{long}n");
    for namespace in ["/", "/a\"b", "/Ä; DROP", &long, &longer, "/nul\0"] {
        let topic = Topic::Main { namespace };
        let mut member = Member::connect(Postgres::new(server.url()).unwrap().prefix("Chat"), &[topic]).await;
        let stranger = Member::connect(Postgres::new(server.url()).unwrap().prefix("chat"), &[topic]).await;
        stranger.publish(topic, r#"{"from":"a stranger"}"#).await;
        for other in ["/b", "/nul", &long[..60]] {
            stranger.publish(Topic::Main { namespace: other }, r#"{"in":"another"}"#).await;
        }
        member.publish(topic, "{}").await;
        member.expect(namespace, "{}").await;
    }
}

#[tokio::test]
async fn notifications_are_those_of_node() {
    let server = Server::start();
    let mut member = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN]).await;
    let body = r#"{"type":3,"data":{"packet":{"type":2,"data":["é"]}},"uid":"emitter"}"#;
    server.sql(&format!("SELECT pg_notify('socket.io#/', '{body}')"));
    member.expect("/", body).await;
    // No server sends this.
    for text in ["", "no JSON", "{"] {
        server.sql(&format!("SELECT pg_notify('socket.io#/', '{text}')"));
        member.expect("/", text).await;
    }
}

#[tokio::test]
async fn topics_may_come_and_go() {
    let server = Server::start();
    let mut member = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN]).await;
    let names: Vec<_> = (0..1_500).map(|number| format!("/{number}")).collect();
    for namespace in &names {
        member.engine.subscribe(Topic::Main { namespace });
        member.engine.subscribe(Topic::Reply { namespace, server: "a" });
    }
    member.engine.subscribed().await;
    member.publish(Topic::Main { namespace: "/1499" }, "{}").await;
    member.expect("/1499", "{}").await;
    for namespace in &names {
        member.engine.unsubscribe(Topic::Main { namespace });
    }
    member.publish(Topic::Main { namespace: "/7" }, "{}").await;
    member.expect("/7", "{}").await;
    for namespace in &names {
        member.engine.unsubscribe(Topic::Reply { namespace, server: "a" });
    }
    member.engine.subscribe(Topic::Main { namespace: "/last" });
    member.engine.subscribed().await;
    member.publish(Topic::Main { namespace: "/7" }, "{}").await;
    member.publish(MAIN, "{}").await;
    member.expect("/", "{}").await;
    assert_eq!(member.recorder.try_next(), None);
}

#[tokio::test]
async fn connections_are_closed_and_nothing_is_left() {
    let server = Server::start();
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'socketio'";
    let member = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN]).await;
    assert_eq!(server.sql(connections), "2");
    member.engine.stop().await;
    server.wait_until(connections, |rows| rows == "0").await;
    let member = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN]).await;
    drop(member);
    server.wait_until(connections, |rows| rows == "0").await;
    assert_eq!(server.sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'socket_io%'"), "0");
}

#[tokio::test]
async fn a_database_must_have_an_encoding_for_all_texts() {
    let server = Server::start();
    server.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    let url = server.url().replace(&format!("{}/postgres", server.port), &format!("{}/latin", server.port));
    let mut member = Member::start(Postgres::new(url).unwrap(), &[MAIN]);
    let reason = member.disconnected().await;
    assert!(reason.contains("LATIN1"), "{reason}");
}

#[tokio::test]
async fn settings_of_the_database_do_not_end_connections() {
    let server = Server::start();
    server.sql("ALTER DATABASE postgres SET idle_session_timeout = 300");
    let mut member = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN]).await;
    let shown = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'socketio' AND state_change < now() - interval '1 second'";
    server.wait_until(shown, |rows| rows == "2").await;
    member.publish(MAIN, "{}").await;
    member.expect("/", "{}").await;
    assert!(!matches!(member.recorder.try_next(), Some(Recorded::Disconnected(_))));
}
