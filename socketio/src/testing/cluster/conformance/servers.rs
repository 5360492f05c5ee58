//! Cases about messages between servers.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{ALL_ROOMS, COUNT, R9, R10, SERVER_EVENTS};
use super::scene::{Scene, Server, eventually, eventually_answers, flushed};
use crate::{Binary, HubBuilder};

case_table! {
    SERVER_EVENTS, Nothing, server_events_reach_the_other_servers;
    SERVER_EVENTS, Nothing, server_events_belong_to_a_namespace;
    SERVER_EVENTS, Nothing, server_events_have_binary_payloads;
    SERVER_EVENTS, Nothing, servers_answer_each_other;
    SERVER_EVENTS, Nothing, servers_answer_later;
    SERVER_EVENTS, Nothing, a_server_that_does_not_answer_is_silent;
    R10, Nothing, a_server_that_leaves_is_no_longer_waited_for;
    SERVER_EVENTS, Nothing, a_single_server_asks_nobody;
    COUNT, Nothing, servers_are_counted;
    R9, Hang, a_server_that_hangs_is_counted_and_silent;
    ALL_ROOMS, Nothing, the_rooms_of_all_servers_are_listed;
}

const SHORT: Duration = Duration::from_millis(1_000);
const LONG: Duration = Duration::from_secs(20);

/// What the listeners of a server for one event have received.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn on(server: &Server, event: &str) -> Self {
        let heard = Self::default();
        let log = heard.clone();
        server.on_server(event, move |event| log.0.lock().push(event.args().json().to_owned()));
        heard
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

async fn server_events_reach_the_other_servers(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let c = scene.server("c").await?;
    let mut client = b.client().await?;
    let heard = [&a, &b, &c].map(|server| Heard::on(server, "reload"));
    flushed(&[&a, &b, &c]).await?;
    a.server_emit(("reload", "users", 1))?;
    a.server_emit(("unheard", 1))?;
    a.server_emit(("reload", "rooms", 2))?;
    for heard in &heard[1..] {
        eventually("the other servers hear it", || heard.len() == 2).await?;
        ensure_eq!(heard.all(), ["\"users\",1", "\"rooms\",2"], "what was heard");
    }
    client.expect_nothing().await?;
    ensure_eq!(heard[0].len(), 0, "what the sender hears");
    Ok(())
}

async fn server_events_belong_to_a_namespace(scene: &Scene<'_>) -> CaseResult {
    let chat = |builder: HubBuilder| builder.namespace("/chat", |namespace| namespace);
    let (a, b) = (scene.server_with("a", chat).await?, scene.server_with("b", chat).await?);
    let in_root = Heard::on(&b, "note");
    let in_chat = Heard::default();
    let log = in_chat.clone();
    b.of("/chat").on_server("note", move |event| log.0.lock().push(event.args().json().to_owned()));
    flushed(&[&a, &b]).await?;
    a.server_emit(("note", 1))?;
    a.of("/chat").server_emit(("note", 2))?;
    eventually("both are heard", || in_root.len() + in_chat.len() == 2).await?;
    ensure_eq!((in_root.all(), in_chat.all()), (vec!["1".to_owned()], vec!["2".to_owned()]), "what was heard");
    Ok(())
}

async fn server_events_have_binary_payloads(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let received = Arc::new(Mutex::new(None));
    let log = Arc::clone(&received);
    b.on_server("bytes", move |event| *log.lock() = Some(event.args().first::<Binary>()));
    b.flushed().await?;
    let bytes = Binary(vec![0, 1, 255].into());
    a.server_emit(("bytes", &bytes))?;
    eventually("it is heard", || received.lock().is_some()).await?;
    let received = received.lock().take().ok_or("nothing")?;
    ensure_eq!(received?, bytes, "the bytes");
    Ok(())
}

async fn servers_answer_each_other(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let c = scene.server("c").await?;
    for (server, load) in [(&a, 1), (&b, 2), (&c, 3)] {
        server.on_server("load?", move |event| {
            if let Some(ack) = event.ack() {
                let _ = ack.send(load);
                let _ = ack.send(100);
            }
        });
    }
    flushed(&[&a, &b, &c]).await?;
    let answers = a.server_request::<u32>(("load?",)).timeout(LONG).await?;
    ensure_eq!((answers.silent, answers.errors.len()), (0, 0), "silent servers and errors");
    for (from, load) in &answers.answers {
        let expected = if *load == 2 { b.cluster.id() } else { c.cluster.id() };
        ensure!(from.as_ref().is_none_or(|from| *from == expected), "{load} is said to come from {from:?}");
    }
    let mut loads: Vec<_> = answers.into_values().collect();
    loads.sort_unstable();
    ensure_eq!(loads, [2, 3], "the answers");
    let wrong = a.server_request::<String>(("load?",)).timeout(LONG).await?;
    ensure_eq!((wrong.answers.len(), wrong.errors.len(), wrong.silent), (0, 2, 0), "answers of another type");
    Ok(())
}

async fn servers_answer_later(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let kept = Arc::new(Mutex::new(None));
    let log = Arc::clone(&kept);
    b.on_server("later?", move |event| *log.lock() = event.ack().cloned());
    flushed(&[&a, &b]).await?;
    let answers = a.server_request::<String>(("later?",)).timeout(LONG);
    let answers = tokio::spawn(answers.into_future());
    eventually("it is heard", || kept.lock().is_some()).await?;
    let ack = kept.lock().take().ok_or("nothing")?;
    ack.send("now")?;
    ensure_eq!(answers.await??.into_values().collect::<Vec<_>>(), ["now"], "the answers");
    Ok(())
}

async fn a_server_that_does_not_answer_is_silent(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let c = scene.server("c").await?;
    c.on_server("load?", |event| {
        if let Some(ack) = event.ack() {
            let _ = ack.send(3);
        }
    });
    flushed(&[&a, &b, &c]).await?;
    let answers = a.server_request::<u32>(("load?",)).timeout(SHORT).await?;
    ensure_eq!(answers.silent, 1, "the silent servers");
    ensure_eq!(answers.into_values().collect::<Vec<_>>(), [3], "the answers");
    Ok(())
}

async fn a_server_that_leaves_is_no_longer_waited_for(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let heard = Heard::on(&b, "load?");
    flushed(&[&a, &b]).await?;
    let answers = a.server_request::<u32>(("load?",)).timeout(LONG);
    let answers = tokio::spawn(answers.into_future());
    eventually("it is heard", || heard.len() == 1).await?;
    b.shutdown(Duration::from_secs(5)).await;
    let answers = answers.await??;
    ensure_eq!((answers.answers.len(), answers.silent), (0, 0), "answers and silent servers");
    Ok(())
}

async fn a_single_server_asks_nobody(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    let answers = a.server_request::<u32>(("load?",)).timeout(LONG).await?;
    ensure_eq!((answers.answers.len(), answers.silent), (0, 0), "answers and silent servers");
    a.server_emit(("note",))?;
    Ok(())
}

async fn servers_are_counted(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    ensure_eq!(a.servers().await?, 1, "a single server");
    let b = scene.server("b").await?;
    let c = scene.server("c").await?;
    flushed(&[&a, &b, &c]).await?;
    for server in [&a, &b, &c] {
        ensure_eq!(server.servers().await?, 3, "three servers");
    }
    b.shutdown(Duration::from_secs(5)).await;
    eventually_answers("the server that shut down is not counted", || a.servers(), |found| matches!(found, Ok(2)))
        .await?;
    drop(c);
    eventually_answers("the server that ended is not counted", || a.servers(), |found| matches!(found, Ok(1))).await
}

async fn a_server_that_hangs_is_counted_and_silent(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    flushed(&[&a, &b]).await?;
    scene.faults()?.hang("b").await;
    ensure_eq!(a.servers().await?, 2, "the servers");
    let answers = a.server_request::<u32>(("load?",)).timeout(SHORT).await?;
    ensure_eq!((answers.answers.len(), answers.silent), (0, 1), "answers and silent servers");
    Ok(())
}

async fn the_rooms_of_all_servers_are_listed(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (here, there) = (a.client().await?, b.client().await?);
    a.join([&here], &["lobby", "hall"])?;
    b.join([&there], &["lobby", "ättic \"1\""])?;
    flushed(&[&a, &b]).await?;
    let found = a.all_rooms().await?;
    let expected = ["lobby", "hall", "ättic \"1\"", &here.id(), &there.id()].map(str::to_owned);
    ensure_eq!((found.rooms, found.silent), (expected.into(), 0), "rooms and silent servers");
    Ok(())
}
