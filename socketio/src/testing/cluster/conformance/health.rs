//! Cases about the health of the cluster.

use std::time::{Duration, SystemTime};
use tokio::time::sleep;

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{HEALTH, R2, R7, R8, R38};
use super::scene::{Events, Scene, eventually};
use crate::cluster::{ClusterEvent, Dialect, GapReason, Health};
use crate::{Hub, JoinError};

case_table! {
    HEALTH, Nothing, a_ready_hub_is_up;
    HEALTH, Nothing, servers_have_ids_of_their_own;
    HEALTH, Stop, a_lost_connection_is_known_soon;
    R8, Hang, a_connection_that_hangs_is_found_by_the_probe;
    R2, Simulation, a_probe_that_is_lost_with_its_connection_does_not_end_the_next;
    R38, Stop, a_hub_that_can_not_connect_says_so;
    R38, Stop, a_hub_serves_before_it_is_connected;
    R2, Stop, a_hub_connects_when_it_can;
    R7, Stop, an_outage_is_reported_with_its_times;
    HEALTH, Nothing, a_hub_that_is_shut_down_has_stopped;
    HEALTH, Nothing, a_hub_without_a_cluster_has_none;
}

fn is_degraded(health: &Health) -> bool {
    matches!(health, Health::Degraded { .. })
}

fn is_outage(reason: &GapReason) -> bool {
    matches!(reason, GapReason::Disconnected { .. })
}

async fn a_ready_hub_is_up(scene: &Scene<'_>) -> CaseResult {
    let server = scene.hub("a", |builder| builder)?;
    ensure!(!server.cluster.health().is_up(), "it is up before it has connected");
    let mut events = Events::of(&server);
    server.ready(Duration::from_secs(10)).await?;
    ensure!(server.cluster.health().is_up(), "its health is {:?}", server.cluster.health());
    events.wait_for("connected", |event| matches!(event, ClusterEvent::Connected)).await?;
    server.ready(Duration::from_secs(10)).await?;
    ensure_eq!((server.stats().reconnects, server.stats().gaps), (0, 0), "reconnects and gaps");
    Ok(())
}

async fn servers_have_ids_of_their_own(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    ensure!(a.cluster.id() != b.cluster.id(), "both are {}", a.cluster.id());
    ensure_eq!(a.cluster.id(), a.hub.cluster().ok_or("no cluster")?.id(), "the id");
    Ok(())
}

async fn a_lost_connection_is_known_soon(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut events = Events::of(&a);
    scene.faults()?.stop().await;
    events.wait_for("disconnected", |event| matches!(event, ClusterEvent::Disconnected { .. })).await?;
    eventually("both are degraded", || is_degraded(&a.cluster.health()) && is_degraded(&b.cluster.health())).await?;
    scene.faults()?.start().await;
    events.wait_for("connected", |event| matches!(event, ClusterEvent::Connected)).await?;
    eventually("both are up", || a.cluster.health().is_up() && b.cluster.health().is_up()).await
}

async fn a_connection_that_hangs_is_found_by_the_probe(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    scene.faults()?.hang("b").await;
    eventually("the server that hangs knows it", || is_degraded(&b.cluster.health())).await?;
    ensure!(a.cluster.health().is_up(), "the other server is {:?}", a.cluster.health());
    scene.faults()?.resume("b").await;
    eventually("it is up again", || b.cluster.health().is_up()).await?;
    let mut client = b.client().await?;
    b.flushed().await?;
    a.emit(("hello",))?;
    client.expect_exact(("hello",)).await?;
    Ok(())
}

async fn a_probe_that_is_lost_with_its_connection_does_not_end_the_next(scene: &Scene<'_>) -> CaseResult {
    let server = scene.server("a").await?;
    let net = scene.simulation()?;
    // Probes are on their way for a large part of the time.
    net.delay(Duration::from_millis(200)..=Duration::from_millis(400));
    let mut before = server.stats().reconnects;
    for round in 0..50 {
        sleep(Duration::from_millis(137 * round % 2_000)).await;
        let mut events = Events::of(&server);
        net.cut("a");
        events.wait_for("connected", |event| matches!(event, ClusterEvent::Connected)).await?;
        before += 1;
    }
    ensure_eq!(server.stats().reconnects, before, "the reconnects");
    Ok(())
}

async fn a_hub_that_can_not_connect_says_so(scene: &Scene<'_>) -> CaseResult {
    scene.faults()?.stop().await;
    let server = scene.hub("a", |builder| builder)?;
    let error = match server.ready(Duration::from_secs(2)).await {
        Ok(()) => return Err("it is ready without a connection".into()),
        Err(error) => error.to_string(),
    };
    ensure!(!error.is_empty(), "the error says nothing");
    let is_explained = matches!(server.cluster.health(), Health::Starting { error: Some(_) });
    ensure!(is_explained, "its health is {:?}", server.cluster.health());
    scene.faults()?.start().await;
    server.ready(Duration::from_secs(30)).await?;
    Ok(())
}

async fn a_hub_serves_before_it_is_connected(scene: &Scene<'_>) -> CaseResult {
    scene.faults()?.stop().await;
    let server = scene.hub("a", |builder| builder)?;
    let mut clients = server.clients().await?;
    server.join(&clients, &["lobby"])?;
    server.to("lobby").emit(("hello",))?;
    for client in &mut clients {
        client.expect_exact(("hello",)).await?;
    }
    let asked = server.timeout(Duration::from_secs(5)).emit_with_ack::<u8>(("number?",));
    for client in &mut clients {
        client.expect_event("number?").await?.answer(7)?;
    }
    ensure_eq!(asked.await?.answers.len(), 2, "the answers");
    ensure_eq!(server.fetch_sockets().await?.sockets.len(), 2, "the fetched sockets");
    scene.faults()?.start().await;
    server.ready(Duration::from_secs(30)).await?;
    let other = scene.server("b").await?;
    server.flushed().await?;
    other.to("lobby").emit(("from", "b"))?;
    for client in &mut clients {
        client.expect_exact(("from", "b")).await?;
    }
    Ok(())
}

async fn a_hub_connects_when_it_can(scene: &Scene<'_>) -> CaseResult {
    let server = scene.server("a").await?;
    scene.faults()?.stop().await;
    eventually("it is degraded", || is_degraded(&server.cluster.health())).await?;
    // The probe neither ends nor brings it up while nothing can arrive.
    let refused = server.ready(Duration::from_secs(20)).await;
    ensure!(refused.is_err(), "it is ready without a connection");
    scene.faults()?.start().await;
    server.ready(Duration::from_secs(30)).await?;
    Ok(())
}

async fn an_outage_is_reported_with_its_times(scene: &Scene<'_>) -> CaseResult {
    let server = scene.server("a").await?;
    let mut events = Events::of(&server);
    let before = SystemTime::now();
    scene.faults()?.stop().await;
    events.wait_for("disconnected", |event| matches!(event, ClusterEvent::Disconnected { .. })).await?;
    scene.faults()?.start().await;
    let is_outage = |event: &ClusterEvent| matches!(event, ClusterEvent::Gap { reason } if is_outage(reason));
    let gap = events.wait_for("a gap", is_outage).await?;
    let ClusterEvent::Gap { reason: GapReason::Disconnected { from, to } } = gap else {
        return Err(format!("the gap is {gap:?}").into());
    };
    ensure!(before <= from && from <= to && to <= SystemTime::now(), "the gap is from {from:?} to {to:?}");
    eventually("it is up", || server.cluster.health().is_up()).await?;
    // The log of an engine may have lost its entries.
    let of_log = if server.traits.dialect == Dialect::Streams { 0..=1 } else { 0..=0 };
    let gaps = server.stats().gaps;
    ensure!(gaps >= 1 && of_log.contains(&(gaps - 1)), "the gaps are {gaps}");
    ensure_eq!(server.stats().reconnects, 1, "the reconnects");
    Ok(())
}

async fn a_hub_that_is_shut_down_has_stopped(scene: &Scene<'_>) -> CaseResult {
    let server = scene.server("a").await?;
    let client = server.client().await?;
    let socket = server.socket(&client)?;
    server.shutdown(Duration::from_secs(5)).await;
    ensure_eq!(server.cluster.health(), Health::Stopped, "the health");
    ensure!(server.ready(Duration::from_secs(1)).await.is_err(), "it is ready after its end");
    server.emit(("late",))?;
    ensure_eq!(socket.join("late"), Err(JoinError::Closed), "a late join");
    Ok(())
}

async fn a_hub_without_a_cluster_has_none(_scene: &Scene<'_>) -> CaseResult {
    let hub = Hub::builder().build()?;
    ensure!(hub.cluster().is_none(), "it has a cluster");
    hub.ready(Duration::from_secs(1)).await?;
    ensure_eq!(hub.servers().await?, 1, "the servers");
    Ok(())
}
