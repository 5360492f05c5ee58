//! Cases about the end of a server, and its successor.

use std::time::Duration;

use super::case::{CaseResult, case_table, ensure_eq};
use super::requirements::{COUNT, SHUTDOWN};
use super::scene::{Scene, eventually, eventually_answers, expect_each, flushed};

case_table! {
    SHUTDOWN, Nothing, shutdown_publishes_what_is_queued;
    SHUTDOWN, Simulation, shutdown_ends_all_subscriptions;
    SHUTDOWN, Nothing, emits_of_disconnect_handlers_are_published;
    SHUTDOWN, Stop, shutdown_ends_while_the_engine_is_away;
    SHUTDOWN, Simulation, a_dropped_hub_leaves_the_cluster;
    COUNT, Nothing, a_successor_takes_the_place_of_a_server;
}

const DEADLINE: Duration = Duration::from_secs(5);

async fn shutdown_publishes_what_is_queued(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    b.join([&client], &["lobby"])?;
    flushed(&[&a, &b]).await?;
    for number in 0..100 {
        a.to("lobby").emit(("number", number))?;
    }
    a.shutdown(DEADLINE).await;
    for number in 0..100 {
        client.expect_exact(("number", number)).await?;
    }
    Ok(())
}

async fn shutdown_ends_all_subscriptions(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let clients = b.clients().await?;
    b.join(&clients, &["lobby", "hall"])?;
    flushed(&[&a, &b]).await?;
    b.shutdown(DEADLINE).await;
    eventually_answers("one server is left", || a.servers(), |found| matches!(found, Ok(1))).await?;
    a.shutdown(DEADLINE).await;
    ensure_eq!(scene.simulation()?.subscriptions(), 0, "the subscriptions");
    Ok(())
}

async fn emits_of_disconnect_handlers_are_published(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut there = b.client().await?;
    let here = a.client().await?;
    let id = here.id();
    a.on("disconnect", {
        let hub = a.hub.clone();
        move |payload: crate::EventPayload| {
            let _ = hub.emit(("left", payload.socket_id.to_string()));
        }
    });
    flushed(&[&a, &b]).await?;
    a.shutdown(DEADLINE).await;
    there.expect_exact(("left", id.as_str())).await?;
    Ok(())
}

async fn shutdown_ends_while_the_engine_is_away(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let _clients = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    scene.faults()?.stop().await;
    eventually("it is degraded", || !a.cluster.health().is_up()).await?;
    a.emit(("lost",))?;
    a.shutdown(DEADLINE).await;
    ensure_eq!(a.len(), 0, "the sockets");
    scene.faults()?.start().await;
    b.ready(Duration::from_secs(30)).await?;
    eventually_answers("one server is left", || b.servers(), |found| matches!(found, Ok(1))).await
}

async fn a_dropped_hub_leaves_the_cluster(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    a.flushed().await?;
    let before = scene.simulation()?.subscriptions();
    let b = scene.server("b").await?;
    b.flushed().await?;
    drop(b);
    let net = scene.simulation()?;
    eventually("its subscriptions end", || net.subscriptions() == before).await
}

async fn a_successor_takes_the_place_of_a_server(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    let mut here = a.client().await?;
    for round in 0..5 {
        let b = scene.server("b").await?;
        let mut there = b.client().await?;
        flushed(&[&a, &b]).await?;
        b.emit(("round", round))?;
        expect_each([&mut here, &mut there], ("round", round)).await?;
        a.emit(("back", round))?;
        expect_each([&mut here, &mut there], ("back", round)).await?;
        b.shutdown(DEADLINE).await;
        let gone = |found: &Result<usize, _>| matches!(found, Ok(1));
        eventually_answers("one server is left", || a.servers(), gone).await?;
        ensure_eq!(a.stats().missed, 0, "the missed messages");
    }
    Ok(())
}
