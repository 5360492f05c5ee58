//! Cases about sockets that join, leave and disconnect wherever they are.

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{CHANGES, LOCAL};
use super::scene::{Scene, eventually, expect_each, flushed};

case_table! {
    CHANGES, Nothing, sockets_of_all_servers_join_rooms;
    CHANGES, Nothing, sockets_of_all_servers_leave_rooms;
    CHANGES, Nothing, changes_concern_the_selected_sockets_alone;
    CHANGES, Nothing, sockets_of_all_servers_are_disconnected;
    CHANGES, Nothing, connections_on_all_servers_are_closed;
    CHANGES, Nothing, a_fetched_socket_joins_leaves_and_receives;
    CHANGES, Nothing, a_fetched_socket_is_disconnected;
    LOCAL, Nothing, local_changes_stay_on_their_server;
}

async fn sockets_of_all_servers_join_rooms(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut on_a, mut on_b) = (a.clients().await?, b.clients().await?);
    flushed(&[&a, &b]).await?;
    a.sockets_join(["lobby", "hall"]);
    for client in &on_a {
        ensure!(a.socket(client)?.is_in("lobby"), "a socket of the server itself has not joined at once");
    }
    for client in &on_b {
        let socket = b.socket(client)?;
        eventually("the socket joins", || socket.is_in("lobby") && socket.is_in("hall")).await?;
    }
    flushed(&[&a, &b]).await?;
    for server in [&a, &b] {
        server.to("lobby").to("hall").emit(("joined",))?;
        expect_each(on_a.iter_mut().chain(&mut on_b), ("joined",)).await?;
    }
    Ok(())
}

async fn sockets_of_all_servers_leave_rooms(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (here, there) = (a.client().await?, b.plain_client().await?);
    a.join([&here], &["lobby", "hall", "attic"])?;
    b.join([&there], &["lobby", "hall", "attic"])?;
    flushed(&[&a, &b]).await?;
    let sockets = [a.socket(&here)?, b.socket(&there)?];
    a.to("lobby").sockets_leave(["lobby", "hall", "cellar"]);
    for socket in &sockets {
        eventually("the socket leaves", || !socket.is_in("lobby") && !socket.is_in("hall")).await?;
        ensure!(socket.is_in("attic"), "the socket has left another room");
    }
    Ok(())
}

async fn changes_concern_the_selected_sockets_alone(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (chosen, muted, outside) = (b.client().await?, b.plain_client().await?, b.client().await?);
    b.join([&chosen, &muted], &["lobby"])?;
    b.join([&muted], &["muted"])?;
    b.flushed().await?;
    a.to("lobby").except("muted").sockets_join(["stage"]);
    a.to("lobby").sockets_join(["end"]);
    let (chosen, muted, outside) = (b.socket(&chosen)?, b.socket(&muted)?, b.socket(&outside)?);
    eventually("the room's members join", || chosen.is_in("end") && muted.is_in("end")).await?;
    ensure!(chosen.is_in("stage"), "the selected socket has not joined");
    ensure!(!muted.is_in("stage") && !outside.is_in("stage") && !outside.is_in("end"), "another socket has joined");
    Ok(())
}

async fn sockets_of_all_servers_are_disconnected(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (here, mut there) = (a.client().await?, b.client().await?);
    let (stays, mut plain) = (b.client().await?, b.plain_client().await?);
    a.join([&here], &["lobby"])?;
    b.join([&there, &plain], &["lobby"])?;
    flushed(&[&a, &b]).await?;
    b.to("lobby").except_id(here.id()).disconnect_sockets_with("closing time");
    ensure_eq!(there.expect_end().await?.reason(), "io server disconnect", "the reason");
    plain.expect_end().await?;
    eventually("the sockets are gone", || b.len() == 1).await?;
    ensure!(b.hub.socket(stays.id()).is_some() && a.hub.socket(here.id()).is_some(), "another socket has left");
    a.disconnect_sockets();
    eventually("all sockets are gone", || a.is_empty() && b.is_empty()).await
}

async fn connections_on_all_servers_are_closed(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there) = (a.clients().await?, b.clients().await?);
    flushed(&[&a, &b]).await?;
    a.close_sockets();
    for client in here.iter_mut().chain(&mut there) {
        client.expect_end().await?;
    }
    eventually("all connections are gone", || a.stats().pending_requests == 0 && a.is_empty() && b.is_empty()).await
}

async fn a_fetched_socket_joins_leaves_and_receives(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    for mut client in b.clients().await? {
        b.flushed().await?;
        let fetched = a.to(client.id()).fetch_sockets().await?;
        let [remote] = &fetched.sockets[..] else {
            return Err(format!("fetched {:?}", fetched.sockets).into());
        };
        let socket = b.socket(&client)?;
        remote.join("lobby");
        eventually("the socket joins", || socket.is_in("lobby")).await?;
        remote.leave("lobby");
        eventually("the socket leaves", || !socket.is_in("lobby")).await?;
        remote.emit(("hello", 1))?;
        client.expect_exact(("hello", 1)).await?;
        remote.send("a text")?;
        ensure_eq!(client.expect_text().await?, "a text", "the text");
    }
    Ok(())
}

async fn a_fetched_socket_is_disconnected(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut disconnected, mut closed, stays) = (b.client().await?, b.client().await?, b.client().await?);
    b.flushed().await?;
    for socket in a.fetch_sockets().await?.sockets {
        if socket.id == disconnected.id() {
            socket.disconnect();
        } else if socket.id == closed.id() {
            socket.close();
        }
    }
    disconnected.expect_end().await?;
    closed.expect_end().await?;
    eventually("the sockets are gone", || b.len() == 1).await?;
    ensure!(b.hub.socket(stays.id()).is_some(), "another socket has left");
    Ok(())
}

async fn local_changes_stay_on_their_server(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (here, there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    a.local().sockets_join(["near"]);
    a.sockets_join(["end"]);
    let (here, there) = (a.socket(&here)?, b.socket(&there)?);
    eventually("the other socket joins", || there.is_in("end")).await?;
    ensure!(here.is_in("near"), "the socket of the server itself has not joined");
    ensure!(!there.is_in("near"), "a socket of the other server has joined");
    a.local().disconnect_sockets();
    eventually("the socket is gone", || a.is_empty()).await?;
    ensure_eq!(b.len(), 1, "the sockets of the other server");
    Ok(())
}
