//! Cases about what remains when rooms, sockets and namespaces have come and gone.

use super::case::{CaseResult, case_table, ensure_eq};
use super::requirements::{R17, R19};
use super::scene::{Scene, Server, eventually, flushed};
use crate::HubBuilder;
use crate::cluster::RoomTopics;

case_table! {
    R19, Simulation, rooms_that_come_and_go_leave_no_subscription;
    R19, Simulation, sockets_that_come_and_go_leave_no_subscription;
    R19, Simulation, namespaces_that_come_and_go_leave_no_subscription;
    R19, Simulation, ids_that_come_and_go_leave_no_subscription;
    R17, Simulation, sockets_have_no_subscriptions_of_their_own;
    R19, Nothing, a_room_may_flap;
}

/// Waits until there are as many subscriptions as before.
async fn settles(scene: &Scene<'_>, servers: &[&Server], before: usize) -> CaseResult {
    flushed(servers).await?;
    let net = scene.simulation()?;
    eventually("the subscriptions end", || net.subscriptions() == before)
        .await
        .map_err(|error| format!("{error}: {} instead of {before}", net.subscriptions()).into())
}

async fn rooms_that_come_and_go_leave_no_subscription(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    flushed(&[&a, &b]).await?;
    let before = scene.simulation()?.subscriptions();
    let client = b.client().await?;
    let socket = b.socket(&client)?;
    for round in 0..10 {
        for room in 0..500 {
            socket.join(format!("room {round} {room}"))?;
        }
        for room in 0..500 {
            socket.leave(format!("room {round} {room}"));
        }
    }
    for room in 0..500 {
        socket.join(format!("last {room}"))?;
    }
    client.disconnect().await;
    settles(scene, &[&a, &b], before).await
}

async fn sockets_that_come_and_go_leave_no_subscription(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    flushed(&[&a, &b]).await?;
    let before = scene.simulation()?.subscriptions();
    for round in 0..5 {
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.extend(b.clients().await?);
        }
        b.join(&clients, &["lobby", "hall"])?;
        if round % 2 == 0 {
            b.flushed().await?;
        }
        a.to("lobby").disconnect_sockets();
        eventually("the sockets are gone", || b.is_empty()).await?;
        drop(clients);
    }
    settles(scene, &[&a, &b], before).await
}

async fn namespaces_that_come_and_go_leave_no_subscription(scene: &Scene<'_>) -> CaseResult {
    let dynamic =
        |builder: HubBuilder| builder.dynamic_namespace(|path| path.starts_with("/room-"), |namespace| namespace);
    let (a, b) = (scene.server_with("a", dynamic).await?, scene.server_with("b", dynamic).await?);
    flushed(&[&a, &b]).await?;
    let before = scene.simulation()?.subscriptions();
    for round in 0..10 {
        let path = format!("/room-{}", round % 3);
        let client = b.of(&path).test_client().plain().connect().await?;
        b.of(&path).socket(client.id()).ok_or("no socket")?.join("lobby")?;
        a.of(&path).emit(("hello",))?;
        let fetched = a.of(&path).fetch_sockets();
        if round % 2 == 0 {
            fetched.await?;
        }
        client.disconnect().await;
    }
    eventually("the namespaces are gone", || b.namespaces() == ["/"]).await?;
    settles(scene, &[&a, &b], before).await
}

async fn ids_that_come_and_go_leave_no_subscription(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    flushed(&[&a, &b]).await?;
    let before = scene.simulation()?.subscriptions();
    let client = b.plain_client().await?;
    let socket = b.socket(&client)?;
    for number in 0..200 {
        socket.set_id(format!("user {number}"))?;
    }
    client.disconnect().await;
    settles(scene, &[&a, &b], before).await
}

async fn sockets_have_no_subscriptions_of_their_own(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    a.flushed().await?;
    let before = scene.simulation()?.subscriptions();
    let _clients = [a.clients().await?, a.clients().await?];
    a.flushed().await?;
    // Four sockets, each of which has a topic in this mode alone.
    let own = if a.traits.rooms == RoomTopics::DynamicPrivate { 4 } else { 0 };
    ensure_eq!(scene.simulation()?.subscriptions(), before + own, "the subscriptions");
    Ok(())
}

async fn a_room_may_flap(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    let socket = b.socket(&client)?;
    for round in 0..20 {
        for _ in 0..round {
            socket.join("lobby")?;
            socket.leave("lobby");
        }
        socket.join("lobby")?;
        b.flushed().await?;
        a.to("lobby").emit(("round", round))?;
        client.expect_exact(("round", round)).await?;
        socket.leave("lobby");
    }
    Ok(())
}
