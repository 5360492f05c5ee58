//! Cases about the order of messages.

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{FLUSHED, ONCE, ORDER, R15};
use super::scene::{Scene, eventually, expect_each, flushed};
use crate::Binary;
use std::time::Duration;

case_table! {
    ORDER, Nothing, a_thousand_emits_to_a_room_arrive_in_order;
    ORDER, Nothing, messages_of_all_kinds_keep_their_order;
    ORDER, Nothing, each_room_has_its_order;
    ORDER, Nothing, each_server_has_its_order;
    ORDER, Nothing, a_broadcast_and_a_local_emit_keep_their_order;
    ONCE, Nothing, no_message_arrives_twice;
    FLUSHED, Nothing, flushed_emits_are_published;
    FLUSHED, Nothing, flushed_joins_are_in_effect;
    R15, Simulation, a_slow_server_loses_nothing;
}

async fn a_thousand_emits_to_a_room_arrive_in_order(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    b.join(&clients, &["lobby"])?;
    b.flushed().await?;
    for number in 0..1_000 {
        a.to("lobby").emit(("number", number))?;
    }
    for number in 0..1_000 {
        expect_each(&mut clients, ("number", number)).await?;
    }
    Ok(())
}

async fn messages_of_all_kinds_keep_their_order(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    b.join(&clients, &["lobby"])?;
    b.flushed().await?;
    let large = "x".repeat(100_000);
    let bytes = Binary(vec![1; 1_000].into());
    for number in 0..20 {
        a.to("lobby").emit(("small", number))?;
        a.to("lobby").emit(("large", number, &large))?;
        a.to("lobby").emit(("bytes", number, &bytes))?;
        a.to("lobby").send(format!("text {number}"))?;
        a.to("lobby").except("nobody").emit(("except", number))?;
    }
    for number in 0..20 {
        for client in &mut clients {
            client.expect_exact(("small", number)).await?;
            client.expect_exact(("large", number, &large)).await?;
            client.expect_exact(("bytes", number, &bytes)).await?;
            ensure_eq!(client.expect_text().await?, format!("text {number}"), "the text");
            client.expect_exact(("except", number)).await?;
        }
    }
    Ok(())
}

async fn each_room_has_its_order(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = Vec::new();
    for room in ["red", "green", "blue"] {
        let client = b.client().await?;
        b.join([&client], &[room])?;
        clients.push((room, client));
    }
    b.flushed().await?;
    for number in 0..200 {
        for (room, _) in &clients {
            a.to(room).emit(("number", number))?;
        }
    }
    for (_, client) in &mut clients {
        for number in 0..200 {
            client.expect_exact(("number", number)).await?;
        }
    }
    Ok(())
}

async fn each_server_has_its_order(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let c = scene.server("c").await?;
    let mut client = c.client().await?;
    c.flushed().await?;
    for number in 0..100_usize {
        a.emit(("a", number))?;
        b.emit(("b", number))?;
    }
    let mut next = [0, 0];
    for _ in 0..200 {
        let (name, at) = match client.expect_event("a").await {
            Ok(event) => (event, 0),
            Err(_) => (client.expect_event("b").await?, 1),
        };
        ensure_eq!(name.json::<usize>()?, next[at], "the number of {}", name.name());
        next[at] += 1;
    }
    Ok(())
}

async fn a_broadcast_and_a_local_emit_keep_their_order(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = a.client().await?;
    flushed(&[&a, &b]).await?;
    for number in 0..50 {
        a.emit(("all", number))?;
        a.local().emit(("near", number))?;
        a.socket(&client)?.emit(("own", number))?;
    }
    for number in 0..50 {
        client.expect_exact(("all", number)).await?;
        client.expect_exact(("near", number)).await?;
        client.expect_exact(("own", number)).await?;
    }
    Ok(())
}

async fn no_message_arrives_twice(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there) = (a.client().await?, b.client().await?);
    a.join([&here], &["lobby"])?;
    b.join([&there], &["lobby"])?;
    flushed(&[&a, &b]).await?;
    // Rooms are left and joined again while messages are on their way.
    for number in 0..50 {
        a.to("lobby").emit(("number", number))?;
        if number % 10 == 5 {
            b.socket(&there)?.leave("lobby");
            b.join([&there], &["lobby"])?;
            b.flushed().await?;
        }
    }
    a.to("lobby").emit(("end",))?;
    for number in 0..50 {
        here.expect_exact(("number", number)).await?;
    }
    here.expect_exact(("end",)).await?;
    here.expect_nothing().await?;
    let mut last = -1;
    while let Ok(event) = there.expect_event("number").await {
        let number: i32 = event.json()?;
        ensure!(number > last, "number {number} comes after {last}");
        last = number;
    }
    there.expect_exact(("end",)).await?;
    there.expect_nothing().await?;
    Ok(())
}

async fn flushed_emits_are_published(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let before = b.stats().received;
    for number in 0..500 {
        a.emit(("number", number))?;
    }
    a.flushed().await?;
    let stats = a.stats();
    ensure_eq!((stats.unpublished, stats.dropped), (0, 0), "messages that were not published");
    // A probe may be queued at any time.
    ensure!(stats.published >= 500, "only {} messages are published", stats.published);
    eventually("the other server receives them", || b.stats().received >= before + 500).await
}

async fn flushed_joins_are_in_effect(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    for round in 0..30 {
        let room = format!("room {round}");
        b.join([&client], &[&room])?;
        b.flushed().await?;
        a.to(&room).emit(("to", &room))?;
        client.expect_exact(("to", &room)).await?;
        b.socket(&client)?.leave(&room);
    }
    Ok(())
}

async fn a_slow_server_loses_nothing(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    b.flushed().await?;
    scene.simulation()?.slow("b", Duration::from_millis(500));
    for number in 0..300 {
        a.emit(("number", number))?;
    }
    for number in 0..300 {
        client.expect_exact(("number", number)).await?;
    }
    ensure_eq!((b.stats().missed, b.stats().gaps), (0, 0), "missed messages and gaps");
    Ok(())
}
