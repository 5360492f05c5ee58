//! What the engine [`RedisStreams`] loses, and reports, when its server fails or is cut off.

use socketio::cluster::{Engine, GapReason, LogEntry, LogRange, Offset, ReadError};
use socketio::testing::cluster::{Recorded, TcpProxy, batch};
use socketio_redis::RedisStreams;
use std::time::Duration;

use crate::support::{LOG, Member, Server, reply, url_of_port};

type Streams = Member<RedisStreams>;

const BLOCK: Duration = Duration::from_millis(200);

async fn member(url: String) -> Streams {
    let engine = RedisStreams::new(url).unwrap().block_time(BLOCK);
    Member::connect(engine, &[reply("a")]).await
}

/// Publishes and receives.
async fn works(member: &mut Streams, body: &str) -> Offset {
    member.publish(LOG, body).await;
    let entry = member.entry().await;
    assert_eq!(entry.data, body);
    member.publish(reply("a"), body).await;
    member.expect(reply("a"), body).await;
    entry.offset
}

/// Publishes again and again until it succeeds.
async fn publishes(member: &Streams, body: &str) {
    let batch = batch([(LOG, body.as_bytes())]);
    while member.engine.publish(&batch).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The data of all entries up to one with this data. There is a gap, or none, as it is expected.
async fn up_to(member: &mut Streams, last: &str, gap: Option<GapReason>) -> Vec<String> {
    let mut found = Vec::new();
    let mut gaps = Vec::new();
    loop {
        match member.recorder.next().await {
            Recorded::Gap(reason) => gaps.push(reason),
            Recorded::Entry(LogEntry { data, .. }) if data == last => break,
            Recorded::Entry(LogEntry { data, .. }) => found.push(String::from_utf8(data.to_vec()).unwrap()),
            _ => {}
        }
    }
    assert_eq!(gaps, gap.into_iter().collect::<Vec<_>>());
    found
}

async fn numbers(from: &Streams, count: usize) -> Vec<String> {
    let numbers: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    for numbers in numbers.chunks(50) {
        from.engine.publish(&batch(numbers.iter().map(|number| (LOG, number.as_bytes())))).await.unwrap();
    }
    numbers
}

#[tokio::test]
async fn entries_of_an_outage_arrive_later() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port).unwrap();
    let mut there = member(url_of_port(proxy.address().port())).await;
    let mut here = member(server.url()).await;
    works(&mut here, "before").await;
    for fault in ["cut", "hang", "stall"] {
        match fault {
            "cut" => proxy.cut(),
            "stall" => proxy.stall(),
            _ => proxy.hang(true),
        }
        let sent = numbers(&here, 500).await;
        if fault == "hang" {
            there.disconnected().await;
            proxy.hang(false);
        }
        publishes(&here, fault).await;
        let mut found = up_to(&mut there, fault, None).await;
        found.retain(|data| data != "before");
        assert_eq!(found, sent, "{fault}");
    }
}

#[tokio::test]
async fn killed_connections_lose_no_entry() {
    let server = Server::start();
    let mut there = member(server.url()).await;
    let mut here = member(server.url()).await;
    works(&mut here, "before").await;
    let mut published = Vec::new();
    for round in 0..300 {
        let body = format!("{{{round}}}");
        if round % 60 == 30 {
            server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        }
        if here.engine.publish(&batch([(LOG, body.as_bytes())])).await.is_ok() {
            published.push(body);
        } else {
            here.engine.subscribed().await;
        }
    }
    publishes(&here, "end").await;
    for member in [&mut here, &mut there] {
        let mut found = up_to(member, "end", None).await;
        // An entry of which it is unknown whether it was published may be there, once.
        found.retain(|body| published.contains(body));
        assert_eq!(found, published);
    }
}

#[tokio::test]
async fn a_server_that_writes_to_disk_loses_no_entry() {
    let mut server = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (mut here, mut there) = (member(server.url()).await, member(server.url()).await);
    let mut before = works(&mut here, "before").await;
    assert_eq!(there.entry().await.data, "before");
    for end in ["killed", "shut down"] {
        let sent = numbers(&here, 500).await;
        if end == "killed" {
            server.kill();
        } else {
            server.shut_down();
        }
        server.restart();
        publishes(&there, end).await;
        // One more, whose reply was lost, may be there.
        for member in [&mut here, &mut there] {
            let found = up_to(member, end, None).await;
            assert_eq!(found[..500], sent, "{end}");
        }
        let after = works(&mut here, "after").await;
        assert_eq!(there.entry().await.data, "after");
        let newcomer = member(server.url()).await;
        for member in [&here, &newcomer] {
            let found = member.read(LogRange::new("/", before, after)).await.unwrap();
            assert_eq!(found.iter().zip(&sent).filter(|(found, sent)| found.data == **sent).count(), 500);
        }
        before = after;
    }
}

#[tokio::test]
async fn a_server_that_forgets_its_entries_is_noticed() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    let before = works(&mut member, "before").await;
    server.kill();
    member.disconnected().await;
    server.restart();
    publishes(&member, "after").await;
    assert_eq!(up_to(&mut member, "after", Some(GapReason::Trimmed)).await, [""; 0]);
    let after = works(&mut member, "again").await;
    assert_eq!(member.read(LogRange::new("/", before, after)).await, Err(ReadError::Trimmed));
}

#[tokio::test]
async fn a_stream_that_is_deleted_is_noticed() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    for command in [&["FLUSHALL"][..], &["DEL", "socket.io"], &["XTRIM", "socket.io", "MAXLEN", "0"]] {
        works(&mut member, "before").await;
        server.cli(command);
        // It was read before.
        let gap = (command[0] != "XTRIM").then_some(GapReason::Trimmed);
        match &gap {
            Some(gap) => assert_eq!(member.recorder.next().await, Recorded::Gap(gap.clone())),
            None => tokio::time::sleep(2 * BLOCK).await,
        }
        works(&mut member, "after").await;
    }
}

#[tokio::test]
async fn entries_of_a_new_stream_arrive() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port).unwrap();
    let mut there = member(url_of_port(proxy.address().port())).await;
    let mut here = member(server.url()).await;
    works(&mut here, "before").await;
    assert_eq!(there.entry().await.data, "before");
    proxy.hang(true);
    there.disconnected().await;
    server.cli(&["DEL", "socket.io"]);
    let sent = numbers(&here, 200).await;
    proxy.hang(false);
    publishes(&here, "end").await;
    assert_eq!(up_to(&mut there, "end", Some(GapReason::Trimmed)).await, sent);
}

#[tokio::test]
async fn ids_may_go_back() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    works(&mut member, "before").await;
    let fields = ["uid", "a", "nsp", "/", "type", "3", "data", "{}"];
    for command in ["DEL", "FLUSHALL"] {
        server.cli(&[&["XADD", "socket.io", "99999999999999-0"], &fields[..]].concat());
        assert_eq!(member.entry().await.offset.epoch, 99_999_999_999_999);
        server.cli(if command == "DEL" { &["DEL", "socket.io"] } else { &["FLUSHALL"] });
        // They are earlier than the last one.
        assert_eq!(member.recorder.next().await, Recorded::Gap(GapReason::Trimmed));
        works(&mut member, "after").await;
    }
}

#[tokio::test]
async fn entries_that_are_trimmed_too_early_are_a_gap() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port).unwrap();
    let mut there = member(url_of_port(proxy.address().port())).await;
    let mut here = member(server.url()).await;
    works(&mut here, "before").await;
    assert_eq!(there.entry().await.data, "before");
    proxy.hang(true);
    there.disconnected().await;
    let sent = numbers(&here, 400).await;
    server.cli(&["XTRIM", "socket.io", "MAXLEN", "150"]);
    proxy.hang(false);
    publishes(&here, "end").await;
    assert_eq!(up_to(&mut there, "end", Some(GapReason::Trimmed)).await, sent[250..]);
}

#[tokio::test]
async fn a_reader_that_is_overtaken_says_so() {
    let server = Server::start();
    let engine = RedisStreams::new(server.url()).unwrap();
    let mut there = Member::connect(engine, &[]).await;
    there.publish(LOG, "before").await;
    assert_eq!(there.entry().await.data, "before");
    let publisher = Server::url(&server);
    let sent = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let here = Member::connect(RedisStreams::new(publisher).unwrap().max_len(100), &[]).await;
            numbers(&here, 20_000).await
        })
    });
    // The engine's task does not run meanwhile, since the test has one thread.
    let sent = sent.join().unwrap();
    publishes(&there, "end").await;
    let found = up_to(&mut there, "end", Some(GapReason::Trimmed)).await;
    assert!(found.len() < 1_000 && found.is_sorted_by_key(|number| number.parse::<usize>().unwrap()));
    assert_eq!(found.last(), sent.last());
}

#[tokio::test]
async fn an_older_state_is_not_delivered_twice() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    let first = works(&mut member, "first").await;
    let second = works(&mut member, "second").await;
    server.cli(&["SAVE"]);
    let third = works(&mut member, "third").await;
    server.kill();
    member.disconnected().await;
    server.restart();
    publishes(&member, "after").await;
    assert_eq!(up_to(&mut member, "after", Some(GapReason::Trimmed)).await, [""; 0]);
    let end = works(&mut member, "again").await;
    // The third one is missing after the second one, which is there.
    let newcomer = self::member(server.url()).await;
    for member in [&member, &newcomer] {
        for after in [first, second, third] {
            assert_eq!(member.read(LogRange::new("/", after, end)).await, Err(ReadError::Trimmed));
        }
    }
    // The second of the restart is not trusted as a whole.
    let (mut last, mut trusted) = (end, 0);
    while trusted < 2 {
        let next = works(&mut member, "next").await;
        trusted = 0;
        for member in [&member, &newcomer] {
            match member.read(LogRange::new("/", last, next)).await {
                Ok(found) => trusted += found.len(),
                Err(error) => assert_eq!(error, ReadError::Trimmed),
            }
        }
        last = next;
    }
}

#[tokio::test]
async fn a_server_that_is_suspended_costs_nothing() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    works(&mut member, "before").await;
    server.suspend(true);
    let error = member.engine.publish(&batch([(LOG, &b"late"[..])])).await.unwrap_err();
    assert_eq!((error.unpublished, &*error.reason), (1, "no reply in time"));
    member.disconnected().await;
    server.suspend(false);
    publishes(&member, "end").await;
    let found = up_to(&mut member, "end", None).await;
    assert!(found.len() <= 1, "{found:?}");
    works(&mut member, "again").await;
}

#[tokio::test]
async fn a_server_that_becomes_a_replica_is_left() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    works(&mut member, "before").await;
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    member.disconnected().await;
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    publishes(&member, "end").await;
    up_to(&mut member, "end", None).await;
    works(&mut member, "again").await;
}
