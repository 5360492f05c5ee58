//! What the engine [`ShardedRedis`] carries over a Redis Cluster, and what happens to its nodes.

use socketio::cluster::{Engine, GapReason, PublishError, Topic};
use socketio::testing::cluster::{Recorded, TcpProxy, batch};
use socketio_redis::ShardedRedis;

use crate::support::{MAIN, Member, RedisCluster, reply, room, url_of_port};

const ROOMS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

fn topics() -> Vec<Topic<'static>> {
    ROOMS.map(room).into_iter().chain([MAIN, reply("server")]).collect()
}

async fn member(urls: &[String]) -> Member<ShardedRedis> {
    Member::connect(ShardedRedis::cluster(urls).unwrap(), &topics()).await
}

/// Publishes on all topics and receives it.
async fn works(from: &Member<ShardedRedis>, to: &mut Member<ShardedRedis>, body: &str) {
    publish(from, body).await.unwrap();
    hears(to, body).await;
}

/// Publishes on all topics.
async fn publish(from: &Member<ShardedRedis>, body: &str) -> Result<(), PublishError> {
    from.engine.publish(&batch(topics().into_iter().map(|topic| (topic, body.as_bytes())))).await
}

/// Publishes on all topics, until it succeeds.
async fn publishes(from: &Member<ShardedRedis>) {
    for _ in 0..400 {
        if publish(from, "attempt").await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    publish(from, "last attempt").await.unwrap();
}

/// Receives this on all topics.
async fn hears(to: &mut Member<ShardedRedis>, body: &str) {
    let mut missing = topics();
    while !missing.is_empty() {
        let (topic, received) = to.recorder.message().await;
        if received == body.as_bytes() {
            missing.retain(|missing| topic != *missing);
        }
    }
}

#[tokio::test]
async fn all_channels_are_carried() {
    let cluster = RedisCluster::start(3, 0);
    let mut here = member(&cluster.urls()).await;
    let mut there = member(&cluster.urls()[2..]).await;
    works(&here, &mut there, "hello").await;
    works(&there, &mut here, "welcome").await;
    publish(&there, "to myself").await.unwrap();
    hears(&mut there, "to myself").await;
    assert_eq!(here.engine.servers("/").await, Ok(2));
    assert_eq!(here.engine.servers("/other").await, Ok(0));
    for number in 0..1000 {
        let body = number.to_string();
        here.publish(room("a"), &body).await;
        there.expect(room("a"), &body).await;
    }
    let late = Topic::Main { namespace: "/late" };
    there.engine.subscribe(late);
    there.engine.subscribed().await;
    here.publish(late, "late").await;
    there.expect(late, "late").await;
    there.engine.unsubscribe(late);
    drop(here);
    there.engine.stop().await;
    for node in &cluster.nodes {
        node.wait_for("pubsubshard_channels", 0).await;
    }
}

#[tokio::test]
async fn all_connections_may_be_killed() {
    let cluster = RedisCluster::start(3, 0);
    let mut member = member(&cluster.urls()).await;
    let other = self::member(&cluster.urls()).await;
    for kind in ["pubsub", "normal"] {
        for node in &cluster.nodes {
            assert_ne!(node.cli(&["CLIENT", "KILL", "TYPE", kind]), "0");
        }
        // Each node is connected again on its own.
        member.disconnected().await;
        publishes(&member).await;
        publishes(&other).await;
        member.engine.subscribed().await;
        works(&other, &mut member, kind).await;
        works(&member, &mut self::member(&cluster.urls()).await, kind).await;
    }
}

#[tokio::test]
async fn a_slot_may_be_moved() {
    let cluster = RedisCluster::start(3, 0);
    let mut here = member(&cluster.urls()).await;
    let other = member(&cluster.urls()).await;
    for channel in ["socket.io#/#a#", "socket.io#/#", "socket.io#/#a#"] {
        let slot = cluster.slot(channel);
        let from = cluster.master(0, slot);
        cluster.move_slot(slot, from, (from + 1) % 3);
        let gap = here.recorder.until(|recorded| matches!(recorded, Recorded::Gap(_) | Recorded::Disconnected(_)));
        assert_eq!(gap.await, Recorded::Gap(GapReason::Moved));
        // The sender learns by an error that the slot has moved, and sends again what it sent to
        // the wrong node.
        works(&other, &mut here, channel).await;
    }
}

#[tokio::test]
async fn a_replica_may_replace_its_master() {
    let mut cluster = RedisCluster::start(3, 1);
    let mut here = member(&cluster.urls()).await;
    let other = member(&cluster.urls()).await;
    let slot = cluster.slot("socket.io#/#");
    let master = cluster.master(0, slot);
    cluster.nodes[master].kill();
    here.disconnected().await;
    here.connected().await;
    other.engine.subscribed().await;
    works(&here, &mut member(&cluster.urls()).await, "here").await;
    works(&other, &mut here, "other").await;
    // It comes back as a replica.
    cluster.nodes[master].restart();
    works(&other, &mut here, "again").await;
}

#[tokio::test]
async fn a_half_open_connection_is_found_by_a_probe() {
    let cluster = RedisCluster::start(1, 0);
    let proxy = TcpProxy::start(cluster.nodes[0].port).unwrap();
    let port = proxy.address().port().to_string();
    assert_eq!(cluster.nodes[0].cli(&["CONFIG", "SET", "cluster-announce-port", &port]), "OK");
    let mut member = member(&[url_of_port(proxy.address().port())]).await;
    proxy.stall();
    member.disconnected().await;
    member.connected().await;
    let other = self::member(&cluster.urls()).await;
    works(&other, &mut member, "again").await;
}

#[tokio::test]
async fn a_cluster_may_come_later() {
    let mut cluster = RedisCluster::start(3, 0);
    for node in &mut cluster.nodes {
        node.kill();
    }
    let mut member = Member::start(ShardedRedis::cluster(cluster.urls()).unwrap(), &topics());
    member.disconnected().await;
    for node in &mut cluster.nodes {
        node.restart();
    }
    member.connected().await;
    works(&self::member(&cluster.urls()).await, &mut member, "late").await;
}

#[tokio::test]
async fn one_server_is_no_cluster_and_the_error_says_so() {
    let cluster = RedisCluster::start(3, 0);
    let mut member = Member::start(ShardedRedis::new(cluster.nodes[0].url()).unwrap(), &topics());
    assert!(member.disconnected().await.contains("MOVED"));
    let server = crate::support::Server::start();
    let mut member = Member::start(ShardedRedis::cluster([server.url()]).unwrap(), &topics());
    let reason = member.disconnected().await;
    assert!(reason.contains("cluster support disabled"), "{reason}");
}
