//! Cases about servers that read a log: what they receive after they were cut off.

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{LOG, LOG_GAP, R11};
use super::scene::{Events, Scene, Server, eventually, expect_each, flushed};
use crate::cluster::{ClusterEvent, GapReason};
use crate::testing::Client;

case_table! {
    LOG, Log, what_was_emitted_while_a_server_was_cut_off_arrives_later;
    LOG, Log, changes_made_while_a_server_was_cut_off_take_effect_later;
    LOG, Log, a_server_that_is_cut_off_again_and_again_receives_all_once;
    LOG, Log, servers_receive_messages_of_others_in_the_same_order;
    LOG, Log, a_new_server_begins_at_the_end_of_the_log;
    LOG_GAP, TrimLog, removed_entries_are_a_gap;
    LOG_GAP, TrimLog, entries_that_all_have_read_are_removed_without_a_gap;
    R11, ReplaceLog, a_replaced_log_is_a_gap_and_is_read_on;
}

/// Cuts a server off until it knows.
async fn cut_off(scene: &Scene<'_>, name: &str, server: &Server) -> CaseResult {
    scene.faults()?.hang(name).await;
    eventually("it is degraded", || !server.cluster.health().is_up()).await
}

/// Ends that, and waits until the server is connected. Returns whether it reported that entries
/// were removed.
async fn comes_back(scene: &Scene<'_>, name: &str, server: &Server) -> CaseResult<bool> {
    let mut events = Events::of(server);
    scene.faults()?.resume(name).await;
    let mut is_trimmed = false;
    let is_connected = |event: &ClusterEvent| {
        is_trimmed |= matches!(event, ClusterEvent::Gap { reason: GapReason::Trimmed });
        matches!(event, ClusterEvent::Connected)
    };
    events.wait_for("connected", is_connected).await?;
    server.flushed().await?;
    Ok(is_trimmed)
}

async fn what_was_emitted_while_a_server_was_cut_off_arrives_later(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut here = a.client().await?;
    let mut there = b.clients().await?;
    b.join(&there, &["lobby"])?;
    flushed(&[&a, &b]).await?;
    cut_off(scene, "b", &b).await?;
    for number in 0..100 {
        a.emit(("all", number))?;
        a.to("lobby").emit(("room", number))?;
        a.to("elsewhere").emit(("elsewhere", number))?;
        here.expect_exact(("all", number)).await?;
    }
    a.flushed().await?;
    ensure!(!comes_back(scene, "b", &b).await?, "it reports a gap in the log");
    a.emit(("end",))?;
    for number in 0..100 {
        expect_each(&mut there, ("all", number)).await?;
        expect_each(&mut there, ("room", number)).await?;
    }
    expect_each(&mut there, ("end",)).await?;
    b.emit(("back",))?;
    here.expect_exact(("end",)).await?;
    here.expect_exact(("back",)).await?;
    Ok(())
}

async fn changes_made_while_a_server_was_cut_off_take_effect_later(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut joins, leaves, ends) = (b.client().await?, b.client().await?, b.client().await?);
    b.join([&leaves, &ends], &["lobby"])?;
    flushed(&[&a, &b]).await?;
    cut_off(scene, "b", &b).await?;
    a.to(joins.id().as_str()).sockets_join(["lobby"]);
    a.to(leaves.id().as_str()).sockets_leave(["lobby"]);
    a.to(ends.id().as_str()).disconnect_sockets();
    a.to("lobby").emit(("hello",))?;
    a.flushed().await?;
    comes_back(scene, "b", &b).await?;
    joins.expect_exact(("hello",)).await?;
    ensure!(b.socket(&joins)?.is_in("lobby"), "the socket has not joined");
    ensure!(!b.socket(&leaves)?.is_in("lobby"), "the socket has not left");
    eventually("the socket is disconnected", || b.hub.socket(ends.id()).is_none()).await
}

/// Receives numbers up to this one, and nothing else.
async fn receives(client: &mut Client, numbers: std::ops::Range<u64>) -> CaseResult {
    for number in numbers {
        client.expect_exact(("number", number)).await?;
    }
    Ok(())
}

async fn a_server_that_is_cut_off_again_and_again_receives_all_once(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    let mut sent = 0;
    for round in 0..3 {
        for _ in 0..20 {
            a.emit(("number", sent))?;
            sent += 1;
        }
        // In the first round the entries are on their way.
        if round > 0 {
            a.flushed().await?;
        }
        cut_off(scene, "b", &b).await?;
        a.emit(("number", sent))?;
        sent += 1;
        comes_back(scene, "b", &b).await?;
    }
    receives(&mut client, 0..sent).await?;
    a.emit(("end",))?;
    client.expect_exact(("end",)).await?;
    ensure_eq!(b.stats().missed, 0, "the missed messages");
    Ok(())
}

async fn servers_receive_messages_of_others_in_the_same_order(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (c, d) = (scene.server("c").await?, scene.server("d").await?);
    let mut clients = [c.client().await?, d.client().await?];
    c.join([&clients[0]], &["red"])?;
    d.join([&clients[1]], &["red"])?;
    flushed(&[&a, &b, &c, &d]).await?;
    for number in 0..50 {
        a.emit(("number", number * 2))?;
        b.to("red").emit(("number", number * 2 + 1))?;
        if number % 10 == 0 {
            flushed(&[&a, &b]).await?;
        }
    }
    let mut received = [Vec::new(), Vec::new()];
    for (client, received) in clients.iter_mut().zip(&mut received) {
        for _ in 0..100 {
            received.push(client.expect_event("number").await?.json::<u64>()?);
        }
    }
    ensure_eq!(received[0], received[1], "the order at two servers");
    Ok(())
}

async fn a_new_server_begins_at_the_end_of_the_log(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    a.emit(("old",))?;
    a.flushed().await?;
    let b = scene.hub("b", |builder| builder)?;
    let mut client = b.client().await?;
    b.ready(super::scene::PATIENCE).await?;
    a.emit(("new",))?;
    client.expect_exact(("new",)).await?;
    Ok(())
}

async fn removed_entries_are_a_gap(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    cut_off(scene, "b", &b).await?;
    for number in 0..20 {
        a.emit(("removed", number))?;
    }
    a.flushed().await?;
    scene.faults()?.trim_log().await;
    for number in 0..20 {
        a.emit(("number", number))?;
    }
    a.flushed().await?;
    ensure!(comes_back(scene, "b", &b).await?, "it reports no gap");
    receives(&mut client, 0..20).await
}

async fn entries_that_all_have_read_are_removed_without_a_gap(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    a.emit(("number", 0))?;
    receives(&mut client, 0..1).await?;
    scene.faults()?.trim_log().await;
    a.emit(("number", 1))?;
    receives(&mut client, 1..2).await?;
    ensure_eq!(b.stats().gaps, 0, "the gaps");
    Ok(())
}

async fn a_replaced_log_is_a_gap_and_is_read_on(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    a.emit(("before",))?;
    expect_each([&mut here, &mut there], ("before",)).await?;
    cut_off(scene, "b", &b).await?;
    a.emit(("lost",))?;
    a.flushed().await?;
    scene.faults()?.replace_log().await;
    for number in 0..20 {
        a.emit(("number", number))?;
    }
    a.flushed().await?;
    ensure!(comes_back(scene, "b", &b).await?, "it reports no gap");
    receives(&mut there, 0..20).await?;
    here.expect_exact(("lost",)).await?;
    receives(&mut here, 0..20).await?;
    // This server has read on without losing its connection.
    b.emit(("number", 20))?;
    receives(&mut here, 20..21).await?;
    receives(&mut there, 20..21).await
}
