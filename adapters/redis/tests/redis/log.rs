//! What the log of the engine [`RedisStreams`] promises: sessions, and entries that are read again.

use bytes::Bytes;
use futures_util::future::join_all;
use socketio::cluster::{Engine, EventLog, LogEntry, LogRange, Offset, ReadError, Topic};
use socketio::testing::cluster::batch;
use socketio_redis::RedisStreams;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{LOG, Member, Server};

const SESSION: Topic<'_> = Topic::Session { namespace: "/", token: "token" };
const CHAT: Topic<'_> = Topic::Log { namespace: "/chat", server: "me", kind: 3 };
const NONE: Offset = Offset { epoch: 0, number: 0 };

async fn member(server: &Server) -> Member<RedisStreams> {
    Member::connect(RedisStreams::new(server.url()).unwrap(), &[]).await
}

/// Publishes this many entries, which have their numbers as data.
async fn publish(member: &mut Member<RedisStreams>, topic: Topic<'_>, count: usize) -> Vec<Offset> {
    let bodies: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    for bodies in bodies.chunks(1_000) {
        member.engine.publish(&batch(bodies.iter().map(|body| (topic, body.as_bytes())))).await.unwrap();
    }
    let mut offsets = Vec::new();
    for body in &bodies {
        let entry = member.entry().await;
        assert_eq!(entry.data, *body);
        offsets.push(entry.offset);
    }
    offsets
}

fn numbers(entries: &[LogEntry<'_>]) -> Vec<usize> {
    entries.iter().map(|entry| std::str::from_utf8(&entry.data).unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn one_caller_takes_a_session() {
    let server = Server::start();
    let (here, there) = (member(&server).await, member(&server).await);
    for round in 0..20 {
        let session = format!("session {round} \u{0}");
        here.publish(SESSION, &session).await;
        let logs: [&dyn EventLog; 2] = [here.engine.log().unwrap(), there.engine.log().unwrap()];
        let taken = join_all((0..20).map(|caller| logs[caller % 2].take_session("token"))).await;
        let taken: Vec<Bytes> = taken.into_iter().filter_map(|taken| taken.unwrap().0).collect();
        assert_eq!(taken, [session]);
    }
}

#[tokio::test]
async fn sessions_are_replaced_removed_and_expire() {
    let server = Server::start();
    let member = member(&server).await;
    let log = member.engine.log().unwrap();
    member.publish(SESSION, "one").await;
    member.publish(SESSION, "two").await;
    assert_eq!(server.cli(&["GET", "sio:session:token"]), "dHdv");
    let time: u64 = server.cli(&["PTTL", "sio:session:token"]).parse().unwrap();
    assert!((60_000..=120_000).contains(&time), "{time}");
    assert_eq!(log.take_session("token").await.unwrap().0.unwrap(), "two");
    member.publish(SESSION, "three").await;
    member.publish(SESSION, "").await;
    assert_eq!(log.take_session("token").await, Ok((None, NONE)));
    log.retain(Duration::from_secs(60), Duration::from_millis(50));
    member.publish(SESSION, "four").await;
    server.wait_until(&["EXISTS", "sio:session:token"], |reply| reply == "0").await;
    assert_eq!(log.take_session("token").await, Ok((None, NONE)));
    // What nobody here has stored is no session.
    server.cli(&["SET", "sio:session:token", "?"]);
    assert_eq!(log.take_session("token").await, Ok((None, NONE)));
}

#[tokio::test]
async fn the_end_of_the_log_comes_with_a_session() {
    let server = Server::start();
    let mut member = member(&server).await;
    assert_eq!(member.engine.log().unwrap().take_session("none").await, Ok((None, NONE)));
    for _ in 0..3 {
        let end = publish(&mut member, LOG, 1).await[0];
        member.publish(SESSION, "one").await;
        assert_eq!(member.engine.log().unwrap().take_session("token").await, Ok((Some("one".into()), end)));
    }
}

#[tokio::test]
async fn the_entries_of_a_namespace_are_read() {
    let server = Server::start();
    let mut member = member(&server).await;
    let first = publish(&mut member, LOG, 1_700).await;
    let other = publish(&mut member, CHAT, 5).await;
    let last = publish(&mut member, LOG, 3).await;
    let read = async |namespace: &str, after, to| member.read(LogRange::new(namespace, after, to)).await;
    let found = read("/", first[0], last[1]).await.unwrap();
    assert_eq!(numbers(&found), (1..1_700).chain(0..2).collect::<Vec<_>>());
    let offsets: Vec<_> = found.iter().map(|entry| entry.offset).collect();
    assert_eq!(offsets, [&first[1..], &last[..2]].concat());
    let entry = LogEntry {
        offset: other[0],
        namespace: "/chat".into(),
        server: "me".into(),
        kind: 3,
        data: Bytes::from_static(b"0"),
    };
    let found = read("/chat", first[9], last[2]).await.unwrap();
    assert_eq!((&found[0], found.len()), (&entry, 5));
    assert_eq!(numbers(&read("/chat", other[0], other[2]).await.unwrap()), [1, 2]);
    assert_eq!(read("/", last[2], last[2]).await, Ok(Vec::new()));
    assert_eq!(read("/none", first[0], last[2]).await, Ok(Vec::new()));
    // From before the first entry, and nothing was removed yet.
    assert_eq!(read("/", NONE, first[1]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_page_is_bounded() {
    let server = Server::start();
    let mut member = member(&server).await;
    let offsets = publish(&mut member, LOG, 1_100).await;
    let page = async |member: &Member<RedisStreams>, after, to| {
        member.engine.log().unwrap().read(LogRange::new("/", after, to)).await.unwrap()
    };
    let first = page(&member, offsets[0], offsets[1_099]).await;
    assert!((100..=500).contains(&first.entries.len()));
    assert_eq!(first.up_to, first.entries.last().unwrap().offset);
    // Large entries are read in smaller numbers.
    let body = "x".repeat(400_000);
    let start = offsets[1_099];
    let mut last = start;
    for _ in 0..10 {
        member.publish(LOG, &body).await;
        last = member.entry().await.offset;
    }
    assert!(page(&member, start, last).await.entries.len() <= 3);
    assert_eq!(member.read(LogRange::new("/", start, last)).await.unwrap().len(), 10);
}

#[tokio::test]
async fn what_may_be_incomplete_is_not_read() {
    let server = Server::start();
    let mut member = member(&server).await;
    let offsets = publish(&mut member, LOG, 10).await;
    let read = async |after, to| member.read(LogRange::new("/", after, to)).await.map(|found| numbers(&found));
    server.cli(&["XTRIM", "socket.io", "MAXLEN", "6"]);
    assert_eq!(read(offsets[3], offsets[9]).await, Err(ReadError::Trimmed));
    assert_eq!(read(NONE, offsets[9]).await, Err(ReadError::Trimmed));
    assert_eq!(read(offsets[4], offsets[6]).await, Ok(vec![5, 6]));
    // Of another stream.
    let later = Offset { epoch: offsets[9].epoch + 1_000_000, number: 0 };
    assert_eq!(read(later, later).await, Err(ReadError::Trimmed));
    assert_eq!(read(later, offsets[9]).await, Err(ReadError::Trimmed));
    // A time at which there was no entry.
    server.cli(&["XDEL", "socket.io", &offsets[8].to_string()]);
    assert_eq!(read(offsets[8], offsets[9]).await, Ok(vec![9]));
    // The end of the log is known when all entries are removed.
    server.cli(&["XTRIM", "socket.io", "MAXLEN", "0"]);
    assert_eq!(read(offsets[9], offsets[9]).await, Ok(Vec::new()));
    assert_eq!(read(offsets[8], offsets[9]).await, Err(ReadError::Trimmed));
    server.cli(&["DEL", "socket.io"]);
    assert_eq!(read(offsets[9], offsets[9]).await, Err(ReadError::Trimmed));
}

#[tokio::test]
async fn many_may_read_while_nothing_comes() {
    let server = Server::start();
    let mut member = member(&server).await;
    let offsets = publish(&mut member, LOG, 1_000).await;
    let read = join_all((0..50).map(|_| member.read(LogRange::new("/", offsets[0], offsets[999])))).await;
    assert!(read.iter().all(|found| found.as_ref().is_ok_and(|found| found.len() == 999)));
}

#[tokio::test]
async fn an_engine_that_is_not_connected_says_so() {
    let mut server = Server::start();
    let mut member = member(&server).await;
    server.kill();
    member.disconnected().await;
    let log = member.engine.log().unwrap();
    assert_eq!(log.take_session("token").await, Err("not connected".to_owned()));
    let offset = Offset { epoch: u64::MAX, number: 1 };
    let read = member.read(LogRange::new("/", offset, offset)).await;
    assert_eq!(read, Err(ReadError::Unavailable("not connected".to_owned())));
}

#[tokio::test]
async fn entries_are_removed_when_they_are_old() {
    let server = Server::start();
    let engine = RedisStreams::new(server.url()).unwrap();
    engine.log().unwrap().retain(Duration::from_millis(500), Duration::from_secs(1));
    let mut member = Member::connect(engine, &[]).await;
    publish(&mut member, LOG, 1_000).await;
    // Redis removes them in groups.
    server.wait_until(&["XLEN", "socket.io"], |reply| reply.parse::<usize>().unwrap() <= 100).await;
    assert_eq!(publish(&mut member, LOG, 100).await.len(), 100);
    assert_eq!(member.recorder.try_next(), None);
}

#[tokio::test]
async fn the_length_limits_how_far_it_reaches_back() {
    let server = Server::start();
    let engine = RedisStreams::new(server.url()).unwrap().max_len(100);
    engine.log().unwrap().retain(Duration::from_secs(2), Duration::from_secs(2));
    let mut member = Member::connect(engine, &[]).await;
    assert_eq!(member.engine.log().unwrap().reach(), None);
    let mut reaches = BTreeSet::new();
    while reaches.len() < 2 {
        publish(&mut member, LOG, 50).await;
        reaches.extend(member.engine.log().unwrap().reach());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(reaches.iter().all(|reach| *reach < Duration::from_secs(2)), "{reaches:?}");
    let length: usize = server.cli(&["XLEN", "socket.io"]).parse().unwrap();
    assert!((100..=300).contains(&length), "{length}");
}
