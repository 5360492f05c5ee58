//! What the engine [`RedisStreams`] carries.

use socketio::cluster::{Engine, Topic};
use socketio::testing::cluster::{Recorded, batch};
use socketio_redis::RedisStreams;

use crate::support::{LOG, MAIN, Member, Server, reply};

fn streams(server: &Server) -> RedisStreams {
    RedisStreams::new(server.url()).unwrap()
}

#[tokio::test]
async fn each_topic_is_delivered_to_others_and_to_oneself() {
    let server = Server::start();
    let mut here = Member::connect(streams(&server), &[MAIN, reply("a")]).await;
    let mut there = Member::connect(streams(&server), &[MAIN, reply("b")]).await;
    for topic in [MAIN, LOG, Topic::Log { namespace: "/chat#é", server: "x", kind: 255 }] {
        for body in ["{\"a\":1}", "hello", "", "\u{0}\u{7f}"] {
            here.publish(topic, body).await;
            here.expect(topic, body).await;
            there.expect(topic, body).await;
        }
    }
    here.publish(reply("b"), "to b").await;
    here.publish(reply("a"), "to a").await;
    here.expect(reply("a"), "to a").await;
    there.expect(reply("b"), "to b").await;
    assert_eq!((here.recorder.try_next(), there.recorder.try_next()), (None, None));
}

#[tokio::test]
async fn entries_have_the_form_of_node() {
    let server = Server::start();
    let mut member = Member::connect(streams(&server), &[MAIN]).await;
    member.publish(LOG, "{\"a\":1}").await;
    member.publish(Topic::Log { namespace: "", server: "me", kind: 0 }, "{}").await;
    member.expect(LOG, "{\"a\":1}").await;
    let offset = member.entry().await.offset;
    let stream = server.cli(&["XRANGE", "socket.io", "-", "+"]);
    let lines: Vec<_> = stream.lines().collect();
    assert_eq!(lines[1..9], ["uid", "me", "nsp", "/", "type", "3", "data", "{\"a\":1}"]);
    assert_eq!(lines[9..], [&*offset.to_string(), "uid", "me", "type", "0", "data", "{}"]);
}

#[tokio::test]
async fn entries_stay_in_order_and_begin_at_the_end_of_the_stream() {
    const BATCHES: usize = 100;
    let server = Server::start();
    let here = Member::connect(streams(&server), &[]).await;
    here.publish(LOG, "before").await;
    let mut there = Member::connect(streams(&server), &[]).await;
    for first in 0..BATCHES {
        let bodies: Vec<_> = (0..100).map(|message| format!("{{{}}}", first * 100 + message)).collect();
        here.engine.publish(&batch(bodies.iter().map(|body| (LOG, body.as_bytes())))).await.unwrap();
    }
    let mut last = None;
    for message in 0..BATCHES * 100 {
        let entry = there.entry().await;
        assert_eq!(entry.data, format!("{{{message}}}"));
        assert!(last < Some(entry.offset));
        last = Some(entry.offset);
    }
    assert_eq!(there.recorder.try_next(), None);
}

#[tokio::test]
async fn large_entries_arrive_whole() {
    let server = Server::start();
    let mut here = Member::connect(streams(&server), &[MAIN]).await;
    for length in [1, 65_535, 65_536, 1 << 20, 20 << 20] {
        let body = "x".repeat(length);
        here.publish(LOG, &body).await;
        here.expect(LOG, &body).await;
    }
    // They are read together.
    let mut there = Member::connect(streams(&server), &[]).await;
    let body = "{".repeat(1 << 20);
    here.engine.publish(&batch((0..40).map(|_| (LOG, body.as_bytes())))).await.unwrap();
    for _ in 0..40 {
        there.expect(LOG, &body).await;
    }
    here.publish(LOG, "last").await;
    there.expect(LOG, "last").await;
    assert_eq!(there.recorder.try_next(), None);
}

#[tokio::test]
async fn servers_are_counted_by_their_main_channel() {
    let server = Server::start();
    let here = Member::connect(streams(&server), &[MAIN, reply("a")]).await;
    assert_eq!(here.engine.servers("/").await, Ok(1));
    let there = Member::connect(streams(&server), &[MAIN, reply("b")]).await;
    assert_eq!(here.engine.servers("/").await, Ok(2));
    assert_eq!(here.engine.servers("/other").await, Ok(0));
    there.engine.unsubscribe(MAIN);
    there.engine.subscribe(Topic::Main { namespace: "/other" });
    there.engine.subscribed().await;
    assert_eq!(here.engine.servers("/").await, Ok(1));
    assert_eq!(here.engine.servers("/other").await, Ok(1));
}

#[tokio::test]
async fn clusters_with_different_streams_or_databases_do_not_meet() {
    let server = Server::start();
    let url = |database: &str| format!("{}/{database}", server.url());
    let mut one = Member::connect(streams(&server), &[]).await;
    let mut two = Member::connect(streams(&server).stream("two"), &[]).await;
    let mut three = Member::connect(RedisStreams::new(url("3")).unwrap(), &[]).await;
    let mut three_too = Member::connect(streams(&server).database(3), &[]).await;
    one.publish(LOG, "1").await;
    two.publish(LOG, "2").await;
    three.publish(LOG, "3").await;
    one.expect(LOG, "1").await;
    two.expect(LOG, "2").await;
    three.expect(LOG, "3").await;
    three_too.expect(LOG, "3").await;
    assert_eq!(server.cli(&["-n", "3", "EXISTS", "socket.io"]), "1");
}

#[tokio::test]
async fn what_is_no_entry_of_a_server_is_counted() {
    let server = Server::start();
    let mut member = Member::connect(streams(&server), &[]).await;
    let malformed = [
        &["x", "y"][..],
        &["uid", "a", "type", "3", "data", "{}"],
        &["uid", "a", "nsp", "/", "type", "three", "data", "{}"],
        &["uid", "a", "nsp", "/", "type", "3", "data", "not base64"],
    ];
    for fields in malformed {
        server.cli(&[&["XADD", "socket.io", "*"], fields].concat());
        let next = member.recorder.next().await;
        assert!(matches!(next, Recorded::Malformed(_)), "{fields:?}: {next:?}");
    }
    // An emitter's.
    server.cli(&["XADD", "socket.io", "*", "uid", "emitter", "nsp", "/", "type", "9", "data", "{\"x\":1}", "new", ""]);
    member.expect(Topic::Log { namespace: "/", server: "emitter", kind: 9 }, "{\"x\":1}").await;
}

#[tokio::test]
async fn an_entry_that_redis_refuses_is_unpublished() {
    let server = Server::start();
    let mut member = Member::connect(streams(&server), &[MAIN]).await;
    member.publish(LOG, "before").await;
    member.expect(LOG, "before").await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let messages = batch([(MAIN, &b"published"[..]), (LOG, b"refused"), (LOG, b"refused")]);
    let error = member.engine.publish(&messages).await.unwrap_err();
    assert_eq!(error.unpublished, 2);
    assert!(error.reason.starts_with("OOM"), "{}", error.reason);
    member.expect(MAIN, "published").await;
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    member.publish(LOG, "after").await;
    member.expect(LOG, "after").await;
}

#[tokio::test]
async fn a_key_that_is_no_stream_is_named() {
    let server = Server::start();
    server.cli(&["SET", "socket.io", "text"]);
    let mut member = Member::start(streams(&server), &[MAIN]);
    let reason = member.disconnected().await;
    assert!(reason.contains("WRONGTYPE") && reason.contains("socket.io"), "{reason}");
    server.cli(&["DEL", "socket.io"]);
    member.connected().await;
    member.publish(LOG, "hello").await;
    member.expect(LOG, "hello").await;
}

#[tokio::test]
async fn the_documented_rights_are_enough() {
    let rights = "--user chat on >secret resetchannels resetkeys -@all ~socket.io ~sio:session:* &socket.io#* \
        +publish +subscribe +unsubscribe +pubsub|numsub +xadd +xread +xrange +xrevrange +xtrim +xinfo|stream +time \
        +get +set +del +multi +exec +info";
    let server = Server::with(&rights.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>());
    let url = format!("redis://chat:secret@127.0.0.1:{}", server.port);
    let mut member = Member::connect(RedisStreams::new(url).unwrap(), &[MAIN, reply("a")]).await;
    for topic in [MAIN, LOG, reply("a")] {
        member.publish(topic, "hello").await;
        member.expect(topic, "hello").await;
    }
    assert_eq!(member.engine.servers("/").await, Ok(1));
    member.engine.unsubscribe(MAIN);
    member.engine.subscribe(MAIN);
    member.engine.subscribed().await;
    let session = Topic::Session { namespace: "/", token: "token" };
    member.publish(session, "data").await;
    let log = member.engine.log().unwrap();
    assert_eq!(log.take_session("token").await.unwrap().0.unwrap(), "data");
    // Redis notes which rights were missing.
    assert_eq!(server.cli(&["ACL", "LOG"]), "");
    assert_eq!(member.recorder.try_next(), None);
}

#[tokio::test]
async fn nothing_is_left_of_an_engine() {
    let server = Server::start();
    let dropped = Member::connect(streams(&server), &[MAIN]).await;
    let stopped = Member::connect(streams(&server), &[MAIN]).await;
    // Four connections each, and that of `redis-cli`.
    server.wait_for("connected_clients", 9).await;
    drop(dropped);
    server.wait_for("connected_clients", 5).await;
    stopped.engine.stop().await;
    server.wait_for("connected_clients", 1).await;
    assert_eq!(server.cli(&["PUBSUB", "CHANNELS"]), "");
    let error = stopped.engine.publish(&batch([(LOG, &b"late"[..])])).await.unwrap_err();
    assert_eq!(error.unpublished, 1);
}
