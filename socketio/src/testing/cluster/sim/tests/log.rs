//! Tests of engines with a log.

use std::time::Duration;

use super::{MAIN, Server};
use crate::cluster::{Dialect, Engine, EngineTraits, LogRange, Offset, ReadError, Topic};
use crate::testing::cluster::SimNet;

const LOG: Topic<'static> = Topic::Log { namespace: "/", server: "a", kind: 3 };

async fn server(net: &SimNet, name: &str) -> Server {
    Server::with(net, name, EngineTraits::new(Dialect::Streams), MAIN).await
}

async fn pair(net: &SimNet) -> (Server, Server) {
    (server(net, "a").await, server(net, "b").await)
}

/// What was delivered, without offsets.
fn texts(reports: Vec<String>) -> Vec<String> {
    reports.into_iter().map(|report| report.rsplit(": ").next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn all_engines_read_the_same_entries_in_the_same_order() {
    let net = SimNet::seeded(21);
    let (a, b) = pair(&net).await;
    net.drop_messages(1.0);
    net.duplicate(1.0);
    net.partition("a", "b");
    for text in ["1", "2", "3"] {
        let texts = [text];
        let (one, other) = tokio::join!(a.publish(LOG, &texts), b.publish(LOG, &texts));
        one.and(other).expect("published");
    }
    let reports = a.reports().await;
    assert_eq!(texts(reports.clone()), ["1", "1", "2", "2", "3", "3"]);
    assert_eq!(b.reports().await, reports);
    assert!(reports.is_sorted());
    let stats = net.stats();
    assert_eq!((stats.published, stats.logged, stats.read, stats.routed), (6, 6, 12, 0));
    assert!(stats.is_balanced());
}

#[tokio::test(start_paused = true)]
async fn an_engine_goes_on_where_it_was() {
    let net = SimNet::seeded(22);
    let (a, b) = pair(&net).await;
    a.publish(LOG, &["1"]).await.expect("published");
    assert_eq!(texts(b.reports().await), ["1"]);
    // Some entries are on their way when the connection ends.
    net.slow("b", Duration::from_secs(1));
    a.publish(LOG, &["2", "3"]).await.expect("published");
    net.isolate("b");
    a.publish(LOG, &["4"]).await.expect("published");
    net.slow("b", Duration::ZERO);
    net.heal();
    b.engine.subscribed().await;
    assert_eq!(texts(b.reports().await), ["the connection was cut", "connected", "2", "3", "4"]);
    let late = server(&net, "c").await;
    a.publish(LOG, &["5"]).await.expect("published");
    assert_eq!(texts(late.reports().await), ["5"]);
}

#[tokio::test(start_paused = true)]
async fn an_isolated_engine_does_not_connect() {
    let net = SimNet::seeded(23);
    let (a, b) = pair(&net).await;
    net.isolate("b");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!b.log.take().contains(&"connected".to_owned()));
    a.publish(LOG, &["1"]).await.expect("published");
    net.heal();
    b.engine.subscribed().await;
    assert_eq!(texts(b.reports().await).last().map(String::as_str), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn removed_entries_are_a_gap_once() {
    let net = SimNet::seeded(24);
    let (a, b) = pair(&net).await;
    for removal in [|net: &SimNet| net.trim_log(0), SimNet::replace_log] {
        net.isolate("b");
        a.publish(LOG, &["1"]).await.expect("published");
        removal(&net);
        assert!(net.log_entries().is_empty());
        for _ in 0..2 {
            net.heal();
            b.engine.subscribed().await;
            net.isolate("b");
        }
        a.publish(LOG, &["2"]).await.expect("published");
        net.heal();
        b.engine.subscribed().await;
        let reports = texts(b.reports().await);
        assert_eq!(reports.iter().filter(|report| *report == "Trimmed").count(), 1);
        assert_eq!(reports.last().map(String::as_str), Some("2"));
    }
    // What was read is not missed.
    a.reports().await;
    net.trim_log(0);
    net.cut("a");
    a.engine.subscribed().await;
    assert_eq!(texts(a.reports().await), ["the connection was cut", "connected"]);
}

#[tokio::test(start_paused = true)]
async fn entries_whose_publishing_fails_may_be_there() {
    let net = SimNet::seeded(25);
    let (a, b) = pair(&net).await;
    net.fail_publish(1.0);
    for _ in 0..20 {
        assert_eq!(a.publish(LOG, &["1", "2", "3"]).await, Err(3));
        let reports = texts(b.reports().await);
        assert_eq!(reports, ["1", "2", "3"][..reports.len()]);
    }
    let stats = net.stats();
    assert_eq!(stats.logged + stats.unpublished, 60);
    assert!(stats.logged > 0 && stats.unpublished > 0);
}

#[tokio::test(start_paused = true)]
async fn ranges_are_read_and_sessions_taken() {
    let net = SimNet::seeded(26);
    let (a, b) = pair(&net).await;
    let (log, other) = (a.engine.log().expect("a log"), b.engine.log().expect("a log"));
    log.retain(Duration::from_secs(60), Duration::from_secs(60));
    let session = Topic::Session { namespace: "/", token: "token" };
    a.publish(session, &["session"]).await.expect("published");
    a.publish(LOG, &["1", "2"]).await.expect("published");
    assert_eq!(net.sessions(), 1);
    let (one, two) = tokio::join!(log.take_session("token"), other.take_session("token"));
    let (one, two) = (one.expect("connected"), two.expect("connected"));
    assert_eq!([one.0, two.0].into_iter().flatten().collect::<Vec<_>>(), ["session"]);
    assert_eq!((one.1, net.sessions()), (two.1, 0));
    let entries = other.read(LogRange::new("/", Offset::default(), one.1)).await.expect("entries").entries;
    assert_eq!(entries.iter().map(|entry| &entry.data[..]).collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!((entries[1].offset, &*entries[1].server, entries[1].kind), (one.1, "a", 3));
    net.stop();
    assert!(log.take_session("token").await.is_err());
    let read = log.read(LogRange::new("/", Offset::default(), one.1)).await;
    assert!(matches!(read, Err(ReadError::Unavailable(_))), "{read:?}");
}
