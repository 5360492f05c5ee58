//! Cases about messages that no server of this crate has made.

use std::time::Duration;

use super::case::{CaseResult, case_table, ensure, ensure_eq};
use super::requirements::MALFORMED;
use super::scene::{Events, Scene, Server, eventually, flushed};
use crate::cluster::{ClusterEvent, Topic};
use crate::testing::Client;

case_table! {
    MALFORMED, Inject, bytes_that_are_no_message_are_counted;
    MALFORMED, Inject, no_bytes_on_any_topic_end_a_server;
    MALFORMED, Inject, messages_of_other_shapes_end_no_server;
    MALFORMED, Inject, deeply_nested_messages_are_dropped;
    MALFORMED, Inject, messages_that_are_too_large_are_dropped;
    MALFORMED, Simulation, bytes_without_a_topic_are_counted;
    MALFORMED, Simulation, a_flood_ends_no_server;
}

const MAIN: Topic<'static> = Topic::Main { namespace: "/" };

/// Both servers still reach each other, and the client is connected.
async fn still_works(a: &Server, b: &Server, client: &mut Client) -> CaseResult {
    a.emit(("still",))?;
    client.expect_exact(("still",)).await?;
    let fetched = a.fetch_sockets().await?;
    ensure_eq!((fetched.sockets.len(), fetched.silent), (1, 0), "sockets and silent servers");
    ensure!(a.cluster.health().is_up() && b.cluster.health().is_up(), "a server is down");
    Ok(())
}

async fn bytes_that_are_no_message_are_counted(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    let mut events = Events::of(&b);
    let bodies: [&[u8]; 8] =
        [b"", b"x", b"\x00", b"\xc1", b"{", b"{}", b"\x93\xa3abc", b"{\"type\":3,\"uid\":\"x\",\"nsp\":\"/\"}"];
    for body in bodies {
        scene.faults()?.inject(MAIN, body).await;
    }
    let malformed = |event: &ClusterEvent| matches!(event, ClusterEvent::Malformed { .. });
    events.wait_for("malformed", malformed).await?;
    eventually("they are counted", || b.stats().malformed >= 6).await?;
    client.expect_nothing().await?;
    still_works(&a, &b, &mut client).await
}

async fn no_bytes_on_any_topic_end_a_server(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    b.join([&client], &["lobby"])?;
    flushed(&[&a, &b]).await?;
    let (namespace, id) = ("/", b.cluster.id());
    let topics = [
        MAIN,
        Topic::Room { namespace, room: "lobby" },
        Topic::Requests { namespace },
        Topic::Responses { namespace },
        Topic::Reply { namespace, server: id.as_str() },
    ];
    // One byte and a few behind it cover each type of MessagePack, and the beginnings of JSON.
    for topic in topics {
        for first in 0..=u8::MAX {
            scene.faults()?.inject(topic, &[first]).await;
            scene.faults()?.inject(topic, &[first, first, 0x01, 0xa1, b'x', 0xff, 0xff, 0xff, 0xff, 0x90]).await;
        }
    }
    client.expect_nothing().await?;
    still_works(&a, &b, &mut client).await
}

async fn messages_of_other_shapes_end_no_server(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    let namespace = "/";
    let id = b.cluster.id();
    for topic in [MAIN, Topic::Requests { namespace }, Topic::Reply { namespace, server: id.as_str() }] {
        for kind in
            ["null", "-1", "0", "1", "2", "5", "7", "8", "9", "10", "11", "12", "13", "99", "1e9", "\"3\"", "[]"]
        {
            for data in ["null", "[]", "{}", "{\"opts\":{}}", "{\"opts\":{\"rooms\":{}}}", "{\"requestId\":7}"] {
                let messages = [
                    format!("{{\"type\":{kind},\"data\":{data},\"uid\":\"other\",\"nsp\":\"/\"}}"),
                    format!(
                        "{{\"uid\":\"other\",\"requestId\":\"r\",\"type\":{kind},\"opts\":{data},\"rooms\":{data}}}"
                    ),
                ];
                for message in messages {
                    scene.faults()?.inject(topic, message.as_bytes()).await;
                }
            }
        }
    }
    client.expect_nothing().await?;
    ensure_eq!(b.len(), 1, "the sockets");
    still_works(&a, &b, &mut client).await
}

async fn deeply_nested_messages_are_dropped(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    let depth = 200_000;
    let json = |open: &str, close: &str| {
        let nested = open.repeat(depth) + &close.repeat(depth);
        let packet = format!("{{\"type\":2,\"data\":[\"deep\",{nested}]}}");
        format!(
            "{{\"type\":3,\"data\":{{\"packet\":{packet},\"opts\":{{\"rooms\":[],\"except\":[],\"flags\":{{}}}}}},\
             \"uid\":\"0123456789abcdef\",\"nsp\":\"/\"}}"
        )
    };
    let mut msgpack = b"\x93\xa6abcdef\x83\xa4type\x02\xa4data\x92\xa4deep".to_vec();
    msgpack.resize(depth, 0x91);
    let mut maps = b"\x93\xa6abcdef\x83\xa4type\x02\xa4data\x92\xa4deep".to_vec();
    maps.extend(b"\x81\xa1x".repeat(depth));
    let bodies = [json("[", "]").into_bytes(), json("{\"a\":", "}").into_bytes(), msgpack, maps, vec![0x91; depth]];
    for body in &bodies {
        scene.faults()?.inject(MAIN, body).await;
    }
    eventually("they are counted", || b.stats().malformed + b.stats().oversized >= 4).await?;
    client.expect_nothing().await?;
    still_works(&a, &b, &mut client).await
}

async fn messages_that_are_too_large_are_dropped(scene: &Scene<'_>) -> CaseResult {
    let a = scene.server("a").await?;
    let b = scene.server_with("b", |builder| builder.max_payload(1_000)).await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    a.emit(("large", "x".repeat(100_000)))?;
    eventually("it is counted", || b.stats().oversized == 1).await?;
    a.emit(("small", "x".repeat(10_000)))?;
    client.expect_event("small").await?;
    still_works(&a, &b, &mut client).await
}

async fn bytes_without_a_topic_are_counted(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    scene.simulation()?.inject_malformed("b", "?");
    eventually("it is counted", || b.stats().malformed == 1).await?;
    ensure_eq!(a.stats().malformed, 0, "the malformed messages of the other server");
    still_works(&a, &b, &mut client).await
}

async fn a_flood_ends_no_server(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut client = b.client().await?;
    flushed(&[&a, &b]).await?;
    let net = scene.simulation()?;
    for topic in [MAIN, Topic::Room { namespace: "/", room: "nobody" }, Topic::Responses { namespace: "/" }] {
        net.flood(topic, "{\"type\":", 5_000);
    }
    eventually("they are counted", || b.stats().malformed >= 5_000).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    still_works(&a, &b, &mut client).await
}
