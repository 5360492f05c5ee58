//! What is logged when connections are lost.

use socketio::cluster::Engine;
use socketio_redis::{Redis, RedisStreams};
use std::fmt::Write;
use std::sync::{Mutex, Once};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::{LOG, MAIN, Member, Server};

static RECORDS: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

/// Keeps the records of this crate. Other tests write some too, about servers of their own.
struct Records;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("socketio_redis")
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        RECORDS.lock().unwrap().push((*event.metadata().level(), text.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Keeps all records from now on.
fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Records).unwrap());
}

#[tokio::test]
async fn a_loss_is_logged_once() {
    keep();
    let mut server = Server::start();
    let url = format!("redis://default:secret@127.0.0.1:{}", server.port);
    server.cli(&["CONFIG", "SET", "requirepass", "secret"]);
    let mut member = Member::connect(Redis::new(url).unwrap(), &[MAIN]).await;
    server.kill();
    for _ in 0..5 {
        member.disconnected().await;
    }
    server.restart();
    server.cli(&["CONFIG", "SET", "requirepass", "secret"]);
    member.connected().await;
    let records = RECORDS.lock().unwrap();
    let place = format!("127.0.0.1:{}", server.port);
    let mine: Vec<_> = records.iter().filter(|(_, text)| text.contains(&place)).collect();
    let texts = |level| mine.iter().filter(move |record| record.0 == level).map(|record| &*record.1);
    assert_eq!(texts(Level::WARN).count(), 1, "{mine:?}");
    assert!(texts(Level::WARN).all(|text| text.contains("was lost")));
    assert_eq!(texts(Level::INFO).count(), 1, "{mine:?}");
    assert!(texts(Level::INFO).all(|text| text.contains("connected again")));
    assert!(texts(Level::DEBUG).count() >= 4);
    assert!(mine.iter().all(|record| !record.1.contains("secret")), "{mine:?}");
}

#[tokio::test]
async fn a_stream_that_is_too_short_is_logged_once_until_it_is_long_enough() {
    keep();
    let server = Server::start();
    let engine = RedisStreams::new(server.url()).unwrap().stream("too short").max_len(10);
    engine.log().unwrap().retain(Duration::from_secs(1), Duration::from_secs(1));
    let member = Member::connect(engine, &[]).await;
    let warnings = || {
        let records = RECORDS.lock().unwrap();
        records
            .iter()
            .filter(|(level, text)| {
                *level == Level::WARN && text.contains("too short") && text.contains("reaches back")
            })
            .count()
    };
    for round in 1..=2 {
        for _ in 0..10 {
            while member.engine.log().unwrap().reach().is_none() {
                member.publish(LOG, "hello").await;
            }
        }
        assert_eq!(warnings(), round);
        server.cli(&["DEL", "too short"]);
        server.cli(&["XADD", "too short", "*", "uid", "a", "type", "0", "data", "{}"]);
        while member.engine.log().unwrap().reach().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
