//! Servers that end, hang, or disconnect an engine.

use socketio::cluster::Engine;
use socketio::testing::cluster::batch;
use socketio_redis::Redis;

use crate::support::{MAIN, Member, Proxy, REQUESTS, Server, reply};

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
    let proxy = Proxy::start(server.port).await;
    let mut member = member(proxy.url()).await;
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
