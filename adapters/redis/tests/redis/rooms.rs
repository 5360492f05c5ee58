//! Subscriptions of rooms, of which there may be many and which come and go.

use socketio::cluster::{Engine, Topic};
use socketio_redis::ShardedRedis;

use crate::support::{MAIN, Member, Server, room};

fn redis(server: &Server) -> ShardedRedis {
    ShardedRedis::new(server.url()).unwrap()
}

const CHANNELS: &str = "pubsubshard_channels";

#[tokio::test]
async fn a_subscription_is_in_effect_when_the_engine_says_so() {
    let server = Server::start();
    let mut member = Member::connect(redis(&server), &[]).await;
    for number in 0..50 {
        let name = number.to_string();
        member.engine.subscribe(room(&name));
        member.engine.subscribed().await;
        member.publish(room(&name), "hello").await;
        member.expect(room(&name), "hello").await;
    }
}

#[tokio::test]
async fn a_room_that_is_left_and_joined_stays_subscribed() {
    let server = Server::start();
    let mut member = Member::connect(redis(&server), &[MAIN]).await;
    let commands = || server.cli(&["INFO", "commandstats"]).matches("unsubscribe").count();
    for number in 0..100 {
        member.engine.subscribe(room("lobby"));
        member.engine.subscribed().await;
        member.publish(room("lobby"), &number.to_string()).await;
        member.expect(room("lobby"), &number.to_string()).await;
        member.engine.unsubscribe(room("lobby"));
    }
    assert_eq!(commands(), 0);
    member.engine.subscribe(room("lobby"));
    // Another room is left meanwhile, so that the time of the first has passed.
    member.engine.subscribe(room("other"));
    member.engine.subscribed().await;
    assert_eq!(server.info(CHANNELS), 3);
    member.engine.unsubscribe(room("other"));
    server.wait_for(CHANNELS, 2).await;
    member.publish(room("lobby"), "still here").await;
    member.expect(room("lobby"), "still here").await;
}

#[tokio::test]
async fn many_rooms_leave_nothing_behind() {
    const ROOMS: u64 = 100_000;
    let mut server = Server::start();
    let mut member = Member::connect(redis(&server), &[MAIN]).await;
    let names: Vec<_> = (0..ROOMS).map(|number| format!("room{number}")).collect();
    for name in &names {
        member.engine.subscribe(room(name));
    }
    member.engine.subscribed().await;
    assert_eq!(server.info(CHANNELS), ROOMS + 1);
    server.kill();
    member.disconnected().await;
    server.restart();
    member.connected().await;
    assert_eq!(server.info(CHANNELS), ROOMS + 1);
    for name in &names {
        member.engine.unsubscribe(room(name));
    }
    server.wait_for(CHANNELS, 1).await;
    let last: Topic<'_> = room(&names[names.len() - 1]);
    member.publish(last, "nobody").await;
    member.publish(MAIN, "all").await;
    member.expect(MAIN, "all").await;
}
