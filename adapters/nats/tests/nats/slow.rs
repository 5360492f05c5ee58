//! Floods. What is lost is counted.

use socketio::Hub;
use socketio::cluster::GapReason;
use socketio::testing::cluster::Recorded;
use socketio_nats::Nats;
use std::time::Duration;

use crate::support::{MAIN, Member, Server, reply};

#[tokio::test]
async fn a_subscription_that_has_too_much_loses_some_and_says_so() {
    let server = Server::start();
    let mut member = Member::connect(Nats::new(server.url()).unwrap().pending(100), &[MAIN]).await;
    // Nothing is read meanwhile, since the test has one thread.
    let mut raw = server.connect();
    for number in 0..20_000 {
        raw.publish("socket.io.=2F.all", number.to_string().as_bytes());
    }
    raw.flush();
    let gap = member.recorder.until(|recorded| matches!(recorded, Recorded::Gap(_))).await;
    assert_eq!(gap, Recorded::Gap(GapReason::Slow));
    // It is still connected, and works when the flood is over.
    let mut has_come = false;
    while !has_come {
        raw.publish("socket.io.=2F.all", b"last");
        raw.flush();
        tokio::time::sleep(Duration::from_millis(20)).await;
        while let Some(recorded) = member.recorder.try_next() {
            assert!(!matches!(recorded, Recorded::Disconnected(_)), "{recorded:?}");
            has_come |= matches!(recorded, Recorded::Message { body, .. } if body == "last");
        }
    }
}

#[tokio::test]
async fn a_server_that_reads_too_slowly_is_disconnected_and_comes_back() {
    let server = Server::with("max_pending: 1MB\nwrite_deadline: \"1s\"");
    let mut member = Member::connect(Nats::new(server.url()).unwrap(), &[MAIN, reply("a")]).await;
    // Nothing is read meanwhile, since the test has one thread.
    let mut raw = server.connect();
    let body = vec![b'x'; 100 << 10];
    for _ in 0..500 {
        raw.publish("socket.io.=2F.all", &body);
    }
    raw.flush();
    // The server does not tell why.
    member.disconnected().await;
    member.connected().await;
    member.publish(reply("a"), "again").await;
    while member.recorder.message().await.0 != reply("a") {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_is_received_plus_counted_losses() {
    const SENT: u64 = 40_000;
    let server = Server::start();
    let hub = async |pending| {
        let engine = Nats::new(server.url()).unwrap().pending(pending);
        let hub = Hub::builder().cluster(engine).outbox(1 << 16, 64 << 20).build().unwrap();
        hub.ready(Duration::from_secs(20)).await.unwrap();
        hub
    };
    let (sender, receiver) = (hub(65_536).await, hub(8).await);
    let mut client = receiver.test_client().patience(Duration::from_secs(30)).connect().await.unwrap();
    let counted = receiver.cluster().unwrap();
    sender.emit(("begin",)).unwrap();
    client.expect_exact(("begin",)).await.unwrap();
    let missed = counted.stats().missed;
    let flood = tokio::spawn({
        let sender = sender.clone();
        async move {
            for number in 0..SENT {
                sender.emit(("number", number)).unwrap();
            }
            // The end may be lost as well.
            for number in 1_u64.. {
                sender.emit(("end", number)).unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    let mut received = Vec::new();
    while let Ok(event) = client.expect_event("number").await {
        received.push(event.json::<u64>().unwrap());
    }
    let ends: u64 = client.expect_event("end").await.unwrap().json().unwrap();
    flood.abort();
    let missed = counted.stats().missed - missed;
    assert!(received.is_sorted());
    assert_eq!(received.len() as u64 + 1 + missed, SENT + ends);
    assert!(missed > 0 && counted.stats().gaps > 0, "nothing was lost");
    let sent = sender.cluster().unwrap().stats();
    assert_eq!((sent.dropped, sent.unpublished), (0, 0));
    assert!(counted.health().is_up(), "{:?}", counted.health());
}
