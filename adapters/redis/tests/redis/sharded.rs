//! What the engine [`ShardedRedis`] carries with one server.

use socketio::cluster::{Engine, RoomTopics, Topic};
use socketio_redis::{ShardedRedis, SubscriptionMode};

use crate::support::{MAIN, Member, Server, reply, room};

fn redis(server: &Server) -> ShardedRedis {
    ShardedRedis::new(server.url()).unwrap()
}

#[tokio::test]
async fn each_topic_is_delivered_to_its_subscribers() {
    let server = Server::start();
    let mut here = Member::connect(redis(&server), &[MAIN, reply("a"), room("lobby")]).await;
    let mut there = Member::connect(redis(&server), &[MAIN, reply("b"), room("a#b")]).await;
    here.publish(MAIN, "all").await;
    here.publish(room("lobby"), "lobby").await;
    here.publish(room("a#b"), "room").await;
    here.publish(reply("b"), "to b").await;
    here.publish(reply("a"), "to a").await;
    for (topic, body) in [(MAIN, "all"), (room("lobby"), "lobby"), (reply("a"), "to a")] {
        here.expect(topic, body).await;
    }
    for (topic, body) in [(MAIN, "all"), (room("a#b"), "room"), (reply("b"), "to b")] {
        there.expect(topic, body).await;
    }
    assert_eq!((here.recorder.try_next(), there.recorder.try_next()), (None, None));
}

#[tokio::test]
async fn servers_are_counted_by_their_main_channel() {
    let server = Server::start();
    let here = Member::connect(redis(&server), &[MAIN, reply("a")]).await;
    let other = Topic::Main { namespace: "/other" };
    let _there = Member::connect(redis(&server), &[MAIN, other, reply("b")]).await;
    assert_eq!(here.engine.servers("/").await, Ok(2));
    assert_eq!(here.engine.servers("/other").await, Ok(1));
    assert_eq!(server.cli(&["PUBSUB", "SHARDCHANNELS"]).lines().count(), 4);
}

#[tokio::test]
async fn the_mode_says_which_rooms_have_channels() {
    let server = Server::start();
    let rooms = |mode| redis(&server).mode(mode).traits().rooms;
    assert_eq!(redis(&server).traits().rooms, RoomTopics::Dynamic);
    assert_eq!(rooms(SubscriptionMode::Static), RoomTopics::None);
    assert_eq!(rooms(SubscriptionMode::DynamicPrivate), RoomTopics::DynamicPrivate);
}

#[tokio::test]
async fn subscriptions_are_restored() {
    let mut server = Server::start();
    let mut member = Member::connect(redis(&server), &[MAIN, room("lobby")]).await;
    server.kill();
    member.disconnected().await;
    server.restart();
    member.connected().await;
    member.publish(MAIN, "all").await;
    member.publish(room("lobby"), "lobby").await;
    member.expect(MAIN, "all").await;
    member.expect(room("lobby"), "lobby").await;
}
