//! Cases about emitters, which are no servers.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{EMITTER, R38};
use super::scene::{PATIENCE, Scene, Server, eventually, expect_each, flushed};
use crate::{Binary, Emitter, EmitterError, HubBuilder};

case_table! {
    EMITTER, Nothing, an_emitter_selects_as_a_hub_does;
    EMITTER, Nothing, an_emitter_sends_binary_and_large_payloads;
    EMITTER, Nothing, an_emitter_moves_and_disconnects_sockets;
    EMITTER, Nothing, an_emitter_reaches_the_servers_themselves;
    EMITTER, Nothing, an_emitter_is_not_counted;
    EMITTER, Nothing, what_an_emitter_publishes_stays_in_order;
    EMITTER, Nothing, a_closed_emitter_has_published_what_waited;
    EMITTER, Cut, an_emitter_goes_on_after_a_cut;
    R38, Nothing, what_an_emitter_can_not_send_is_an_error;
}

/// How long to wait until an emit is tried again.
const PAUSE: Duration = Duration::from_millis(5);

impl Scene<'_> {
    async fn emitter(&self) -> CaseResult<Emitter> {
        let emitter = Emitter::new(self.engine("emitter")).patience(PATIENCE);
        emitter.ready(PATIENCE).await?;
        Ok(emitter)
    }
}

fn with_chat(builder: HubBuilder) -> HubBuilder {
    builder.namespace("/chat", |namespace| namespace)
}

async fn chatting(scene: &Scene<'_>, name: &str) -> CaseResult<Server> {
    scene.server_with(name, with_chat).await
}

async fn an_emitter_selects_as_a_hub_does(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (chatting(scene, "a").await?, chatting(scene, "b").await?);
    let (mut on_a, mut on_b) = (a.clients().await?, b.clients().await?);
    let mut muted = b.client().await?;
    a.join(&on_a, &["lobby"])?;
    b.join(&on_b, &["lobby", "hall"])?;
    b.join([&muted], &["lobby", "muted"])?;
    flushed(&[&a, &b]).await?;
    let emitter = scene.emitter().await?;
    emitter.emit(("news", 1)).await?;
    expect_each(on_a.iter_mut().chain(&mut on_b).chain([&mut muted]), ("news", 1)).await?;
    emitter.of("chat").emit(("news", "elsewhere")).await?;
    emitter.to("nobody").emit(("news", "unheard")).await?;
    emitter.to("lobby").within("hall").except("muted").emit(("news", 2)).await?;
    expect_each(on_a.iter_mut().chain(&mut on_b), ("news", 2)).await?;
    emitter.except("lobby").emit(("news", "unheard")).await?;
    emitter.to("hall").volatile().emit(("news", 3)).await?;
    expect_each(&mut on_b, ("news", 3)).await?;
    emitter.to(muted.id()).emit(("news", 4)).await?;
    muted.expect_exact(("news", 4)).await?;
    emitter.except_id(muted.id()).emit(("news", 5)).await?;
    expect_each(on_a.iter_mut().chain(&mut on_b), ("news", 5)).await?;
    for client in on_a.iter_mut().chain(&mut on_b).chain([&mut muted]) {
        client.expect_nothing().await?;
    }
    Ok(())
}

async fn an_emitter_sends_binary_and_large_payloads(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    let mut client = a.client().await?;
    a.flushed().await?;
    let emitter = scene.emitter().await?;
    let bytes = Binary(vec![0, 1, 255].into());
    emitter.emit(("bytes", &bytes, "é\u{0}\u{1F600}", 1e300)).await?;
    client.expect_exact(("bytes", &bytes, "é\u{0}\u{1F600}", 1e300)).await?;
    let long = "x".repeat(100_000);
    emitter.to(client.id()).emit(("long", &long)).await?;
    client.expect_exact(("long", &long)).await?;
    Ok(())
}

async fn an_emitter_moves_and_disconnects_sockets(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut on_a, mut on_b) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    let emitter = scene.emitter().await?;
    let (one, other) = (a.socket(&on_a)?, b.socket(&on_b)?);
    emitter.sockets_join(["red", "green"]).await?;
    eventually("the sockets join", || one.rooms().len() == 3 && other.rooms().len() == 3).await?;
    emitter.to(on_b.id()).sockets_leave(["red"]).await?;
    eventually("one leaves", || other.rooms().len() == 2).await?;
    ensure_eq!(one.rooms().len(), 3, "the rooms of the other");
    flushed(&[&a, &b]).await?;
    emitter.to("red").emit(("news", 1)).await?;
    on_a.expect_exact(("news", 1)).await?;
    emitter.to("red").disconnect_sockets().await?;
    on_a.expect_end().await?;
    emitter.to("green").close_sockets().await?;
    on_b.expect_end().await?;
    Ok(())
}

async fn an_emitter_reaches_the_servers_themselves(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = (chatting(scene, "a").await?, chatting(scene, "b").await?);
    let mut client = a.client().await?;
    let heard = Arc::new(Mutex::new(Vec::new()));
    for (name, server) in [("a", &a), ("b", &b)] {
        for path in ["/", "/chat"] {
            let log = Arc::clone(&heard);
            server.of(path).on_server("reload", move |event| {
                log.lock().push(format!("{name} {path} {}", event.args().json()));
            });
        }
    }
    flushed(&[&a, &b]).await?;
    let emitter = scene.emitter().await?;
    emitter.server_emit(("reload", "users", 1)).await?;
    emitter.of("/chat").server_emit(("reload", Binary(vec![7].into()))).await?;
    eventually("both servers hear it", || heard.lock().len() == 4).await?;
    let mut heard = heard.lock().clone();
    heard.sort();
    let binary = r#"{"_placeholder":true,"num":0}"#;
    let expected = [
        r#"a / "users",1"#.to_owned(),
        format!("a /chat {binary}"),
        r#"b / "users",1"#.to_owned(),
        format!("b /chat {binary}"),
    ];
    ensure_eq!(heard, expected, "what the servers hear");
    client.expect_nothing().await?;
    Ok(())
}

async fn an_emitter_is_not_counted(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    let emitter = scene.emitter().await?;
    emitter.emit(("news", 1)).await?;
    client.expect_exact(("news", 1)).await?;
    ensure_eq!(a.servers().await?, 2, "the servers that a counts");
    ensure_eq!(b.servers().await?, 2, "the servers that b counts");
    ensure_eq!(a.fetch_sockets().await?.silent, 0, "the silent servers");
    ensure_eq!(b.stats().malformed, 0, "what b does not understand");
    Ok(())
}

async fn what_an_emitter_publishes_stays_in_order(scene: &Scene<'_>) -> CaseResult {
    const MESSAGES: u32 = 500;
    let a = scene.server("a").await?;
    let mut client = a.client().await?;
    a.join([&client], &["lobby"])?;
    a.flushed().await?;
    let emitter = scene.emitter().await?;
    let published: Vec<_> = (0..MESSAGES).map(|number| emitter.to("lobby").emit(("tick", number))).collect();
    for published in published {
        published.await?;
    }
    for number in 0..MESSAGES {
        client.expect_exact(("tick", number)).await?;
    }
    Ok(())
}

async fn a_closed_emitter_has_published_what_waited(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    let mut client = a.client().await?;
    a.flushed().await?;
    let emitter = scene.emitter().await?;
    let last = emitter.emit(("news", "last"));
    emitter.close().await;
    last.await?;
    client.expect_exact(("news", "last")).await?;
    let error = emitter.clone().emit(("news", "late")).await.err();
    ensure!(matches!(error, Some(EmitterError::Closed)), "a late emit: {error:?}");
    // What nobody waits for is published too.
    let dropped = scene.emitter().await?;
    drop(dropped.emit(("news", "dropped")));
    drop(dropped);
    client.expect_exact(("news", "dropped")).await?;
    // One that was not used has nothing to end.
    Emitter::new(scene.engine("idle")).close().await;
    Ok(())
}

async fn an_emitter_goes_on_after_a_cut(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    let mut client = a.client().await?;
    a.flushed().await?;
    let emitter = scene.emitter().await?;
    emitter.emit(("news", 0)).await?;
    client.expect_exact(("news", 0)).await?;
    scene.faults()?.cut("emitter").await;
    // What is published while the loss is not noticed may be lost, and says so.
    let until = Instant::now() + PATIENCE;
    let mut number = 0;
    loop {
        number += 1;
        match emitter.emit(("news", number)).await {
            Ok(()) => break,
            Err(EmitterError::Unconfirmed(_)) if Instant::now() < until => sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
    let mut received = 0;
    while received < number {
        let next: u32 = client.expect_event("news").await?.json()?;
        ensure!(next > received && next <= number, "{next} after {received} of {number}");
        received = next;
    }
    Ok(())
}

async fn what_an_emitter_can_not_send_is_an_error(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    let mut client = a.client().await?;
    a.flushed().await?;
    let emitter = scene.emitter().await?;
    for name in ["", "connect", "disconnect"] {
        let error = emitter.emit((name, 1)).await.err();
        ensure!(matches!(error, Some(EmitterError::Invalid(_))), "the name `{name}`: {error:?}");
        let error = emitter.server_emit((name, 1)).await.err();
        ensure!(matches!(error, Some(EmitterError::Invalid(_))), "the name `{name}`: {error:?}");
    }
    emitter.emit(("news", 1)).await?;
    client.expect_exact(("news", 1)).await?;
    Ok(())
}
