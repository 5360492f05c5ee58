//! What the engine [`RedisStreams`] carries.

use socketio::cluster::Topic;
use socketio_redis::RedisStreams;

use crate::support::{MAIN, Member, Server, reply};

fn streams(server: &Server) -> RedisStreams {
    RedisStreams::new(server.url()).unwrap()
}

/// A topic of the log.
const LOG: Topic<'_> = Topic::Log { namespace: "/", server: "me", kind: 3 };

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
