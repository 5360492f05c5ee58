//! A master that Sentinels name, and what happens when they name another.

use socketio::cluster::Engine;
use socketio_redis::{ConfigError, Redis, RedisStreams, ShardedRedis};

use crate::support::{LOG, MAIN, Member, REQUESTS, Server, room};

/// A master with a replica and a Sentinel that knows both.
async fn start(options: &[&str]) -> (Server, Server, Server) {
    let master = Server::with(options);
    let port = master.port.to_string();
    let replica = Server::with(&[options, &["--replicaof", "127.0.0.1", &port]].concat());
    let sentinel = Server::sentinel(master.port);
    if let [_, password, ..] = options {
        sentinel.cli(&["SENTINEL", "SET", "mymaster", "auth-pass", password]);
    }
    sentinel
        .wait_until(&["SENTINEL", "REPLICAS", "mymaster"], |reply| reply.contains("\nmaster-link-status\nok"))
        .await;
    (master, replica, sentinel)
}

async fn works(member: &mut Member<impl Engine>, body: &str) {
    for topic in [MAIN, room("lobby")] {
        member.publish(topic, body).await;
        member.expect(topic, body).await;
    }
    assert_eq!(member.engine.servers("/").await, Ok(1));
}

#[tokio::test]
async fn the_next_master_is_found() {
    let (mut master, replica, sentinel) = start(&[]).await;
    // One of the Sentinels is down.
    let urls = ["redis://127.0.0.1:1".to_owned(), sentinel.url()];
    let redis = Redis::sentinel(urls, "mymaster").unwrap();
    let mut member = Member::connect(redis, &[MAIN, REQUESTS]).await;
    works(&mut member, "first").await;
    master.kill();
    member.disconnected().await;
    member.connected().await;
    works(&mut member, "second").await;
    assert_eq!(replica.info("pubsub_patterns"), 1);
    // An operator does the same to servers that are well.
    master.restart();
    sentinel
        .wait_until(&["SENTINEL", "REPLICAS", "mymaster"], |reply| reply.contains("\nmaster-link-status\nok"))
        .await;
    sentinel.wait_until(&["SENTINEL", "FAILOVER", "mymaster"], |reply| reply == "OK").await;
    // It may be connected to the old master once more in between.
    master.wait_for("pubsub_patterns", 1).await;
    member.engine.subscribed().await;
    works(&mut member, "third").await;
}

#[tokio::test]
async fn the_master_has_credentials_of_its_own() {
    let options = ["--requirepass", "secret", "--masterauth", "secret"];
    let (mut master, _replica, sentinel) = start(&options).await;
    let redis = ShardedRedis::sentinel([sentinel.url()], "mymaster").unwrap().user("default").password("secret");
    assert!(!format!("{redis:?}").contains("secret"));
    let mut member = Member::connect(redis, &[MAIN, room("lobby")]).await;
    works(&mut member, "first").await;
    master.kill();
    member.disconnected().await;
    member.connected().await;
    works(&mut member, "second").await;
}

#[tokio::test]
async fn a_stream_goes_on_at_the_next_master() {
    let (mut master, replica, sentinel) = start(&[]).await;
    let streams = || RedisStreams::sentinel([sentinel.url()], "mymaster").unwrap();
    let mut here = Member::connect(streams(), &[MAIN]).await;
    let mut there = Member::connect(streams(), &[MAIN]).await;
    here.publish(LOG, "before").await;
    here.expect(LOG, "before").await;
    there.expect(LOG, "before").await;
    replica.wait_until(&["XLEN", "socket.io"], |length| length == "1").await;
    master.kill();
    for member in [&mut here, &mut there] {
        member.disconnected().await;
        member.connected().await;
    }
    here.publish(LOG, "after").await;
    here.expect(LOG, "after").await;
    there.expect(LOG, "after").await;
    assert_eq!((here.recorder.try_next(), there.recorder.try_next()), (None, None));
    assert_eq!(replica.cli(&["XLEN", "socket.io"]), "2");
}

#[tokio::test]
async fn errors_name_the_sentinels() {
    let (master, _replica, sentinel) = start(&[]).await;
    let mut member = Member::start(Redis::sentinel([sentinel.url()], "other").unwrap(), &[MAIN]);
    let reason = member.disconnected().await;
    assert!(reason.contains("no master \"other\"") && reason.contains(&sentinel.port.to_string()), "{reason}");
    let mut member = Member::start(Redis::sentinel([master.url()], "mymaster").unwrap(), &[MAIN]);
    let reason = member.disconnected().await;
    assert!(reason.contains("unknown command"), "{reason}");
    assert_eq!(Redis::sentinel([""; 0], "mymaster").unwrap_err(), ConfigError::NoUrl);
}
