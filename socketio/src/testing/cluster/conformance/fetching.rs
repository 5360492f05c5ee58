//! Cases about `fetch_sockets`, pages and `fetch_stats`.

use serde_json::json;
use std::time::Duration;

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{FETCH, LOCAL, R9, R10, R35};
use super::scene::{Scene, Server, eventually_answers, flushed};
use crate::cluster::{Counts, Topic};
use crate::testing::client::Client;
use crate::{Fetched, Namespace, Page};

case_table! {
    FETCH, Nothing, the_sockets_of_all_servers_are_fetched;
    FETCH, Nothing, members_of_rooms_are_fetched;
    FETCH, Nothing, fetched_sockets_have_rooms_attributes_and_server;
    FETCH, Nothing, fetched_sockets_have_their_handshake;
    FETCH, Nothing, sockets_and_rooms_are_fetched_page_by_page;
    FETCH, Nothing, the_sockets_and_rooms_of_all_servers_are_counted;
    FETCH, Nothing, attributes_that_are_too_large_are_not_told;
    LOCAL, Nothing, a_local_fetch_asks_nobody;
    R35, Nothing, many_requests_at_a_time_are_answered;
    R9, Hang, a_server_that_hangs_is_silent;
    R9, Hang, a_server_that_ends_without_a_word_is_silent;
    R10, Nothing, a_server_that_leaves_is_not_waited_for;
    R10, Simulation, a_count_that_is_too_small_ends_requests_early;
    R10, Simulation, a_count_that_is_too_large_is_silence;
}

const SHORT: Duration = Duration::from_millis(1_000);

fn sorted_ids(fetched: &Fetched) -> Vec<String> {
    let mut ids: Vec<_> = fetched.sockets.iter().map(|socket| socket.id.to_string()).collect();
    ids.sort();
    ids
}

fn sorted(ids: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    let mut ids: Vec<_> = ids.into_iter().map(|id| id.to_string()).collect();
    ids.sort();
    ids
}

async fn the_sockets_of_all_servers_are_fetched(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let c = scene.server("c").await?;
    let mut ids = Vec::new();
    let mut clients = Vec::new();
    for server in [&a, &b, &c] {
        for client in server.clients().await? {
            ids.push(client.id());
            clients.push(client);
        }
    }
    flushed(&[&a, &b, &c]).await?;
    for server in [&a, &b, &c] {
        let fetched = server.fetch_sockets().await?;
        ensure_eq!(fetched.silent, 0, "the silent servers");
        ensure_eq!(sorted_ids(&fetched), sorted(&ids), "the fetched sockets");
    }
    Ok(())
}

async fn members_of_rooms_are_fetched(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (here, there, muted, outside) =
        (a.client().await?, b.client().await?, b.plain_client().await?, b.client().await?);
    a.join([&here], &["red", "blue"])?;
    b.join([&there], &["red"])?;
    b.join([&muted], &["blue", "muted"])?;
    flushed(&[&a, &b]).await?;
    let red = a.to("red").fetch_sockets().await?;
    ensure_eq!(sorted_ids(&red), sorted([here.id(), there.id()]), "the room");
    let both = a.to("red").to("blue").fetch_sockets().await?;
    ensure_eq!(sorted_ids(&both), sorted([here.id(), there.id(), muted.id()]), "two rooms");
    let heard = b.except("muted").fetch_sockets().await?;
    ensure_eq!(sorted_ids(&heard), sorted([here.id(), there.id(), outside.id()]), "all but a room");
    ensure_eq!(a.to("nobody").fetch_sockets().await?, Fetched::default(), "an empty room");
    Ok(())
}

async fn fetched_sockets_have_rooms_attributes_and_server(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    for client in b.clients().await? {
        let socket = b.socket(&client)?;
        socket.join("lobby")?;
        socket.join("hall")?;
        socket.set_attribute("name", "Ann \"ä\"");
        socket.set_attribute("points", json!([1, 2.5, {"x": null}]));
        b.flushed().await?;
        let fetched = a.to(client.id()).fetch_sockets().await?;
        let [remote] = &fetched.sockets[..] else {
            return Err(format!("fetched {:?}", fetched.sockets).into());
        };
        ensure_eq!(remote.rooms.first().map(String::as_str), Some(client.id().as_str()), "the first room");
        ensure_eq!(sorted(&remote.rooms[1..]), ["hall", "lobby"], "the other rooms");
        ensure_eq!(remote.attributes, socket.attributes(), "the attributes");
        let server = remote.server.clone();
        ensure!(server.is_none_or(|server| server == b.cluster.id()), "the socket is said to be on another server");
    }
    Ok(())
}

async fn fetched_sockets_have_their_handshake(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let builder = b.hub.test_client().query("name", "a b").header("User-Agent", "tests").header("X-Kept", "no");
    let socketio = builder.clone().auth(json!({"token": 7})).peer_addr(([192, 0, 2, 1], 5000).into()).connect().await?;
    let plain = builder.plain().connect().await?;
    b.flushed().await?;
    for (client, auth) in [(&socketio, json!({"token": 7})), (&plain, json!({}))] {
        let own = b.to(client.id()).fetch_sockets().await?.sockets.remove(0).handshake;
        let fetched = a.to(client.id()).fetch_sockets().await?;
        let [remote] = &fetched.sockets[..] else {
            return Err(format!("fetched {:?}", fetched.sockets).into());
        };
        let handshake = &remote.handshake;
        ensure_eq!(handshake.query.get("name").map(String::as_str), Some("a b"), "the query");
        ensure_eq!(handshake.auth, auth, "auth");
        ensure_eq!(handshake.headers, own.headers, "the headers");
        ensure_eq!((&handshake.url, handshake.xdomain), (&own.url, own.xdomain), "url and xdomain");
        ensure_eq!((handshake.issued, handshake.secure), (own.issued, own.secure), "issued and secure");
        ensure_eq!(handshake.address.clone().unwrap_or_default(), own.address.unwrap_or_default(), "the address");
    }
    Ok(())
}

async fn sockets_and_rooms_are_fetched_page_by_page(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = Vec::new();
    for (number, server) in [&a, &b, &a, &b, &a, &b, &b].into_iter().enumerate() {
        let client = server.client().await?;
        server.join([&client], &["lobby", &format!("room {number}")])?;
        clients.push(client);
    }
    let outside = b.client().await?;
    flushed(&[&a, &b]).await?;
    for limit in [1, 2, 3, 7, 100] {
        let (mut next, mut found) = (Some(Page::new().limit(limit)), Vec::new());
        while let Some(page) = next {
            let fetched = a.to("lobby").fetch_page(&page).await?;
            ensure_eq!(fetched.silent, 0, "the silent servers");
            ensure_eq!(fetched.sockets.len(), limit.min(7 - found.len()), "the sockets of a page of {limit}");
            found.extend(fetched.sockets.iter().map(|socket| socket.id.to_string()));
            next = fetched.next;
        }
        ensure_eq!(found, sorted(clients.iter().map(Client::id)), "the sockets in pages of {limit}");
    }
    let (mut next, mut found) = (Some(Page::new().limit(4)), Vec::new());
    while let Some(page) = next {
        let fetched = b.hub.fetch_rooms(&page).await?;
        ensure_eq!(fetched.silent, 0, "the silent servers");
        found.extend(fetched.rooms);
        next = fetched.next;
    }
    let rooms = (0..7).map(|number| format!("room {number}")).chain(["lobby".to_owned(), outside.id().to_string()]);
    let rooms = rooms.chain(clients.iter().map(|client| client.id().to_string()));
    ensure_eq!(found, sorted(rooms), "the rooms in pages");
    Ok(())
}

async fn the_sockets_and_rooms_of_all_servers_are_counted(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (here, there, other) = (a.client().await?, b.client().await?, b.plain_client().await?);
    a.join([&here], &["lobby"])?;
    b.join([&there, &other], &["lobby", "hall"])?;
    flushed(&[&a, &b]).await?;
    let fetched = a.root().fetch_stats().await?;
    ensure_eq!(fetched.silent, 0, "the silent servers");
    ensure_eq!((fetched.total.sockets, fetched.total.rooms), (3, 3), "the sockets and rooms of all servers");
    ensure_eq!(fetched.here, a.root().stats(), "what this server has");
    let [told] = &fetched.others[..] else {
        return Err(format!("{:?} was told", fetched.others).into());
    };
    ensure_eq!(told.stats, b.root().stats(), "what the other server has");
    ensure!(told.server.as_ref().is_none_or(|server| *server == b.cluster.id()), "another server is named");
    Ok(())
}

async fn attributes_that_are_too_large_are_not_told(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (large, small) = (b.client().await?, b.client().await?);
    b.socket(&large)?.set_attribute("text", "x".repeat(100_000));
    b.socket(&small)?.set_attribute("text", "x".repeat(60_000));
    b.flushed().await?;
    let told = async |client: &Client| {
        let fetched = a.to(client.id()).fetch_sockets().await?;
        CaseResult::Ok(fetched.sockets.first().map(|socket| socket.attributes.len()))
    };
    ensure_eq!(told(&large).await?, Some(0), "the large attributes");
    ensure_eq!(told(&small).await?, Some(1), "the small attributes");
    Ok(())
}

async fn a_local_fetch_asks_nobody(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (here, _there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    let fetched = a.local().fetch_sockets().await?;
    ensure_eq!(sorted_ids(&fetched), sorted([here.id()]), "the fetched sockets");
    Ok(())
}

async fn many_requests_at_a_time_are_answered(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let _clients = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    let asked: Vec<_> = (0..200).map(|_| a.fetch_sockets()).collect();
    for fetched in futures_util::future::join_all(asked).await {
        let fetched = fetched?;
        ensure_eq!((fetched.sockets.len(), fetched.silent), (2, 0), "sockets and silent servers");
    }
    ensure_eq!(a.stats().pending_requests, 0, "the pending requests");
    Ok(())
}

/// Three servers with a client each, of which `b` hangs.
async fn hanging(scene: &Scene<'_>) -> CaseResult<([Server; 3], Vec<Client>)> {
    let servers = [scene.server("a").await?, scene.server("b").await?, scene.server("c").await?];
    let mut clients = Vec::new();
    for server in &servers {
        clients.push(server.client().await?);
        server.flushed().await?;
    }
    ensure_eq!(servers[0].servers().await?, 3, "the servers");
    scene.faults()?.hang("b").await;
    Ok((servers, clients))
}

async fn is_silent(namespace: &Namespace, present: Vec<String>) -> CaseResult {
    let silent = namespace.timeout(SHORT).fetch_sockets().await?;
    ensure_eq!(silent.silent, 1, "the silent servers");
    ensure_eq!(sorted_ids(&silent), present, "the fetched sockets");
    Ok(())
}

async fn a_server_that_hangs_is_silent(scene: &Scene<'_>) -> CaseResult {
    let (servers, clients) = hanging(scene).await?;
    let [a, b, _c] = &servers;
    is_silent(a.root(), sorted([clients[0].id(), clients[2].id()])).await?;
    ensure!(a.stats().silent >= 1, "the silence is not counted");
    scene.faults()?.resume("b").await;
    let ids = sorted(clients.iter().map(Client::id));
    eventually_answers(
        "all sockets are fetched again",
        || a.timeout(SHORT).fetch_sockets(),
        |fetched| fetched.as_ref().is_ok_and(|fetched| fetched.silent == 0 && sorted_ids(fetched) == ids),
    )
    .await?;
    ensure_eq!(b.len(), 1, "the sockets of the server that hung");
    Ok(())
}

async fn a_server_that_ends_without_a_word_is_silent(scene: &Scene<'_>) -> CaseResult {
    let (servers, mut clients) = hanging(scene).await?;
    let [a, b, _c] = servers;
    let present = sorted([clients[0].id(), clients[2].id()]);
    // The hub ends with its last handle and connection.
    drop((b, clients.remove(1)));
    is_silent(a.root(), present.clone()).await?;
    scene.faults()?.resume("b").await;
    eventually_answers(
        "the server is no longer waited for",
        || a.timeout(SHORT).fetch_sockets(),
        |fetched| fetched.as_ref().is_ok_and(|fetched| fetched.silent == 0 && sorted_ids(fetched) == present),
    )
    .await
}

async fn a_server_that_leaves_is_not_waited_for(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let here = a.client().await?;
    flushed(&[&a, &b]).await?;
    b.shutdown(Duration::from_secs(5)).await;
    eventually_answers("one server is left", || a.servers(), |servers| matches!(servers, Ok(1))).await?;
    let fetched = a.fetch_sockets().await?;
    ensure_eq!((sorted_ids(&fetched), fetched.silent), (sorted([here.id()]), 0), "sockets and silent servers");
    Ok(())
}

/// Lets `a` believe that there are so many servers. In fact there are `a` and `b`.
async fn lie_about_count(scene: &Scene<'_>, [a, b]: [&Server; 2], count: usize) -> CaseResult {
    if a.traits.counts == Counts::Engine {
        scene.simulation()?.lie_about_count(count);
        return Ok(());
    }
    let main = Topic::Main { namespace: "/" };
    if count < 2 {
        let close = format!(r#"{{"type":13,"uid":"{}","nsp":"/"}}"#, b.cluster.id());
        scene.faults()?.inject(main, close.as_bytes()).await;
    }
    for number in 2..count {
        let heartbeat = format!(r#"{{"type":2,"uid":"server {number}","nsp":"/"}}"#);
        scene.faults()?.inject(main, heartbeat.as_bytes()).await;
    }
    eventually_answers("it believes it", || a.servers(), |found| *found == Ok(count.max(1))).await
}

async fn a_count_that_is_too_small_ends_requests_early(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (here, mut there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    for count in [0, 1] {
        lie_about_count(scene, [&a, &b], count).await?;
        let fetched = a.fetch_sockets().await?;
        ensure!(sorted_ids(&fetched).contains(&here.id().to_string()), "the own socket is missing");
        ensure_eq!(fetched.silent, 0, "the silent servers with a count of {count}");
        // Where servers are counted by heartbeats, the answer has shown that the other one exists.
        lie_about_count(scene, [&a, &b], count).await?;
        let answers = a.server_request::<u8>(("question",)).await?;
        ensure_eq!(answers.silent, 0, "the servers without an answer with a count of {count}");
        ensure_eq!(a.servers().await?, 1, "the servers with a count of {count}");
        a.emit(("still",))?;
        there.expect_exact(("still",)).await?;
    }
    Ok(())
}

async fn a_count_that_is_too_large_is_silence(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (here, there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    lie_about_count(scene, [&a, &b], 5).await?;
    let fetched = a.timeout(SHORT).fetch_sockets().await?;
    ensure_eq!(sorted_ids(&fetched), sorted([here.id(), there.id()]), "the fetched sockets");
    ensure_eq!(fetched.silent, 3, "the silent servers");
    let answers = a.to("nobody").timeout(SHORT).emit_with_ack::<u8>(("question",)).await?;
    ensure_eq!(answers.missing.silent_servers, 3, "the servers that told no count");
    let many = if a.traits.counts == Counts::Engine { usize::MAX } else { 1_000 };
    lie_about_count(scene, [&a, &b], many).await?;
    let fetched = a.timeout(SHORT).fetch_sockets().await?;
    ensure_eq!(sorted_ids(&fetched), sorted([here.id(), there.id()]), "the fetched sockets");
    Ok(())
}
