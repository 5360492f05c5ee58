//! Cases about questions to clients on all servers.

use bytes::Bytes;
use std::time::Duration;

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::{ANSWERS, R9, R35};
use super::scene::{Scene, eventually, flushed};
use crate::{AckError, Answerer, Binary, EventError};

case_table! {
    ANSWERS, Nothing, clients_of_all_servers_answer;
    ANSWERS, Nothing, answers_may_be_binary_or_empty;
    ANSWERS, Nothing, answers_come_one_by_one;
    ANSWERS, Nothing, clients_that_do_not_answer_are_missing;
    ANSWERS, Nothing, clients_that_answer_with_an_error_are_missing;
    ANSWERS, Nothing, a_client_that_leaves_is_missing;
    ANSWERS, Nothing, a_question_to_nobody_is_complete;
    ANSWERS, Nothing, late_answers_are_ignored;
    ANSWERS, Nothing, a_fetched_socket_answers;
    ANSWERS, Nothing, a_fetched_socket_that_is_gone_does_not_answer;
    ANSWERS, Nothing, both_servers_ask_at_the_same_time;
    R9, Hang, a_server_that_hangs_costs_its_own_answers;
    R35, Cut, a_question_ends_although_the_connection_is_cut;
}

const SHORT: Duration = Duration::from_millis(1_000);
const LONG: Duration = Duration::from_secs(20);

async fn clients_of_all_servers_answer(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut on_a, mut on_b) = (a.clients().await?, b.clients().await?);
    let mut outside = b.client().await?;
    a.join(&on_a, &["jury"])?;
    b.join(&on_b, &["jury"])?;
    flushed(&[&a, &b]).await?;
    for server in [&a, &b] {
        let asked = server.to("jury").timeout(LONG).emit_with_ack::<u32>(("points?", "for", "ann"));
        let mut expected = Vec::new();
        for (points, client) in on_a.iter_mut().chain(&mut on_b).enumerate() {
            let points = u32::try_from(points)?;
            let question = client.expect_event("points?").await?;
            ensure_eq!(question.args().all::<String>()?, ["for", "ann"], "the question");
            question.answer(points)?;
            expected.push((client.id(), points));
        }
        let answers = asked.await?;
        ensure!(answers.is_complete(), "missing: {:?}", answers.missing);
        let mut found = Vec::new();
        for (from, points) in answers.answers {
            match from {
                Answerer::Id(id) => found.push((id, points)),
                Answerer::Elsewhere => return Err("it is unknown who answered".into()),
            }
        }
        found.sort();
        expected.sort();
        ensure_eq!(found, expected, "the answers");
    }
    outside.expect_nothing().await?;
    Ok(())
}

async fn answers_may_be_binary_or_empty(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    b.flushed().await?;
    let bytes = Binary(Bytes::from_static(b"\x00\x01\xff"));
    let asked = a.timeout(LONG).emit_with_ack::<Binary>(("bytes?", &bytes));
    client.expect_event("bytes?").await?.answer(&bytes)?;
    ensure_eq!(asked.await?.into_values().collect::<Vec<_>>(), [bytes], "the binary answer");
    let asked = a.timeout(LONG).emit_with_ack::<()>(("done?",));
    client.expect_event("done?").await?.answer(())?;
    ensure_eq!(asked.await?.answers.len(), 1, "the empty answers");
    let asked = a.timeout(LONG).emit_with_ack::<Option<String>>(("text?",));
    client.expect_event("text?").await?.answer("ä \"b\"")?;
    ensure_eq!(asked.await?.into_values().collect::<Vec<_>>(), [Some("ä \"b\"".to_owned())], "the text");
    Ok(())
}

async fn answers_come_one_by_one(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut first, mut second) = (b.client().await?, b.plain_client().await?);
    b.flushed().await?;
    let mut asked = a.timeout(LONG).emit_with_ack::<u8>(("number?",));
    let (one, two) = (first.expect_event("number?").await?, second.expect_event("number?").await?);
    two.answer(2)?;
    ensure_eq!(asked.next().await, Some((second.id().into(), 2)), "the first answer");
    one.answer(1)?;
    ensure_eq!(asked.next().await, Some((first.id().into(), 1)), "the second answer");
    ensure_eq!(asked.next().await, None, "the end");
    Ok(())
}

async fn clients_that_do_not_answer_are_missing(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut silent_here, mut answers, mut silent) = (a.client().await?, b.client().await?, b.plain_client().await?);
    flushed(&[&a, &b]).await?;
    let asked = a.timeout(SHORT).emit_with_ack::<u8>(("number?",));
    answers.expect_event("number?").await?.answer(1)?;
    silent.expect_event("number?").await?;
    silent_here.expect_event("number?").await?;
    let found = asked.await?;
    ensure_eq!(found.answers, [(answers.id().into(), 1)], "the answers");
    ensure_eq!((found.missing.sockets(), found.missing.silent_servers), (2, 0), "missing sockets and servers");
    let local = found
        .missing
        .errors
        .iter()
        .any(|(from, error)| *from == silent_here.id() && matches!(error, AckError::Timeout));
    ensure!(local, "the own socket is not named: {:?}", found.missing);
    eventually("nothing is pending", || a.stats().pending_requests == 0).await?;
    Ok(())
}

async fn clients_that_answer_with_an_error_are_missing(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut good, mut bad) = (b.client().await?, b.client().await?);
    b.flushed().await?;
    let asked = a.timeout(LONG).emit_with_ack::<u8>(("number?",));
    bad.expect_event("number?").await?.fail(EventError::new("no", "never"))?;
    good.expect_event("number?").await?.answer(1)?;
    let found = asked.await?;
    ensure_eq!(found.answers, [(good.id().into(), 1)], "the answers");
    ensure_eq!(found.missing.sockets(), 1, "the missing sockets");
    let asked = a.timeout(LONG).emit_with_ack::<u8>(("number?",));
    bad.expect_event("number?").await?.answer("seven")?;
    good.expect_event("number?").await?.answer(1)?;
    ensure_eq!(asked.await?.missing.sockets(), 1, "the missing sockets");
    Ok(())
}

async fn a_client_that_leaves_is_missing(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut stays, mut leaves) = (b.client().await?, b.client().await?);
    b.flushed().await?;
    let asked = a.timeout(SHORT).emit_with_ack::<u8>(("number?",));
    leaves.expect_event("number?").await?;
    leaves.disconnect().await;
    stays.expect_event("number?").await?.answer(1)?;
    let found = asked.await?;
    ensure_eq!(found.answers, [(stays.id().into(), 1)], "the answers");
    ensure_eq!((found.missing.sockets(), found.missing.silent_servers), (1, 0), "missing sockets and servers");
    Ok(())
}

async fn a_question_to_nobody_is_complete(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let _there = b.client().await?;
    flushed(&[&a, &b]).await?;
    for server in [&a, &b] {
        let answers = server.to("nobody").timeout(LONG).emit_with_ack::<u8>(("number?",)).await?;
        ensure!(answers.is_complete() && answers.answers.is_empty(), "the answers of nobody: {answers:?}");
    }
    Ok(())
}

async fn late_answers_are_ignored(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    b.flushed().await?;
    let asked = a.timeout(SHORT).emit_with_ack::<u8>(("number?",));
    let late = client.expect_event("number?").await?;
    ensure_eq!(asked.await?.missing.sockets(), 1, "the missing sockets");
    late.answer(1)?;
    let dropped = a.timeout(LONG).emit_with_ack::<u8>(("dropped?",));
    drop(dropped);
    client.expect_event("dropped?").await?.answer(2)?;
    let asked = a.timeout(LONG).emit_with_ack::<u8>(("number?",));
    client.expect_event("number?").await?.answer(3)?;
    ensure_eq!(asked.await?.into_values().collect::<Vec<_>>(), [3], "the answers");
    eventually("nothing is pending", || a.stats().pending_requests == 0).await?;
    ensure_eq!(b.stats().malformed, 0, "the malformed messages");
    Ok(())
}

async fn a_fetched_socket_answers(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    for mut client in b.clients().await? {
        b.flushed().await?;
        let remote = a.to(client.id()).fetch_sockets().await?.sockets.remove(0);
        let asked = remote.timeout(LONG).emit_with_ack::<u8>(("number?",));
        client.expect_event("number?").await?.answer(7)?;
        ensure_eq!(asked.await?, 7, "the answer");
    }
    Ok(())
}

async fn a_fetched_socket_that_is_gone_does_not_answer(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let client = b.client().await?;
    b.flushed().await?;
    let remote = a.to(client.id()).fetch_sockets().await?.sockets.remove(0);
    client.disconnect().await;
    let answer = remote.timeout(LONG).emit_with_ack::<u8>(("number?",)).await;
    ensure!(answer.is_err(), "a socket that is gone answers {answer:?}");
    Ok(())
}

async fn both_servers_ask_at_the_same_time(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    let from_a = a.timeout(LONG).emit_with_ack::<u8>(("ask", "a"));
    let from_b = b.timeout(LONG).emit_with_ack::<u8>(("ask", "b"));
    for client in [&mut here, &mut there] {
        for _ in 0..2 {
            let question = client.expect_event("ask").await?;
            let number = if question.json::<String>()? == "a" { 1 } else { 2 };
            question.answer(number)?;
        }
    }
    ensure_eq!(from_a.await?.into_values().collect::<Vec<_>>(), [1, 1], "the answers to a");
    ensure_eq!(from_b.await?.into_values().collect::<Vec<_>>(), [2, 2], "the answers to b");
    Ok(())
}

async fn a_server_that_hangs_costs_its_own_answers(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let c = scene.server("c").await?;
    let (mut on_a, _on_b, mut on_c) = (a.client().await?, b.client().await?, c.client().await?);
    flushed(&[&a, &b, &c]).await?;
    scene.faults()?.hang("b").await;
    let asked = a.timeout(SHORT).emit_with_ack::<u8>(("number?",));
    on_a.expect_event("number?").await?.answer(1)?;
    on_c.expect_event("number?").await?.answer(3)?;
    let found = asked.await?;
    ensure_eq!(found.answers.len(), 2, "the answers");
    ensure_eq!((found.missing.sockets(), found.missing.silent_servers), (0, 1), "missing sockets and servers");
    Ok(())
}

async fn a_question_ends_although_the_connection_is_cut(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let (mut here, mut there) = (a.client().await?, b.client().await?);
    flushed(&[&a, &b]).await?;
    let asked = a.timeout(SHORT).emit_with_ack::<u8>(("number?",));
    let answer = there.expect_event("number?").await?;
    scene.faults()?.cut("a").await;
    answer.answer(2)?;
    here.expect_event("number?").await?.answer(1)?;
    let found = asked.await?;
    ensure!(found.answers.contains(&(here.id().into(), 1)), "the own socket's answer is missing: {found:?}");
    let told = found.answers.len() + found.missing.sockets() + found.missing.silent_servers;
    ensure_eq!(told, 2, "answers, missing sockets and silent servers");
    eventually("nothing is pending", || a.stats().pending_requests == 0).await?;
    Ok(())
}
