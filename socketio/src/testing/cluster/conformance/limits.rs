//! Cases about bounds.

use std::time::Duration;

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{QUEUE, R35, TOO_MANY};
use super::scene::{Events, Scene, eventually, flushed};
use crate::cluster::ClusterEvent;
use crate::{EmitError, RequestError};

case_table! {
    QUEUE, Nothing, a_full_queue_drops_and_counts;
    QUEUE, Nothing, a_queue_is_bounded_in_bytes;
    QUEUE, Nothing, volatile_messages_take_half_of_the_queue;
    QUEUE, Nothing, an_emit_to_a_remote_id_fails_if_the_queue_is_full;
    QUEUE, Nothing, messages_that_are_too_large_for_the_engine_are_dropped;
    TOO_MANY, Hang, too_many_requests_are_refused;
    R35, Nothing, dropped_requests_leave_nothing_behind;
}

async fn a_full_queue_drops_and_counts(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server_with("a", |builder| builder.publish_queue(16 << 20, 100)).await?;
    let b = scene.server("b").await?;
    let mut client = b.client().await?;
    let mut here = a.client().await?;
    flushed(&[&a, &b]).await?;
    let mut events = Events::of(&a);
    let before = a.stats();
    // Nothing is published while this task does not wait.
    for number in 0..250_u32 {
        a.emit(("number", number))?;
    }
    let dropped = a.stats().dropped - before.dropped;
    ensure!(dropped >= 1, "nothing is dropped");
    let lost = |event: &ClusterEvent| matches!(event, ClusterEvent::Dropped { .. });
    events.wait_for("dropped", lost).await?;
    for number in 0..250 {
        here.expect_exact(("number", number)).await?;
    }
    a.emit(("end",))?;
    let mut received = 0;
    while client.expect_event("number").await.is_ok() {
        received += 1;
    }
    client.expect_exact(("end",)).await?;
    ensure_eq!(received + a.stats().dropped - before.dropped, 250, "received and dropped messages");
    ensure_eq!(b.stats().missed, 0, "the missed messages: dropped ones have no number");
    Ok(())
}

async fn a_queue_is_bounded_in_bytes(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server_with("a", |builder| builder.publish_queue(10_000, 1_000)).await?;
    let b = scene.server("b").await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    let before = a.stats().dropped;
    let text = "x".repeat(1_000);
    for number in 0..50 {
        a.emit(("number", number, &text))?;
    }
    a.emit(("small",))?;
    let dropped = a.stats().dropped - before;
    ensure!((30..=50).contains(&dropped), "{dropped} messages are dropped");
    a.flushed().await?;
    a.emit(("end", &text))?;
    let mut received = 0;
    while client.expect_event("number").await.is_ok() {
        received += 1;
    }
    ensure!(received >= 1 && received + dropped >= 50, "{received} messages are received, {dropped} dropped");
    Ok(())
}

async fn volatile_messages_take_half_of_the_queue(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server_with("a", |builder| builder.publish_queue(16 << 20, 100)).await?;
    let b = scene.server("b").await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    for number in 0..80 {
        a.volatile().emit(("volatile", number))?;
    }
    for number in 0..40 {
        a.emit(("number", number))?;
    }
    let dropped = a.stats().dropped;
    ensure!(dropped >= 30, "{dropped} messages are dropped");
    let mut received = 0;
    while client.expect_event("volatile").await.is_ok() {
        received += 1;
    }
    ensure!(received <= 51, "{received} volatile messages took more than half");
    for number in 0..40 {
        client.expect_exact(("number", number)).await?;
    }
    Ok(())
}

async fn an_emit_to_a_remote_id_fails_if_the_queue_is_full(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server_with("a", |builder| builder.publish_queue(16 << 20, 10)).await?;
    a.flushed().await?;
    for _ in 0..20 {
        a.emit(("filler",))?;
    }
    let result = a.emit_to("remote", ("hello",));
    ensure!(matches!(result, Err(EmitError::Unreachable)), "emit_to returned {result:?}");
    let result = a.server_emit(("hello",));
    ensure!(result.is_err(), "server_emit returned {result:?}");
    a.flushed().await?;
    a.emit_to("remote", ("hello",))?;
    Ok(())
}

async fn messages_that_are_too_large_for_the_engine_are_dropped(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server_with("a", |builder| builder.outbox(1_000, 512 << 20)).await?;
    let b = scene.server("b").await?;
    let (mut here, mut there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    let before = a.stats().dropped;
    let largest = a.traits.max_body;
    if largest == usize::MAX {
        // No message is too large for this engine.
        return Ok(());
    }
    a.emit(("large", "x".repeat(largest)))?;
    a.emit(("end",))?;
    here.expect_event("large").await?;
    here.expect_exact(("end",)).await?;
    there.expect_exact(("end",)).await?;
    ensure_eq!(a.stats().dropped - before, 1, "the dropped messages");
    Ok(())
}

async fn too_many_requests_are_refused(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut here = a.client().await?;
    flushed(&[&a, &b]).await?;
    scene.faults()?.hang("b").await;
    let mut pending: Vec<_> = (0..1_024).map(|_| a.timeout(Duration::from_millis(1_500)).fetch_sockets()).collect();
    ensure_eq!(a.stats().pending_requests, 1_024, "the pending requests");
    let refused = a.fetch_sockets().await;
    ensure_eq!(refused, Err(RequestError::TooMany), "one request more");
    // The own socket is asked all the same.
    let asked = a.emit_with_ack::<u8>(("number?",));
    here.expect_event("number?").await?.answer(7)?;
    let answers = asked.await?;
    ensure_eq!((answers.answers.len(), answers.missing.is_none()), (1, false), "the answers");
    let last = pending.pop().ok_or("nothing is pending")?;
    drop(pending);
    ensure_eq!(last.await?.silent, 1, "the silent servers");
    ensure_eq!(a.stats().pending_requests, 0, "the pending requests");
    Ok(())
}

async fn dropped_requests_leave_nothing_behind(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    for _ in 0..50 {
        drop(a.fetch_sockets());
        drop(a.emit_with_ack::<u8>(("number?",)));
        drop(a.server_request::<u8>(("load?",)));
        client.expect_event("number?").await?;
    }
    eventually("nothing is pending", || a.stats().pending_requests == 0).await?;
    ensure_eq!(a.fetch_sockets().await?.silent, 0, "the silent servers");
    Ok(())
}
