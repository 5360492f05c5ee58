//! What the engine [`Redis`] carries.

use socketio::cluster::{Engine, Topic};
use socketio::testing::cluster::batch;
use socketio_redis::{Redis, ShardedRedis};
use std::future::poll_fn;
use std::task::Poll;

use crate::support::{MAIN, Member, REQUESTS, RESPONSES, Server, reply, room};

fn redis(server: &Server) -> Redis {
    Redis::new(server.url()).unwrap()
}

#[tokio::test]
async fn each_topic_is_delivered_to_others_and_to_oneself() {
    let server = Server::start();
    let mut here = Member::connect(redis(&server), &[MAIN, REQUESTS, RESPONSES, reply("a")]).await;
    let mut there = Member::connect(redis(&server), &[MAIN, REQUESTS, RESPONSES, reply("b")]).await;
    for topic in [MAIN, room("lobby"), room(""), room("a#b"), room("ü"), REQUESTS, RESPONSES] {
        here.publish(topic, "hello").await;
        here.expect(topic, "hello").await;
        there.expect(topic, "hello").await;
    }
    here.publish(reply("b"), "to b").await;
    here.publish(reply("a"), "to a").await;
    here.expect(reply("a"), "to a").await;
    there.expect(reply("b"), "to b").await;
    assert_eq!((here.recorder.try_next(), there.recorder.try_next()), (None, None));
}

#[tokio::test]
async fn messages_stay_in_order() {
    const BATCHES: usize = 100;
    let server = Server::start();
    let here = Member::connect(redis(&server), &[MAIN]).await;
    let mut there = Member::connect(redis(&server), &[MAIN]).await;
    for first in 0..BATCHES {
        let bodies: Vec<_> = (0..100).map(|message| (first * 100 + message).to_string()).collect();
        let messages = bodies.iter().map(|body| (MAIN, body.as_bytes()));
        here.engine.publish(&batch(messages)).await.unwrap();
    }
    for message in 0..BATCHES * 100 {
        there.expect(MAIN, &message.to_string()).await;
    }
}

#[tokio::test]
async fn large_messages_arrive_whole() {
    let server = Server::start();
    let mut here = Member::connect(redis(&server), &[MAIN]).await;
    for length in [0, 1, 65_535, 65_536, 1 << 20, 20 << 20] {
        let body = "x".repeat(length);
        here.publish(MAIN, &body).await;
        here.expect(MAIN, &body).await;
    }
}

#[tokio::test]
async fn servers_are_counted_by_their_request_channel() {
    let server = Server::start();
    let here = Member::connect(redis(&server), &[MAIN, REQUESTS, RESPONSES, reply("a")]).await;
    assert_eq!(here.engine.servers("/").await, Ok(1));
    let there = Member::connect(redis(&server), &[MAIN, REQUESTS, RESPONSES, reply("b")]).await;
    assert_eq!(here.engine.servers("/").await, Ok(2));
    assert_eq!(here.engine.servers("/other").await, Ok(0));
    there.engine.unsubscribe(REQUESTS);
    let again = Topic::Requests { namespace: "/other" };
    there.engine.subscribe(again);
    there.engine.subscribed().await;
    assert_eq!(here.engine.servers("/").await, Ok(1));
    assert_eq!(here.engine.servers("/other").await, Ok(1));
    assert_eq!(server.cli(&["PUBSUB", "CHANNELS"]).lines().count(), 5);
}

#[tokio::test]
async fn a_count_that_nobody_waits_for_leaves_the_connection_open() {
    let server = Server::start();
    let mut here = Member::connect(redis(&server), &[MAIN, REQUESTS]).await;
    for _ in 0..100 {
        // It is polled once, so it is sent, and then dropped.
        let mut count = here.engine.servers("/");
        assert!(poll_fn(|context| Poll::Ready(count.as_mut().poll(context).is_pending())).await);
        drop(count);
        here.publish(MAIN, "hello").await;
        here.expect(MAIN, "hello").await;
    }
    assert_eq!(here.engine.servers("/").await, Ok(1));
    assert_eq!(here.recorder.try_next(), None);
}

#[tokio::test]
async fn a_namespace_is_no_pattern() {
    let server = Server::start();
    let namespaces = ["/a*", "/ab", "/[ab]", "/a?", "/a\\", "/a^"];
    let topics = namespaces.map(|namespace| Topic::Main { namespace });
    let mut there = Member::connect(redis(&server), &topics).await;
    let here = Member::connect(redis(&server), &[]).await;
    for namespace in namespaces {
        for topic in [Topic::Main { namespace }, Topic::Room { namespace, room: "*" }] {
            here.publish(topic, namespace).await;
            there.expect(topic, namespace).await;
        }
    }
    assert_eq!(there.recorder.try_next(), None);
}

#[tokio::test]
async fn clusters_with_different_prefixes_do_not_meet() {
    let server = Server::start();
    let mut one = Member::connect(redis(&server).prefix("one"), &[MAIN, REQUESTS]).await;
    let mut two = Member::connect(redis(&server).prefix("two*"), &[MAIN, REQUESTS]).await;
    one.publish(MAIN, "1").await;
    two.publish(MAIN, "2").await;
    one.expect(MAIN, "1").await;
    two.expect(MAIN, "2").await;
    assert_eq!(one.engine.servers("/").await, Ok(1));
}

#[tokio::test]
async fn users_and_passwords_are_sent() {
    let chat = ["--user", "chat", "on", ">s e", "allchannels", "+@all"];
    let open = ["--user", "open", "on", "nopass", "allchannels", "+@all"];
    let server = Server::with(&[&["--requirepass", "p@ss/word"], &chat[..], &open[..]].concat());
    for login in [":p%40ss%2Fword", "default:p%40ss%2Fword", "chat:s%20e", "open"] {
        let url = format!("redis://{login}@127.0.0.1:{}/2", server.port);
        let mut member = Member::connect(Redis::new(url).unwrap(), &[MAIN]).await;
        member.publish(MAIN, login).await;
        member.expect(MAIN, login).await;
    }
    let mut stranger = Member::start(redis(&server), &[MAIN]);
    assert!(stranger.disconnected().await.contains("NOAUTH"));
    for login in [":wrong", "chat"] {
        let url = format!("redis://{login}@127.0.0.1:{}", server.port);
        let mut stranger = Member::start(Redis::new(url).unwrap(), &[MAIN]);
        let reason = stranger.disconnected().await;
        assert!(reason.contains("WRONGPASS") && !reason.contains("wrong@"), "{reason}");
    }
}

#[tokio::test]
async fn a_channel_that_is_not_permitted_is_named() {
    let server = Server::with(&["--user", "chat", "on", ">secret", "resetchannels", "&socket.io-r*", "+@all"]);
    let url = format!("redis://chat:secret@127.0.0.1:{}", server.port);
    let mut member = Member::start(Redis::new(url).unwrap(), &[MAIN]);
    let reason = member.disconnected().await;
    assert!(reason.contains("socket.io#/#*") && reason.contains("NOPERM"), "{reason}");
}

#[tokio::test]
async fn the_documented_rights_are_enough() {
    let chat = "--user chat on >secret resetchannels -@all";
    let classic = "&socket.io#/#* &socket.io-request#* &socket.io-response#* \
        +publish +subscribe +psubscribe +unsubscribe +punsubscribe +pubsub|numsub";
    let sharded = "&socket.io* +spublish +ssubscribe +sunsubscribe +pubsub|shardnumsub +cluster|slots";
    let start = |rights: &str| Server::with(&format!("{chat} {rights}").split(' ').collect::<Vec<_>>());
    let url = |server: &Server| format!("redis://chat:secret@127.0.0.1:{}", server.port);
    let server = start(classic);
    let member = Member::connect(Redis::new(url(&server)).unwrap(), &[MAIN, REQUESTS, RESPONSES, reply("a")]).await;
    uses_its_rights(member, &[MAIN, room("lobby"), REQUESTS, RESPONSES, reply("a")]).await;
    let server = start(sharded);
    let topics = [MAIN, room("lobby"), reply("a")];
    let member = Member::connect(ShardedRedis::new(url(&server)).unwrap(), &topics).await;
    uses_its_rights(member, &topics).await;
}

async fn uses_its_rights(mut member: Member<impl Engine>, topics: &[Topic<'_>]) {
    for topic in topics {
        member.publish(*topic, "hello").await;
        member.expect(*topic, "hello").await;
    }
    assert_eq!(member.engine.servers("/").await, Ok(1));
    member.engine.unsubscribe(MAIN);
    member.engine.subscribe(MAIN);
    member.engine.subscribed().await;
    assert_eq!(member.recorder.try_next(), None);
}

#[tokio::test]
async fn unix_sockets_carry_messages() {
    let path = std::env::temp_dir().join(format!("socketio-redis-{}.sock", std::process::id()));
    let path = path.to_str().unwrap();
    let _server = Server::with(&["--unixsocket", path]);
    let mut member = Member::connect(Redis::new(format!("redis+unix://{path}")).unwrap(), &[MAIN]).await;
    member.publish(MAIN, "hello").await;
    member.expect(MAIN, "hello").await;
}

#[tokio::test]
async fn nothing_is_left_of_an_engine() {
    let server = Server::start();
    let dropped = Member::connect(redis(&server), &[MAIN, REQUESTS]).await;
    let stopped = Member::connect(redis(&server), &[MAIN, REQUESTS]).await;
    // Two connections each, and that of `redis-cli`.
    server.wait_for("connected_clients", 5).await;
    drop(dropped);
    server.wait_for("connected_clients", 3).await;
    stopped.engine.stop().await;
    server.wait_for("connected_clients", 1).await;
    assert_eq!(server.cli(&["PUBSUB", "CHANNELS"]), "");
    let error = stopped.engine.publish(&batch([(MAIN, &b"late"[..])])).await.unwrap_err();
    assert_eq!(error.unpublished, 1);
}
