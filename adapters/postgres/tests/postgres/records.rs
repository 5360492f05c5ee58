//! What is logged when connections are lost.

use socketio::cluster::Engine;
use socketio::testing::cluster::batch;
use socketio_postgres::Postgres;
use std::fmt::Write;
use std::sync::{Mutex, Once};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::{MAIN, Member, Server};

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
        metadata.target().starts_with("socketio_postgres")
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

/// The log is that of the process, for all tests here.
fn keep_records() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Records).unwrap());
}

#[tokio::test]
async fn a_loss_is_logged_once() {
    keep_records();
    let mut server = Server::start();
    let url = server.url().replace("postgres@", "postgres:secret@");
    let mut member = Member::connect(Postgres::new(url).unwrap(), &[MAIN]).await;
    server.shut_down();
    for _ in 0..5 {
        member.disconnected().await;
    }
    server.restart();
    member.connected().await;
    let records = RECORDS.lock().unwrap();
    let place = server.port.to_string();
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
async fn missing_rights_are_logged_once_with_what_to_do() {
    keep_records();
    let server = Server::start();
    server.sql("CREATE ROLE chat LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let url = server.url().replace("postgres@", "chat@");
    let engine = Postgres::new(url).unwrap().table("logged").unwrap();
    let member = Member::connect(engine, &[MAIN]).await;
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(9_000));
    for _ in 0..3 {
        let error = member.engine.publish(&batch([(MAIN, long.as_bytes())])).await.unwrap_err();
        assert_eq!(error.unpublished, 1);
    }
    let records = RECORDS.lock().unwrap();
    let mine: Vec<_> = records.iter().filter(|(_, text)| text.contains("table logged")).collect();
    assert!(matches!(mine[..], [(Level::ERROR, _)]), "{mine:?}");
    assert!(mine[0].1.contains("permission denied") && mine[0].1.contains("rights"), "{mine:?}");
}
