//! Cases about sockets that are addressed by their ids.

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{EMIT_TO, R18, SET_ID};
use super::scene::{Scene, expect_each, flushed};

case_table! {
    EMIT_TO, Nothing, emit_to_reaches_a_socket_of_another_server;
    EMIT_TO, Nothing, emit_to_an_unknown_id_is_handed_to_the_cluster;
    EMIT_TO, Nothing, emit_to_list_reaches_sockets_of_other_servers;
    SET_ID, Nothing, an_id_that_two_servers_have_reaches_both;
    SET_ID, Nothing, after_a_change_of_id_only_the_new_one_is_reached;
    R18, Nothing, generated_ids_have_20_characters;
    R18, Nothing, ids_of_other_lengths_are_reached;
}

async fn emit_to_reaches_a_socket_of_another_server(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    let mut other = b.client().await?;
    b.flushed().await?;
    for client in &mut clients {
        a.emit_to(client.id(), ("for", client.id()))?;
        client.expect_exact(("for", client.id())).await?;
    }
    other.expect_nothing().await?;
    Ok(())
}

async fn emit_to_an_unknown_id_is_handed_to_the_cluster(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    a.emit_to("nobody", ("hello",))?;
    here.expect_nothing().await?;
    there.expect_nothing().await?;
    Ok(())
}

async fn emit_to_list_reaches_sockets_of_other_servers(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there, mut other) = (a.client().await?, b.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    a.emit_to_list([here.id(), there.id()], ("listed", 2))?;
    expect_each([&mut here, &mut there], ("listed", 2)).await?;
    other.expect_nothing().await?;
    Ok(())
}

async fn an_id_that_two_servers_have_reaches_both(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there) = (a.plain_client().await?, b.plain_client().await?);
    a.socket(&here)?.set_id("ann")?;
    b.socket(&there)?.set_id("ann")?;
    flushed(&[&a, &b]).await?;
    for server in [&a, &b] {
        server.emit_to("ann", ("hello",))?;
        expect_each([&mut here, &mut there], ("hello",)).await?;
        server.to("ann").emit(("room",))?;
        expect_each([&mut here, &mut there], ("room",)).await?;
    }
    let fetched = a.to("ann").fetch_sockets().await?;
    ensure_eq!(fetched.sockets.len(), 2, "the sockets with the id");
    Ok(())
}

async fn after_a_change_of_id_only_the_new_one_is_reached(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.plain_client().await?;
    let (old, socket) = (client.id(), b.socket(&client)?);
    socket.set_id("ann")?;
    b.flushed().await?;
    a.emit_to(old, ("old",))?;
    a.emit_to("ann", ("new",))?;
    client.expect_exact(("new",)).await?;
    socket.set_id("bob")?;
    b.flushed().await?;
    a.emit_to("ann", ("old",))?;
    a.emit_to("bob", ("new",))?;
    client.expect_exact(("new",)).await?;
    client.expect_nothing().await?;
    Ok(())
}

async fn generated_ids_have_20_characters(scene: &Scene<'_>) -> CaseResult {
    let server = scene.server("a").await?;
    for client in server.clients().await? {
        ensure_eq!(client.id().len(), 20, "the length of {:?}", client.id());
        let is_url_safe = client.id().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        ensure!(is_url_safe, "the id {:?} has other characters", client.id());
    }
    Ok(())
}

async fn ids_of_other_lengths_are_reached(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.plain_client().await?;
    let socket = b.socket(&client)?;
    for length in [1, 5, 19, 20, 21, 36, 200] {
        let id = "i".repeat(length);
        socket.set_id(&id)?;
        b.flushed().await?;
        a.emit_to(&id, ("to", length))?;
        client.expect_exact(("to", length)).await?;
        a.to(&id).emit(("room", length))?;
        client.expect_exact(("room", length)).await?;
    }
    Ok(())
}
