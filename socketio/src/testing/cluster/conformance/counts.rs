//! Cases about losses, all of which are counted.

use std::time::Duration;
use tokio::time::sleep;

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{R7, R16, R32};
use super::scene::{Events, Scene, Server, eventually, expect_each, flushed};
use crate::cluster::{ClusterEvent, GapReason};
use crate::testing::Client;

case_table! {
    R32, Nothing, without_losses_the_counters_agree;
    R32, Simulation, lost_messages_are_counted_by_their_receivers;
    R32, Simulation, messages_between_parted_servers_are_counted;
    R32, Simulation, messages_whose_publishing_fails_are_counted;
    R32, Restart, what_a_restart_loses_is_counted;
    R7, Simulation, a_gap_is_an_event;
    R16, Nothing, messages_without_a_local_audience_are_skipped;
}

/// The numbers that a client has received.
async fn numbers(client: &mut Client) -> CaseResult<Vec<u64>> {
    let mut numbers = Vec::new();
    while let Ok(event) = client.expect_event("number").await {
        numbers.push(event.json()?);
    }
    client.expect_exact(("end",)).await?;
    Ok(numbers)
}

async fn without_losses_the_counters_agree(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    let (sent, got) = (a.stats(), b.stats());
    for number in 0..100 {
        a.emit(("number", number))?;
    }
    for number in 0..100 {
        client.expect_exact(("number", number)).await?;
    }
    a.flushed().await?;
    let (sent_after, got_after) = (a.stats(), b.stats());
    ensure_eq!(got_after.delivered - got.delivered, 100, "the delivered messages");
    ensure!(got_after.received - got.received >= 100, "only {} messages are received", got_after.received);
    ensure!(sent_after.queued - sent.queued >= 100, "only {} messages were queued", sent_after.queued);
    ensure_eq!(sent_after.queued, sent_after.published, "queued and published messages");
    ensure_eq!((got_after.missed, got_after.malformed), (0, 0), "missed and malformed messages");
    Ok(())
}

async fn lost_messages_are_counted_by_their_receivers(scene: &Scene<'_>) -> CaseResult {
    const SENT: u64 = 200;
    let (a, b) = scene.pair().await?;
    let c = scene.server("c").await?;
    let mut clients = [b.client().await?, c.client().await?];
    flushed(&[&a, &b, &c]).await?;
    a.emit(("begin",))?;
    expect_each(&mut clients, ("begin",)).await?;
    let net = scene.simulation()?;
    net.drop_messages(0.3);
    for number in 0..SENT {
        a.emit(("number", number))?;
    }
    a.flushed().await?;
    net.drop_messages(0.0);
    a.emit(("end",))?;
    for (server, client) in [&b, &c].into_iter().zip(&mut clients) {
        let received = numbers(client).await?;
        let missed = server.stats().missed;
        ensure!((missed > 0) != server.has_log(), "{missed} messages were lost");
        ensure_eq!(received.len() as u64 + missed, SENT, "received and missed messages");
        ensure!(received.is_sorted(), "the order is lost");
    }
    ensure!(net.stats().is_balanced(), "the network has lost messages: {:?}", net.stats());
    Ok(())
}

async fn messages_between_parted_servers_are_counted(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let c = scene.server("c").await?;
    let mut clients = [b.client().await?, c.client().await?];
    flushed(&[&a, &b, &c]).await?;
    a.emit(("begin",))?;
    expect_each(&mut clients, ("begin",)).await?;
    let net = scene.simulation()?;
    net.partition("a", "b");
    for number in 0..50_u64 {
        a.emit(("number", number))?;
    }
    a.flushed().await?;
    ensure!(a.cluster.health().is_up() && b.cluster.health().is_up(), "a server is down");
    net.heal();
    a.emit(("end",))?;
    // Parted servers read the same log.
    let lost = if a.has_log() { 0 } else { 50 };
    ensure_eq!(numbers(&mut clients[0]).await?.len() as u64, 50 - lost, "what the parted server received");
    ensure_eq!(numbers(&mut clients[1]).await?.len(), 50, "what the other server received");
    ensure_eq!((b.stats().missed, c.stats().missed), (lost, 0), "the missed messages");
    Ok(())
}

async fn messages_whose_publishing_fails_are_counted(scene: &Scene<'_>) -> CaseResult {
    const SENT: u64 = 200;
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    a.emit(("begin",))?;
    client.expect_exact(("begin",)).await?;
    let net = scene.simulation()?;
    let before = a.stats();
    net.fail_publish(0.5);
    for number in 0..SENT {
        a.emit(("number", number))?;
        if number % 10 == 9 {
            a.flushed().await?;
        }
    }
    net.fail_publish(0.0);
    a.emit(("end",))?;
    let received = numbers(&mut client).await?.len() as u64;
    let stats = a.stats();
    let missed = lost(&a, &b, SENT - received);
    ensure_eq!(received + missed, SENT, "received and missed messages");
    ensure!(stats.unpublished - before.unpublished >= missed, "{missed} messages are missed, {stats:?}");
    Ok(())
}

/// How many messages were lost on the way from one server to another. Entries of a log have no
/// numbers: only the sender can count those that it could not publish.
fn lost(sender: &Server, receiver: &Server, missing: u64) -> u64 {
    if sender.has_log() { missing } else { receiver.stats().missed }
}

/// Emits numbers until the server has published one again, and then an end.
async fn emit_until_it_is_back(server: &Server) -> CaseResult<u64> {
    let mut sent = 0;
    while !server.cluster.health().is_up() || sent < 100 {
        server.emit(("number", sent))?;
        sent += 1;
        ensure!(sent < 10_000, "the server does not come back: {:?}", server.cluster.health());
        sleep(Duration::from_millis(5)).await;
    }
    Ok(sent)
}

async fn what_a_restart_loses_is_counted(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    a.emit(("begin",))?;
    client.expect_exact(("begin",)).await?;
    let before = a.stats();
    let mut events = Events::of(&b);
    scene.faults()?.restart().await;
    events.wait_for("connected", |event| matches!(event, ClusterEvent::Connected)).await?;
    let sent = emit_until_it_is_back(&a).await?;
    flushed(&[&a, &b]).await?;
    a.emit(("end",))?;
    let received = numbers(&mut client).await?;
    let stats = a.stats();
    let dropped = stats.dropped - before.dropped;
    let missed = lost(&a, &b, sent - received.len() as u64 - dropped);
    ensure!(received.is_sorted(), "the order is lost");
    ensure_eq!(received.len() as u64 + missed + dropped, sent, "received, missed and dropped messages");
    // A restart may lose the entries of a log, too.
    let is_trimmed = b.stats().gaps > b.stats().reconnects;
    ensure!(
        !a.has_log() || is_trimmed || stats.unpublished - before.unpublished >= missed,
        "{missed} messages are missed, {stats:?}"
    );
    ensure!(b.stats().gaps >= 1 && b.stats().reconnects >= 1, "the restart is not counted: {:?}", b.stats());
    Ok(())
}

async fn a_gap_is_an_event(scene: &Scene<'_>) -> CaseResult {
    let server = scene.server("a").await?;
    let mut events = Events::of(&server);
    for reason in [GapReason::Slow, GapReason::Moved] {
        scene.simulation()?.gap("a", reason.clone());
        let expected = ClusterEvent::Gap { reason };
        events.wait_for("a gap", |event| *event == expected).await?;
    }
    ensure_eq!(server.stats().gaps, 2, "the gaps");
    Ok(())
}

async fn messages_without_a_local_audience_are_skipped(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    b.join([&client], &["lobby"])?;
    flushed(&[&a, &b]).await?;
    let before = b.stats();
    for number in 0..50 {
        a.to("elsewhere").emit(("number", number))?;
        a.to("elsewhere").to("nowhere").emit(("number", number))?;
    }
    a.to("lobby").emit(("end",))?;
    client.expect_exact(("end",)).await?;
    // Those on topics of rooms may not come at all.
    eventually("they are skipped", || b.stats().skipped - before.skipped >= 50).await?;
    ensure_eq!(b.stats().delivered - before.delivered, 1, "the delivered messages");
    Ok(())
}
