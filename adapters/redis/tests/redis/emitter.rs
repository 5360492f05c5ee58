//! What an [`Emitter`] publishes over the engines.

use socketio::cluster::Topic;
use socketio::{Binary, EmitterError};
use socketio_redis::{Emitter, Redis, RedisStreams, ShardedRedis};
use std::time::Duration;

use crate::support::{MAIN, Member, REQUESTS, Server, free_port, room};

/// An event as `@socket.io/redis-emitter` encodes it: an array of the sender, the packet and the
/// options.
fn event(name: &str, rooms: &[&str]) -> String {
    let text = |text: &str| format!("{}{text}", char::from(0xa0 + u8::try_from(text.len()).unwrap()));
    let names: String = rooms.iter().map(|room| text(room)).collect();
    let count = char::from(0x90 + u8::try_from(rooms.len()).unwrap());
    // Each character stands for a byte.
    format!(
        "\u{93}{}\u{83}{}\u{2}{}\u{92}{}\u{1}{}{}\u{83}{}{count}{names}{}\u{90}{}\u{80}",
        text("emitter"),
        text("type"),
        text("data"),
        text(name),
        text("nsp"),
        text("/"),
        text("rooms"),
        text("except"),
        text("flags"),
    )
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

#[tokio::test]
async fn messages_have_the_form_of_the_emitter_for_node() {
    let server = Server::start();
    let mut member = Member::connect(Redis::new(server.url()).unwrap(), &[MAIN, REQUESTS]).await;
    let emitter = Emitter::new(Redis::new(server.url()).unwrap());
    emitter.emit(("hello", 1)).await.unwrap();
    member.expect_bytes(MAIN, &bytes(&event("hello", &[]))).await;
    emitter.to("lobby").emit(("hello", 1)).await.unwrap();
    member.expect_bytes(room("lobby"), &bytes(&event("hello", &["lobby"]))).await;
    emitter.to("a").to("b").emit(("hello", 1)).await.unwrap();
    member.expect_bytes(MAIN, &bytes(&event("hello", &["a", "b"]))).await;
    emitter.to("a").except("b").sockets_join(["c", "d"]).await.unwrap();
    let join = r#"{"uid":"emitter","type":2,"opts":{"rooms":["a"],"except":["b"]},"rooms":["c","d"]}"#;
    member.expect(REQUESTS, join).await;
    emitter.close_sockets().await.unwrap();
    member.expect(REQUESTS, r#"{"uid":"emitter","type":4,"opts":{"rooms":[],"except":[]},"close":true}"#).await;
    emitter.server_emit(("reload", "users")).await.unwrap();
    member.expect(REQUESTS, r#"{"uid":"emitter","type":6,"data":["reload","users"]}"#).await;
}

#[tokio::test]
async fn events_become_entries_of_the_stream_which_the_emitter_does_not_read() {
    let server = Server::start();
    let emitter = Emitter::new(RedisStreams::new(server.url()).unwrap().stream("chat"));
    emitter.of("/a").to("lobby").emit(("hello", 1)).await.unwrap();
    emitter.emit(("bytes", Binary(vec![1].into()))).await.unwrap();
    emitter.to("lobby").sockets_leave(["hall"]).await.unwrap();
    emitter.latest_by("AAPL").emit(("price", 1)).await.unwrap();
    let stream = server.cli(&["XRANGE", "chat", "-", "+"]);
    let lines: Vec<_> = stream.lines().collect();
    let data = r#"{"packet":{"type":2,"data":["hello",1]},"opts":{"rooms":["lobby"],"except":[],"flags":{}}}"#;
    assert_eq!(lines[1..9], ["uid", "emitter", "nsp", "/a", "type", "3", "data", data]);
    assert_eq!(lines[14..17], ["type", "3", "data"]);
    assert!(lines[17].starts_with("gqZwYWNrZX"), "MessagePack as base64: {}", lines[17]);
    let data = r#"{"opts":{"rooms":["lobby"],"except":[],"flags":{}},"rooms":["hall"]}"#;
    assert_eq!(lines[19..27], ["uid", "emitter", "nsp", "/", "type", "5", "data", data]);
    let data = r#"{"packet":{"type":2,"data":["price",1]},"opts":{"rooms":[],"except":[],"flags":{"latest":"AAPL"}}}"#;
    assert_eq!(lines[34..36], ["data", data]);
    assert!(server.cli(&["INFO", "clients"]).contains("blocked_clients:0"));
}

#[tokio::test]
async fn events_to_one_room_of_a_sharded_cluster_have_its_channel() {
    let server = Server::start();
    let lobby = Topic::Room { namespace: "/", room: "lobby" };
    let mut member = Member::connect(ShardedRedis::new(server.url()).unwrap(), &[MAIN, lobby]).await;
    let emitter = Emitter::new(ShardedRedis::new(server.url()).unwrap());
    emitter.to("lobby").emit(("hello",)).await.unwrap();
    let body = |rooms: &str| {
        format!(
            r#"{{"type":3,"data":{{"packet":{{"type":2,"data":["hello"]}},"opts":{{"rooms":[{rooms}],"except":[],"flags":{{}}}}}},"uid":"emitter","nsp":"/"}}"#
        )
    };
    member.expect(lobby, &body(r#""lobby""#)).await;
    emitter.emit(("hello",)).await.unwrap();
    member.expect(MAIN, &body("")).await;
}

/// The guide has these rules.
#[tokio::test]
async fn a_user_that_may_only_publish_is_enough() {
    let server = Server::start();
    let url = server.url().replace("redis://", "redis://worker:secret@");
    let permit = |rules: &str| {
        let user = ["ACL", "SETUSER", "worker", "reset", "on", ">secret"];
        server.cli(&[&user[..], &rules.split(' ').collect::<Vec<_>>()].concat());
    };
    permit("resetchannels &socket.io* -@all +publish +spublish");
    Emitter::new(Redis::new(&url).unwrap()).to("lobby").emit(("hello",)).await.unwrap();
    let sharded = Emitter::new(ShardedRedis::new(&url).unwrap());
    sharded.to("lobby").emit(("hello",)).await.unwrap();
    sharded.sockets_join(["hall"]).await.unwrap();
    permit("resetchannels &socket.io#* resetkeys ~socket.io -@all +publish +xadd");
    let streams = Emitter::new(RedisStreams::new(&url).unwrap());
    streams.emit(("hello",)).await.unwrap();
    streams.server_emit(("hello",)).await.unwrap();
    permit("resetchannels -@all");
    let error = Emitter::new(Redis::new(&url).unwrap()).emit(("hello",)).await.unwrap_err();
    assert!(matches!(&error, EmitterError::Unconfirmed(reason) if reason.contains("NOPERM")), "{error}");
}

#[tokio::test]
async fn what_redis_refuses_is_an_error() {
    let server = Server::start();
    let emitter = Emitter::new(RedisStreams::new(server.url()).unwrap());
    emitter.emit(("hello",)).await.unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = emitter.emit(("hello",)).await.unwrap_err();
    assert!(matches!(&error, EmitterError::Unconfirmed(reason) if reason.contains("OOM")), "{error}");
}

#[tokio::test]
async fn a_redis_that_is_away_is_an_error() {
    let url = format!("redis://127.0.0.1:{}", free_port());
    let emitter = Emitter::new(Redis::new(&url).unwrap()).patience(Duration::from_millis(100));
    let error = emitter.emit(("hello",)).await.unwrap_err();
    assert!(matches!(error, EmitterError::Unreachable(_)), "{error}");
    let error = emitter.ready(Duration::from_millis(100)).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn an_emitter_needs_a_runtime() {
    let emitter = Emitter::new(Redis::new("redis://localhost").unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let published = emitter.emit(("hello",));
    let error = runtime.block_on(published).unwrap_err();
    assert!(matches!(error, EmitterError::NoRuntime), "{error}");
}

#[test]
fn an_emitter_ends_with_its_runtime() {
    let server = Server::start();
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let emitter = Emitter::new(Redis::new(server.url()).unwrap());
    let first = runtime();
    first.block_on(emitter.emit(("hello",))).unwrap_err();
    first.block_on(async { emitter.emit(("hello",)).await }).unwrap();
    drop(first);
    let other = runtime();
    let error = other.block_on(async { emitter.emit(("hello",)).await }).unwrap_err();
    assert!(matches!(error, EmitterError::Closed), "{error}");
    other.block_on(emitter.close());
}
