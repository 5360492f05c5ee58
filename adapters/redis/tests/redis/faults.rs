//! Servers that end, hang, or disconnect an engine.

use socketio::cluster::{Engine, GapReason};
use socketio::testing::cluster::{Recorded, TcpProxy, batch};
use socketio_redis::Redis;
use std::io::{Read, Write};

use crate::support::{MAIN, Member, REQUESTS, Server, reply, url_of_port};

/// Publishes and receives.
async fn works(member: &mut Member<Redis>, body: &str) {
    member.publish(MAIN, body).await;
    member.expect(MAIN, body).await;
    member.publish(reply("a"), body).await;
    member.expect(reply("a"), body).await;
}

async fn member(url: String) -> Member<Redis> {
    Member::connect(Redis::new(url).unwrap(), &[MAIN, REQUESTS, reply("a")]).await
}

#[tokio::test]
async fn a_server_may_be_restarted() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    server.shut_down();
    member.disconnected().await;
    // Several attempts fail.
    for _ in 0..3 {
        member.disconnected().await;
    }
    let error = member.engine.publish(&batch([(MAIN, &b"lost"[..])])).await.unwrap_err();
    assert_eq!((error.unpublished, &*error.reason), (1, "not connected"));
    assert_eq!(member.engine.servers("/").await, Err("not connected".to_owned()));
    server.restart();
    member.connected().await;
    works(&mut member, "again").await;
    server.kill();
    member.disconnected().await;
    server.restart();
    member.connected().await;
    works(&mut member, "and again").await;
}

#[tokio::test]
async fn a_server_may_come_later() {
    let mut server = Server::start();
    server.kill();
    let mut member = Member::start(Redis::new(server.url()).unwrap(), &[MAIN, REQUESTS, reply("a")]);
    let reason = member.disconnected().await;
    assert!(reason.contains(&server.port.to_string()), "{reason}");
    member.disconnected().await;
    server.restart();
    member.connected().await;
    works(&mut member, "late").await;
}

#[tokio::test]
async fn connections_may_be_killed() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    for kind in ["pubsub", "normal"] {
        assert_eq!(server.cli(&["CLIENT", "KILL", "TYPE", kind]), "1");
        member.disconnected().await;
        member.connected().await;
        works(&mut member, kind).await;
    }
}

#[tokio::test]
async fn subscriptions_that_change_while_it_is_disconnected_are_restored() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    server.kill();
    member.disconnected().await;
    member.engine.unsubscribe(reply("a"));
    member.engine.subscribe(reply("b"));
    server.restart();
    member.connected().await;
    member.engine.subscribed().await;
    member.publish(reply("a"), "a").await;
    member.publish(reply("b"), "b").await;
    member.expect(reply("b"), "b").await;
}

#[tokio::test]
async fn a_server_that_hangs_costs_a_second() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port).unwrap();
    let mut member = member(url_of_port(proxy.address().port())).await;
    proxy.stall();
    let error = member.engine.publish(&batch([(MAIN, &b"lost"[..])])).await.unwrap_err();
    assert_eq!((error.unpublished, &*error.reason), (1, "no reply in time"));
    member.disconnected().await;
    member.connected().await;
    works(&mut member, "again").await;
}

#[tokio::test]
async fn connections_are_made_anew_on_request() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    member.engine.reconnect();
    member.disconnected().await;
    member.connected().await;
    works(&mut member, "again").await;
}

#[tokio::test]
async fn it_never_gives_up() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    server.kill();
    member.disconnected().await;
    // Minutes pass while nothing happens, so that this takes no time.
    tokio::time::pause();
    for _ in 0..300 {
        member.disconnected().await;
    }
    tokio::time::resume();
    server.restart();
    member.connected().await;
    works(&mut member, "again").await;
}

#[tokio::test]
async fn names_are_resolved() {
    let server = Server::start();
    let mut member = member(format!("redis://localhost:{}", server.port)).await;
    works(&mut member, "hello").await;
    let mut stranger = Member::start(Redis::new("redis://no-such-host.invalid").unwrap(), &[MAIN]);
    for _ in 0..3 {
        let reason = stranger.disconnected().await;
        assert!(reason.contains("no-such-host.invalid"), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_reads_too_slowly_is_told_so() {
    let server = Server::start();
    server.cli(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 16mb 0 0"]);
    let mut member = member(server.url()).await;
    // Nothing is read meanwhile, since the test has one thread.
    let body = "x".repeat(1 << 20);
    while server.info("pubsub_patterns") == 1 {
        let mut publisher = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        let command = format!("*3\r\n$7\r\nPUBLISH\r\n$12\r\nsocket.io#/#\r\n${}\r\n{body}\r\n", body.len());
        publisher.write_all(command.as_bytes()).unwrap();
        publisher.read_exact(&mut [0; 4]).unwrap();
    }
    member.disconnected().await;
    let gap = member.recorder.until(|recorded| matches!(recorded, Recorded::Gap(_))).await;
    assert_eq!(gap, Recorded::Gap(GapReason::Slow));
    works(&mut member, "again").await;
}

#[tokio::test]
async fn a_server_that_ends_is_no_sign_of_slowness() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    member.disconnected().await;
    member.connected().await;
    server.kill();
    member.disconnected().await;
    server.restart();
    member.connected().await;
    works(&mut member, "again").await;
    assert_eq!(member.recorder.try_next(), None);
}
