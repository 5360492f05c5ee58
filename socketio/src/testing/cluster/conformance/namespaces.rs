//! Cases about namespaces.

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{DETACHED, NAMESPACES};
use super::scene::{PATIENCE, Scene, eventually, eventually_answers, flushed};
use crate::HubBuilder;

case_table! {
    NAMESPACES, Nothing, namespaces_do_not_share_emits;
    NAMESPACES, Nothing, a_namespace_that_only_one_server_has_works_alone;
    NAMESPACES, Nothing, dynamic_namespaces_join_with_their_first_socket;
    NAMESPACES, Nothing, a_client_of_a_new_dynamic_namespace_is_reached_at_once;
    NAMESPACES, Nothing, dynamic_namespaces_come_and_go;
    NAMESPACES, Nothing, paths_of_namespaces_may_be_prefixes_of_each_other;
    DETACHED, Nothing, a_detached_handle_publishes;
    DETACHED, Nothing, a_detached_handle_asks;
    DETACHED, Nothing, a_detached_handle_is_no_server_of_the_namespace;
}

fn dynamic(builder: HubBuilder) -> HubBuilder {
    builder.dynamic_namespace(|path| path.starts_with("/room-"), |namespace| namespace)
}

async fn namespaces_do_not_share_emits(scene: &Scene<'_>) -> CaseResult {
    let chat = |builder: HubBuilder| builder.namespace("/chat", |namespace| namespace);
    let (a, b) = (scene.server_with("a", chat).await?, scene.server_with("b", chat).await?);
    let mut in_root = b.client().await?;
    let mut in_chat = in_root.connect_to("/chat", ()).await?;
    let mut plain_in_chat = b.of("/chat").test_client().plain().connect().await?;
    b.flushed().await?;
    a.emit(("root",))?;
    a.of("/chat").emit(("chat",))?;
    in_root.expect_exact(("root",)).await?;
    for client in [&mut in_chat, &mut plain_in_chat] {
        client.expect_exact(("chat",)).await?;
    }
    for client in [&mut in_root, &mut in_chat, &mut plain_in_chat] {
        client.expect_nothing().await?;
    }
    Ok(())
}

async fn a_namespace_that_only_one_server_has_works_alone(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server_with("a", |builder| builder.namespace("/alone", |namespace| namespace)).await?;
    let _b = scene.server("b").await?;
    let alone = a.of("/alone");
    let mut client = alone.test_client().connect().await?;
    a.flushed().await?;
    alone.emit(("hello",))?;
    client.expect_exact(("hello",)).await?;
    let fetched = alone.fetch_sockets().await?;
    ensure_eq!((fetched.sockets.len(), fetched.silent), (1, 0), "sockets and silent servers");
    ensure_eq!(alone.servers().await?, 1, "the servers");
    let answers = alone.emit_with_ack::<u8>(("question",));
    client.expect_event("question").await?.answer(7)?;
    ensure_eq!(answers.await?.into_values().collect::<Vec<_>>(), [7], "the answers");
    Ok(())
}

async fn dynamic_namespaces_join_with_their_first_socket(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (scene.server_with("a", dynamic).await?, scene.server_with("b", dynamic).await?);
    let root = a.client().await?;
    let mut here = root.connect_to("/room-1", ()).await?;
    let mut there = b.of("/room-1").test_client().plain().connect().await?;
    flushed(&[&a, &b]).await?;
    a.of("/room-1").emit(("from", "a"))?;
    for client in [&mut here, &mut there] {
        client.expect_exact(("from", "a")).await?;
    }
    b.of("/room-2").emit(("from", "elsewhere"))?;
    b.of("/room-1").emit(("from", "b"))?;
    for client in [&mut here, &mut there] {
        client.expect_exact(("from", "b")).await?;
    }
    Ok(())
}

async fn a_client_of_a_new_dynamic_namespace_is_reached_at_once(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (scene.server_with("a", dynamic).await?, scene.server_with("b", dynamic).await?);
    for number in 0..5 {
        let path = format!("/room-{number}");
        let mut client = b.of(&path).test_client().connect().await?;
        a.of(&path).emit(("hello", number))?;
        client.expect_exact(("hello", number)).await?;
    }
    Ok(())
}

async fn dynamic_namespaces_come_and_go(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (scene.server_with("a", dynamic).await?, scene.server_with("b", dynamic).await?);
    let mut stays = a.of("/room-1").test_client().plain().connect().await?;
    for round in 0..5 {
        let mut comes = b.of("/room-1").test_client().plain().connect().await?;
        b.of("/room-1").socket(comes.id()).ok_or("no socket")?.join("lobby")?;
        flushed(&[&a, &b]).await?;
        a.of("/room-1").to("lobby").emit(("round", round))?;
        comes.expect_exact(("round", round)).await?;
        b.of("/room-1").emit(("back", round))?;
        for client in [&mut comes, &mut stays] {
            client.expect_exact(("back", round)).await?;
        }
        eventually_answers("both servers are counted", || a.of("/room-1").servers(), |found| matches!(found, Ok(2)))
            .await?;
        comes.disconnect().await;
        eventually_answers("the other server leaves", || a.of("/room-1").servers(), |found| matches!(found, Ok(1)))
            .await?;
    }
    Ok(())
}

async fn paths_of_namespaces_may_be_prefixes_of_each_other(scene: &Scene<'_>) -> CaseResult {
    const PATHS: [&str; 5] = ["/a", "/a/b", "/a#b", "/a*", "/[a]"];
    let fill = |builder: HubBuilder| {
        PATHS.iter().fold(builder, |builder, path| builder.namespace(path, |namespace| namespace))
    };
    let (a, b) = (scene.server_with("a", fill).await?, scene.server_with("b", fill).await?);
    let root = b.client().await?;
    let mut clients = Vec::new();
    for path in PATHS {
        let client = root.connect_to(path, ()).await?;
        b.of(path).socket(client.id()).ok_or("no socket")?.join("b#")?;
        clients.push(client);
    }
    b.flushed().await?;
    for path in PATHS {
        a.of(path).emit(("all", path))?;
    }
    for (client, path) in clients.iter_mut().zip(PATHS) {
        client.expect_exact(("all", path)).await?;
    }
    for path in PATHS {
        a.of(path).to("b#").emit(("room", path))?;
    }
    for (client, path) in clients.iter_mut().zip(PATHS) {
        client.expect_exact(("room", path)).await?;
        client.expect_nothing().await?;
    }
    Ok(())
}

async fn a_detached_handle_publishes(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (scene.server_with("a", dynamic).await?, scene.server_with("b", dynamic).await?);
    let mut client = b.of("/room-1").test_client().plain().patience(PATIENCE).connect().await?;
    let socket = b.of("/room-1").socket(client.id()).ok_or("no socket")?;
    socket.join("lobby")?;
    b.flushed().await?;
    let detached = a.of("/room-1");
    detached.to("lobby").emit(("from", "outside"))?;
    client.expect_exact(("from", "outside")).await?;
    detached.emit_to(client.id(), ("to", "you"))?;
    client.expect_exact(("to", "you")).await?;
    detached.sockets_join(["hall"]);
    eventually("the socket joins", || socket.is_in("hall")).await?;
    detached.disconnect_sockets();
    client.expect_end().await?;
    Ok(())
}

async fn a_detached_handle_asks(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (scene.server_with("a", dynamic).await?, scene.server_with("b", dynamic).await?);
    let mut client = b.of("/room-1").test_client().plain().patience(PATIENCE).connect().await?;
    b.flushed().await?;
    let detached = a.of("/room-1");
    for _ in 0..3 {
        let fetched = detached.timeout(PATIENCE).fetch_sockets().await?;
        ensure_eq!((fetched.sockets.len(), fetched.silent), (1, 0), "sockets and silent servers");
        let answers = detached.timeout(PATIENCE).emit_with_ack::<u8>(("question",));
        client.expect_event("question").await?.answer(7)?;
        ensure_eq!(answers.await?.into_values().collect::<Vec<_>>(), [7], "the answers");
    }
    Ok(())
}

async fn a_detached_handle_is_no_server_of_the_namespace(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (scene.server_with("a", dynamic).await?, scene.server_with("b", dynamic).await?);
    let mut client = b.of("/room-1").test_client().connect().await?;
    b.flushed().await?;
    ensure_eq!(b.of("/room-1").servers().await?, 1, "the servers of the namespace");
    let detached = a.of("/room-1");
    detached.emit(("from", "outside"))?;
    client.expect_exact(("from", "outside")).await?;
    ensure_eq!(b.of("/room-1").servers().await?, 1, "the servers after an emit from outside");
    ensure_eq!(detached.servers().await?, 2, "the servers as they are counted from outside");
    let asked = detached.timeout(PATIENCE).emit_with_ack::<u8>(("question",));
    client.expect_event("question").await?.answer(7)?;
    ensure!(asked.await?.is_complete(), "an answer is missing");
    eventually_answers("the question is forgotten", || b.of("/room-1").servers(), |found| matches!(found, Ok(1))).await
}
