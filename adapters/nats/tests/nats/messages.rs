//! What is published and received.

use socketio::cluster::{Engine, Topic};
use socketio::testing::cluster::{Recorded, batch};
use socketio_nats::Nats;

use crate::support::{MAIN, Member, Server, reply};

#[tokio::test]
async fn messages_are_on_readable_subjects() {
    let server = Server::start();
    let mut raw = server.connect();
    raw.subscribe("my=20app.>");
    let member = Member::connect(Nats::new(server.url()).unwrap().prefix("my app"), &[]).await;
    let chat = Topic::Main { namespace: "/chat" };
    member.engine.publish(&batch([(MAIN, &b"1"[..]), (chat, b"2"), (reply("0a1b"), b"3")])).await.unwrap();
    for (subject, body) in [("my=20app.=2F.all", b"1"), ("my=20app.=2Fchat.all", b"2"), ("my=20app.=2F.to.0a1b", b"3")]
    {
        // What the engine publishes to itself comes in between.
        let message = loop {
            let message = raw.message();
            if !message.0.contains(".echo.") {
                break message;
            }
        };
        assert_eq!(message, (subject.to_owned(), body.to_vec()));
    }
}

#[tokio::test]
async fn names_may_have_any_characters() {
    let server = Server::start();
    let long = format!("/{}", "x".repeat(20_000));
    let names = ["/", "/a.b", "/a b", "/*", "/>", "/a.*", "/\r\nPUB x 0\r\n", "/ä😀", "/=2F", "/a\tb", "/a\0b", &long];
    let prefixes = ["socket.io", "a b", "..", "*", ">", "ä", ""];
    for prefix in prefixes {
        let engine = Nats::new(server.url()).unwrap().prefix(prefix);
        let topics: Vec<_> = names
            .iter()
            .flat_map(|namespace| [Topic::Main { namespace }, Topic::Reply { namespace, server: "x y.*.>" }])
            .collect();
        let mut member = Member::connect(engine, &topics).await;
        let bodies: Vec<_> = (0..topics.len()).map(|number| number.to_string()).collect();
        for (topic, body) in topics.iter().zip(&bodies) {
            member.publish(*topic, body).await;
            member.expect(*topic, body).await;
        }
        assert_eq!(member.recorder.try_next(), None, "{prefix}");
    }
}

#[tokio::test]
async fn prefixes_are_apart() {
    let server = Server::start();
    let mut one = Member::connect(Nats::new(server.url()).unwrap().prefix("one"), &[MAIN]).await;
    let mut other = Member::connect(Nats::new(server.url()).unwrap().prefix("other"), &[MAIN]).await;
    one.publish(MAIN, "1").await;
    other.publish(MAIN, "2").await;
    one.expect(MAIN, "1").await;
    other.expect(MAIN, "2").await;
}

#[tokio::test]
async fn messages_of_a_topic_keep_their_order() {
    const MESSAGES: usize = 20_000;
    let server = Server::start();
    let sender = Member::connect(Nats::new(server.url()).unwrap(), &[]).await;
    let mut receiver = Member::connect(Nats::new(server.url()).unwrap(), &[MAIN]).await;
    let bodies: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    for batch_of in bodies.chunks(3_000) {
        sender.engine.publish(&batch(batch_of.iter().map(|body| (MAIN, body.as_bytes())))).await.unwrap();
    }
    for body in &bodies {
        receiver.expect(MAIN, body).await;
    }
}

#[tokio::test]
async fn a_subscription_is_in_effect_when_the_engine_says_so() {
    let server = Server::start();
    let mut member = Member::connect(Nats::new(server.url()).unwrap(), &[]).await;
    let mut raw = server.connect();
    for number in 0..50 {
        let (path, body) = (format!("/{number}"), number.to_string());
        let topic = Topic::Main { namespace: &path };
        member.engine.subscribe(topic);
        member.engine.subscribed().await;
        raw.publish(&format!("socket.io.=2F{number}.all"), body.as_bytes());
        raw.flush();
        member.expect(topic, &body).await;
    }
}

#[tokio::test]
async fn nothing_is_received_twice_by_who_comes_back() {
    let server = Server::start();
    let mut member = Member::connect(Nats::new(server.url()).unwrap(), &[MAIN]).await;
    for number in 0..100 {
        member.engine.unsubscribe(MAIN);
        member.engine.subscribe(MAIN);
        member.engine.subscribed().await;
        member.publish(MAIN, &number.to_string()).await;
        member.expect(MAIN, &number.to_string()).await;
    }
    member.engine.unsubscribe(MAIN);
    member.engine.subscribed().await;
    member.publish(MAIN, "nobody").await;
    member.engine.subscribe(reply("a"));
    member.engine.subscribed().await;
    member.publish(reply("a"), "last").await;
    member.expect(reply("a"), "last").await;
    assert_eq!(member.recorder.try_next(), None);
}

#[tokio::test]
async fn what_the_server_does_not_permit_is_counted() {
    let server = Server::with("max_payload: 1KB");
    let mut member = Member::connect(Nats::new(server.url()).unwrap(), &[MAIN]).await;
    let (small, large) = (vec![b's'; 1 << 10], vec![b'l'; (1 << 10) + 1]);
    let messages = [(MAIN, &*small), (MAIN, &large), (MAIN, b"end")];
    let error = member.engine.publish(&batch(messages)).await.unwrap_err();
    assert_eq!(error.unpublished, 1, "{error}");
    member.expect(MAIN, std::str::from_utf8(&small).unwrap()).await;
    member.expect(MAIN, "end").await;
    assert_eq!(member.engine.traits().max_body, 1 << 20);
    assert_eq!(Nats::new(server.url()).unwrap().max_payload(7).traits().max_body, 7);
}

#[tokio::test]
async fn strange_echoes_are_malformed() {
    let server = Server::start();
    let mut raw = server.connect();
    raw.subscribe("socket.io.echo.*");
    let mut member = Member::connect(Nats::new(server.url()).unwrap(), &[MAIN]).await;
    let (subject, _) = raw.message();
    raw.publish(&subject, b"what?");
    raw.flush();
    let malformed = member.recorder.until(|recorded| matches!(recorded, Recorded::Malformed(_))).await;
    assert_eq!(malformed, Recorded::Malformed(b"what?"[..].into()));
}
