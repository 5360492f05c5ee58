//! Cases about what goes on while the engine is away, and works afterwards.

use std::time::Duration;
use tokio::time::sleep;

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{R1, R2, R13, R14, R37};
use super::scene::{Events, Scene, Server, eventually, eventually_answers, expect_each, flushed};
use crate::HubBuilder;
use crate::cluster::{ClusterEvent, WhileDown};
use crate::testing::Client;

case_table! {
    R13, Stop, local_delivery_goes_on_while_the_engine_is_away;
    R13, Stop, losses_of_an_outage_are_counted;
    R13, Stop, requests_return_while_the_engine_is_away;
    R13, Stop, clients_of_dynamic_namespaces_connect_while_the_engine_is_away;
    R13, Stop, new_clients_are_refused_where_the_hub_says_so;
    R14, Restart, clients_stay_while_the_engine_restarts;
    R1, Restart, after_a_restart_all_works;
    R1, Restart, rooms_joined_during_an_outage_are_subscribed;
    R1, Cut, after_a_cut_all_works;
    R1, Cut, many_cuts_one_after_the_other;
    R2, Stop, an_outage_may_last_long;
    R37, Stop, several_attempts_fail_before_one_succeeds;
}

fn chat(builder: HubBuilder) -> HubBuilder {
    builder.namespace("/chat", |namespace| namespace)
}

/// Two servers with clients in a room and in another namespace.
struct Stage {
    servers: [Server; 2],
    clients: Vec<Client>,
    in_chat: Vec<Client>,
}

impl Stage {
    async fn new(scene: &Scene<'_>) -> CaseResult<Self> {
        let servers = [scene.server_with("a", chat).await?, scene.server_with("b", chat).await?];
        let (mut clients, mut in_chat) = (Vec::new(), Vec::new());
        for server in &servers {
            let [socketio, plain] = server.clients().await?;
            server.join([&socketio, &plain], &["lobby"])?;
            let client = socketio.connect_to("/chat", ()).await?;
            server.of("/chat").socket(client.id()).ok_or("no socket")?.join("lobby")?;
            in_chat.push(client);
            clients.extend([socketio, plain]);
            server.on_server("load?", |event| {
                if let Some(ack) = event.ack() {
                    let _ = ack.send(7);
                }
            });
        }
        let stage = Self { servers, clients, in_chat };
        stage.flushed().await?;
        Ok(stage)
    }

    async fn flushed(&self) -> CaseResult {
        flushed(&[&self.servers[0], &self.servers[1]]).await
    }

    /// Everything works, in both directions.
    async fn works(&mut self, round: usize) -> CaseResult {
        for server in &self.servers {
            let id = server.cluster.id();
            let id = id.as_str();
            server.emit(("all", round, id))?;
            expect_each(&mut self.clients, ("all", round, id)).await?;
            server.to("lobby").emit(("room", round, id))?;
            expect_each(&mut self.clients, ("room", round, id)).await?;
            server.of("/chat").to("lobby").emit(("chat", round, id))?;
            expect_each(&mut self.in_chat, ("chat", round, id)).await?;
            for client in &mut self.clients {
                server.emit_to(client.id(), ("to", round))?;
                client.expect_exact(("to", round)).await?;
            }
            let fetched = server.fetch_sockets().await?;
            ensure_eq!((fetched.sockets.len(), fetched.silent), (4, 0), "sockets and silent servers");
            let answers = server.server_request::<u8>(("load?",)).await?;
            ensure_eq!((answers.answers.len(), answers.silent), (1, 0), "answers and silent servers");
            let asked = server.to("lobby").emit_with_ack::<usize>(("round?",));
            for client in &mut self.clients {
                client.expect_event("round?").await?.answer(round)?;
            }
            let answers = asked.await?;
            ensure!(answers.is_complete() && answers.answers.len() == 4, "the answers are {answers:?}");
            ensure_eq!(server.servers().await?, 2, "the servers");
        }
        Ok(())
    }

    /// Waits until both servers are connected again, as they report.
    async fn is_back(&self, mut events: [Events; 2]) -> CaseResult {
        for events in &mut events {
            events.wait_for("connected", |event| matches!(event, ClusterEvent::Connected)).await?;
        }
        self.flushed().await
    }

    fn events(&self) -> [Events; 2] {
        [Events::of(&self.servers[0]), Events::of(&self.servers[1])]
    }
}

async fn local_delivery_goes_on_while_the_engine_is_away(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there) = (a.clients().await?, b.client().await?);
    a.join(&here, &["lobby"])?;
    b.join([&there], &["lobby"])?;
    flushed(&[&a, &b]).await?;
    scene.faults()?.stop().await;
    eventually("it is degraded", || !a.cluster.health().is_up()).await?;
    a.emit(("all",))?;
    a.to("lobby").emit(("room",))?;
    expect_each(&mut here, ("all",)).await?;
    expect_each(&mut here, ("room",)).await?;
    a.emit_to(here[0].id(), ("to", 1))?;
    here[0].expect_exact(("to", 1)).await?;
    a.to("lobby").sockets_join(["hall"]);
    ensure!(a.socket(&here[0])?.is_in("hall"), "the own socket has not joined");
    let mut new = a.client().await?;
    a.emit(("new",))?;
    expect_each(here.iter_mut().chain([&mut new]), ("new",)).await?;
    there.expect_nothing().await?;
    Ok(())
}

async fn losses_of_an_outage_are_counted(scene: &Scene<'_>) -> CaseResult {
    let (a, _b) = scene.pair().await?;
    let before = a.stats();
    let mut events = Events::of(&a);
    scene.faults()?.stop().await;
    eventually("it is degraded", || !a.cluster.health().is_up()).await?;
    for number in 0..50 {
        a.emit(("number", number))?;
    }
    let lost = |event: &ClusterEvent| matches!(event, ClusterEvent::Dropped { messages } if *messages > 0);
    events.wait_for("dropped", lost).await?;
    let uncounted = || {
        let stats = a.stats();
        50_u64.saturating_sub(stats.dropped + stats.unpublished - before.dropped - before.unpublished)
    };
    eventually("all are counted", || uncounted() == 0).await
}

async fn requests_return_while_the_engine_is_away(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, _there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    ensure_eq!(a.servers().await?, 2, "the servers");
    scene.faults()?.stop().await;
    eventually("it is degraded", || !a.cluster.health().is_up()).await?;
    let fetched = a.fetch_sockets().await?;
    ensure_eq!((fetched.sockets.len(), fetched.silent), (1, 1), "sockets and silent servers");
    let answers = a.server_request::<u8>(("load?",)).await?;
    ensure_eq!((answers.answers.len(), answers.silent), (0, 1), "answers and silent servers");
    let asked = a.emit_with_ack::<u8>(("number?",));
    here.expect_event("number?").await?.answer(7)?;
    let found = asked.await?;
    ensure_eq!((found.answers.len(), found.missing.silent_servers), (1, 1), "answers and silent servers");
    let rooms = a.all_rooms().await?;
    ensure!(rooms.rooms.contains(here.id().as_str()) && rooms.silent == 1, "the rooms are {rooms:?}");
    ensure!(a.servers().await.is_err(), "the servers are counted without a connection");
    ensure_eq!(a.stats().pending_requests, 0, "the pending requests");
    Ok(())
}

async fn clients_of_dynamic_namespaces_connect_while_the_engine_is_away(scene: &Scene<'_>) -> CaseResult {
    let dynamic =
        |builder: HubBuilder| builder.dynamic_namespace(|path| path.starts_with("/room-"), |namespace| namespace);
    let (a, b) = (scene.server_with("a", dynamic).await?, scene.server_with("b", dynamic).await?);
    scene.faults()?.stop().await;
    eventually("both are degraded", || !a.cluster.health().is_up() && !b.cluster.health().is_up()).await?;
    let mut here = a.of("/room-1").test_client().connect().await?;
    let mut there = b.of("/room-1").test_client().plain().connect().await?;
    a.of("/room-1").emit(("near",))?;
    here.expect_exact(("near",)).await?;
    scene.faults()?.start().await;
    eventually("both are up", || a.cluster.health().is_up() && b.cluster.health().is_up()).await?;
    flushed(&[&a, &b]).await?;
    a.of("/room-1").emit(("far",))?;
    expect_each([&mut here, &mut there], ("far",)).await
}

async fn new_clients_are_refused_where_the_hub_says_so(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server_with("a", |builder| builder.while_down(WhileDown::RefuseNew)).await?;
    let mut stays = a.client().await?;
    scene.faults()?.stop().await;
    eventually("it is degraded", || !a.cluster.health().is_up()).await?;
    ensure!(a.client().await.is_err(), "a Socket.IO client is accepted");
    ensure!(a.plain_client().await.is_err(), "a plain client is accepted");
    a.emit(("hello",))?;
    stays.expect_exact(("hello",)).await?;
    scene.faults()?.start().await;
    eventually("it is up", || a.cluster.health().is_up()).await?;
    let new = a.clients().await?;
    ensure_eq!(a.len(), 1 + new.len(), "the sockets");
    Ok(())
}

async fn clients_stay_while_the_engine_restarts(scene: &Scene<'_>) -> CaseResult {
    let mut stage = Stage::new(scene).await?;
    for round in 0..3 {
        let events = stage.events();
        scene.faults()?.restart().await;
        stage.is_back(events).await?;
        for server in &stage.servers {
            ensure_eq!(server.len(), 2, "the sockets in round {round}");
        }
    }
    stage.works(0).await
}

async fn after_a_restart_all_works(scene: &Scene<'_>) -> CaseResult {
    let mut stage = Stage::new(scene).await?;
    stage.works(0).await?;
    for round in 1..=2 {
        let events = stage.events();
        scene.faults()?.restart().await;
        stage.is_back(events).await?;
        stage.works(round).await?;
    }
    Ok(())
}

async fn rooms_joined_during_an_outage_are_subscribed(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    b.join([&client], &["left"])?;
    flushed(&[&a, &b]).await?;
    let mut events = Events::of(&b);
    scene.faults()?.stop().await;
    eventually("it is degraded", || !b.cluster.health().is_up() && !a.cluster.health().is_up()).await?;
    b.socket(&client)?.leave("left");
    b.join([&client], &["joined"])?;
    let mut new = b.plain_client().await?;
    b.socket(&new)?.set_id("new")?;
    scene.faults()?.start().await;
    events.wait_for("connected", |event| matches!(event, ClusterEvent::Connected)).await?;
    eventually("the other is up", || a.cluster.health().is_up()).await?;
    flushed(&[&a, &b]).await?;
    a.to("left").emit(("left",))?;
    a.to("joined").emit(("joined",))?;
    client.expect_exact(("joined",)).await?;
    a.emit_to("new", ("hello",))?;
    new.expect_exact(("hello",)).await?;
    client.expect_nothing().await?;
    Ok(())
}

async fn after_a_cut_all_works(scene: &Scene<'_>) -> CaseResult {
    let mut stage = Stage::new(scene).await?;
    for (round, name) in ["a", "b"].into_iter().enumerate() {
        let mut events = Events::of(&stage.servers[round]);
        scene.faults()?.cut(name).await;
        events.wait_for("connected", |event| matches!(event, ClusterEvent::Connected)).await?;
        stage.flushed().await?;
        stage.works(round).await?;
    }
    Ok(())
}

async fn many_cuts_one_after_the_other(scene: &Scene<'_>) -> CaseResult {
    let mut stage = Stage::new(scene).await?;
    let before = stage.servers[1].stats().reconnects;
    for round in 0..10_u64 {
        scene.faults()?.cut("b").await;
        for number in 0..20 {
            stage.servers[0].volatile().to("nobody").emit(("number", number))?;
            sleep(Duration::from_millis(round)).await;
        }
    }
    let back = || stage.servers[1].cluster.health().is_up() && stage.servers[1].stats().reconnects > before;
    eventually("it is up again", back).await?;
    stage.flushed().await?;
    let server = &stage.servers[0];
    eventually_answers("both are counted", || server.servers(), |found| matches!(found, Ok(2))).await?;
    stage.works(0).await
}

async fn an_outage_may_last_long(scene: &Scene<'_>) -> CaseResult {
    let mut stage = Stage::new(scene).await?;
    let events = stage.events();
    scene.faults()?.stop().await;
    sleep(Duration::from_secs(45)).await;
    scene.faults()?.start().await;
    stage.is_back(events).await?;
    stage.works(0).await
}

async fn several_attempts_fail_before_one_succeeds(scene: &Scene<'_>) -> CaseResult {
    let mut stage = Stage::new(scene).await?;
    for round in 0..3 {
        let events = stage.events();
        scene.faults()?.stop().await;
        eventually("it is degraded", || stage.servers.iter().all(|server| !server.cluster.health().is_up())).await?;
        sleep(Duration::from_secs(3)).await;
        scene.faults()?.start().await;
        stage.is_back(events).await?;
        stage.works(round).await?;
    }
    Ok(())
}
