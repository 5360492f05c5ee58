//! Cases about whom an emit reaches.

use super::case::{CaseResult, case_table};
use super::requirements::{AUDIENCE, LOCAL};
use super::scene::{Scene, expect_each, flushed};

case_table! {
    AUDIENCE, Nothing, a_broadcast_reaches_the_sockets_of_all_servers;
    AUDIENCE, Nothing, a_room_has_members_on_several_servers;
    AUDIENCE, Nothing, a_socket_in_several_rooms_receives_once;
    AUDIENCE, Nothing, members_of_excepted_rooms_are_left_out_everywhere;
    AUDIENCE, Nothing, except_id_leaves_out_a_socket_of_another_server;
    AUDIENCE, Nothing, the_sender_is_left_out_and_others_are_not;
    AUDIENCE, Nothing, within_includes_the_sender;
    AUDIENCE, Nothing, a_volatile_emit_reaches_other_servers;
    AUDIENCE, Nothing, three_servers_share_a_room;
    AUDIENCE, Nothing, names_of_rooms_may_be_any_text;
    AUDIENCE, Nothing, rooms_that_are_left_receive_nothing;
    LOCAL, Nothing, a_local_emit_stays_on_its_server;
}

async fn a_broadcast_reaches_the_sockets_of_all_servers(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut on_a, mut on_b) = (a.clients().await?, b.clients().await?);
    flushed(&[&a, &b]).await?;
    a.broadcast(("news", 1))?;
    expect_each(on_a.iter_mut().chain(&mut on_b), ("news", 1)).await?;
    b.emit(("news", 2))?;
    expect_each(on_a.iter_mut().chain(&mut on_b), ("news", 2)).await
}

async fn a_room_has_members_on_several_servers(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut on_a, mut on_b) = (a.clients().await?, b.clients().await?);
    let mut outside = b.client().await?;
    a.join(&on_a, &["lobby"])?;
    b.join(&on_b, &["lobby"])?;
    flushed(&[&a, &b]).await?;
    for server in [&a, &b] {
        server.to("lobby").emit(("news", "hello"))?;
        expect_each(on_a.iter_mut().chain(&mut on_b), ("news", "hello")).await?;
    }
    outside.expect_nothing().await?;
    Ok(())
}

async fn a_socket_in_several_rooms_receives_once(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    b.join(&clients, &["red", "green", "blue"])?;
    b.flushed().await?;
    for number in 0..3 {
        a.to("red").to("green").to("blue").emit(("news", number))?;
    }
    for number in 0..3 {
        expect_each(&mut clients, ("news", number)).await?;
    }
    for client in &mut clients {
        client.expect_nothing().await?;
    }
    Ok(())
}

async fn members_of_excepted_rooms_are_left_out_everywhere(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut heard, mut muted) = (b.clients().await?, b.clients().await?);
    let mut muted_on_a = a.client().await?;
    b.join(heard.iter().chain(&muted), &["lobby"])?;
    b.join(&muted, &["muted"])?;
    a.join([&muted_on_a], &["lobby", "muted"])?;
    flushed(&[&a, &b]).await?;
    a.to("lobby").except("muted").emit(("quiet", 1))?;
    a.except("muted").emit(("quiet", 2))?;
    expect_each(&mut heard, ("quiet", 1)).await?;
    expect_each(&mut heard, ("quiet", 2)).await?;
    a.to("lobby").emit(("loud",))?;
    expect_each(heard.iter_mut().chain(&mut muted).chain([&mut muted_on_a]), ("loud",)).await
}

async fn except_id_leaves_out_a_socket_of_another_server(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut left_out, mut other) = (b.client().await?, b.plain_client().await?);
    b.flushed().await?;
    a.except_id(left_out.id()).emit(("to", "others"))?;
    a.emit(("to", "all"))?;
    other.expect_exact(("to", "others")).await?;
    expect_each([&mut left_out, &mut other], ("to", "all")).await
}

async fn the_sender_is_left_out_and_others_are_not(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut sender, mut here) = (a.client().await?, a.plain_client().await?);
    let mut there = b.clients().await?;
    a.join([&sender, &here], &["lobby"])?;
    b.join(&there, &["lobby"])?;
    flushed(&[&a, &b]).await?;
    let socket = a.socket(&sender)?;
    socket.to("lobby").emit(("said", 1))?;
    socket.broadcast(("said", 2), true)?;
    for number in 1..=2 {
        expect_each(there.iter_mut().chain([&mut here]), ("said", number)).await?;
    }
    a.to("lobby").emit(("end",))?;
    expect_each(there.iter_mut().chain([&mut here, &mut sender]), ("end",)).await
}

async fn within_includes_the_sender(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut sender, mut there) = (a.plain_client().await?, b.client().await?);
    a.join([&sender], &["lobby"])?;
    b.join([&there], &["lobby"])?;
    flushed(&[&a, &b]).await?;
    a.socket(&sender)?.within("lobby").emit(("said", true))?;
    expect_each([&mut sender, &mut there], ("said", true)).await
}

async fn a_volatile_emit_reaches_other_servers(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    b.join(&clients, &["lobby"])?;
    b.flushed().await?;
    a.to("lobby").volatile().emit(("cursor", 3, 4))?;
    // It may be dropped for a client that has not received the first.
    expect_each(&mut clients, ("cursor", 3, 4)).await?;
    a.volatile().emit(("tick",))?;
    expect_each(&mut clients, ("tick",)).await
}

async fn three_servers_share_a_room(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let c = scene.server("c").await?;
    let servers = [&a, &b, &c];
    let mut clients = Vec::new();
    for server in servers {
        let client = server.client().await?;
        server.join([&client], &["lobby"])?;
        clients.push(client);
    }
    flushed(&servers).await?;
    for (number, server) in servers.iter().enumerate() {
        server.to("lobby").emit(("from", number))?;
        expect_each(&mut clients, ("from", number)).await?;
    }
    Ok(())
}

async fn names_of_rooms_may_be_any_text(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    let mut outside = b.client().await?;
    let long = "x".repeat(300);
    let rooms = [
        "",
        "#",
        "a#b",
        "lobby#",
        "*",
        "?",
        "[a-z]",
        "\\",
        "a b",
        "ä€😀",
        "\"quoted\"",
        "{}",
        "20 characters long..",
        &long,
        "socket.io#/#",
        "null",
        "0",
    ];
    for room in rooms {
        b.join([&client], &[room])?;
        b.flushed().await?;
        a.to(room).emit(("to", room))?;
        client.expect_exact(("to", room)).await.map_err(|error| format!("room {room:?}: {error}"))?;
        b.socket(&client)?.leave(room);
    }
    outside.expect_nothing().await?;
    Ok(())
}

async fn rooms_that_are_left_receive_nothing(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut stays, mut leaves) = (b.client().await?, b.plain_client().await?);
    b.join([&stays, &leaves], &["lobby"])?;
    b.flushed().await?;
    a.to("lobby").emit(("both",))?;
    expect_each([&mut stays, &mut leaves], ("both",)).await?;
    b.socket(&leaves)?.leave("lobby");
    a.to("lobby").emit(("one",))?;
    stays.expect_exact(("one",)).await?;
    leaves.expect_nothing().await?;
    b.join([&leaves], &["lobby"])?;
    b.flushed().await?;
    a.to("lobby").emit(("again",))?;
    expect_each([&mut stays, &mut leaves], ("again",)).await
}

async fn a_local_emit_stays_on_its_server(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there) = (a.client().await?, b.client().await?);
    a.join([&here], &["lobby"])?;
    b.join([&there], &["lobby"])?;
    flushed(&[&a, &b]).await?;
    a.local().emit(("near", 1))?;
    a.local().to("lobby").emit(("near", 2))?;
    a.to("lobby").emit(("far",))?;
    here.expect_exact(("near", 1)).await?;
    here.expect_exact(("near", 2)).await?;
    expect_each([&mut here, &mut there], ("far",)).await?;
    there.expect_nothing().await?;
    Ok(())
}
