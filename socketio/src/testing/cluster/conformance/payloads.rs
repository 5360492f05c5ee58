//! Cases about what arrives of a payload.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::case::{CaseResult, case_table, ensure_eq};
use super::requirements::PAYLOAD;
use super::scene::{Scene, expect_each};
use crate::{Binary, Text};

case_table! {
    PAYLOAD, Nothing, values_of_all_kinds_arrive;
    PAYLOAD, Nothing, several_arguments_and_none_arrive;
    PAYLOAD, Nothing, binary_data_arrives_at_any_depth;
    PAYLOAD, Nothing, raw_text_and_bytes_arrive;
    PAYLOAD, Nothing, large_payloads_arrive;
}

async fn values_of_all_kinds_arrive(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    b.flushed().await?;
    let values = [
        json!(null),
        json!([true, false, [], {}, ""]),
        json!([0, 1, -1, 127, 128, -128, -129, 255, 256, 65_535, 65_536, -32_769]),
        json!([i32::MIN, u32::MAX, i64::MIN, i64::MAX, u64::MAX]),
        json!([0.5, -0.5, 1e300, 5e-324, 1e20, 3.0]),
        json!(["ä€😀", "\u{0}\u{1f}\"\\/", "\u{2028}", "x".repeat(70_000)]),
        json!({"a": {"b": {"c": [1, {"d": null}]}}, "": 1, "ä": 2, "_placeholder": true}),
        json!((0..300).collect::<Vec<_>>()),
    ];
    for value in &values {
        a.emit(("value", value))?;
        for client in &mut clients {
            client.expect_exact(("value", value)).await?;
        }
    }
    Ok(())
}

async fn several_arguments_and_none_arrive(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    b.flushed().await?;
    a.emit(("none",))?;
    a.emit(("many", 1, "two", [3, 4], json!({"five": 6}), Some(7.5), (), false))?;
    a.emit(("an event with \"quotes\" and ä", 1))?;
    for client in &mut clients {
        client.expect_exact(("none",)).await?;
        client.expect_exact(("many", 1, "two", [3, 4], json!({"five": 6}), Some(7.5), (), false)).await?;
        client.expect_exact(("an event with \"quotes\" and ä", 1)).await?;
    }
    Ok(())
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Tree {
    name: String,
    data: Vec<Binary>,
    inner: Option<Box<Tree>>,
}

async fn binary_data_arrives_at_any_depth(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    b.join(&clients, &["lobby"])?;
    b.flushed().await?;
    let bytes = |length: usize| Binary((0..length).map(|at| at as u8).collect());
    let leaf = Tree { name: "leaf".into(), data: vec![bytes(0), bytes(300)], inner: None };
    let middle = Tree { name: "middle".into(), data: vec![], inner: Some(Box::new(leaf)) };
    let tree = Tree { name: "root".into(), data: vec![bytes(1), bytes(70_000)], inner: Some(Box::new(middle)) };
    for round in 0..2 {
        a.to("lobby").emit(("tree", round, &tree, bytes(3)))?;
        for client in &mut clients {
            let received = client.expect_event("tree").await?;
            let args = received.args();
            ensure_eq!(args.first::<u32>()?, round, "the first argument");
            ensure_eq!(args.skip(1).first::<Tree>()?, tree, "the second argument");
            ensure_eq!(args.skip(2).first::<Binary>()?, bytes(3), "the third argument");
        }
    }
    Ok(())
}

async fn raw_text_and_bytes_arrive(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    b.join(&clients, &["lobby"])?;
    b.flushed().await?;
    let bytes = Bytes::from_static(b"\x00\xff{}");
    a.to("lobby").send("a \"text\"")?;
    a.to("lobby").send(bytes.clone())?;
    a.to("lobby").send("")?;
    for client in &mut clients {
        ensure_eq!(client.expect_text().await?, "a \"text\"", "the text");
        ensure_eq!(client.expect_binary().await?, bytes, "the bytes");
        ensure_eq!(client.expect_text().await?, "", "the empty text");
    }
    a.send("to all")?;
    expect_each(&mut clients, Text("to all")).await
}

async fn large_payloads_arrive(scene: &Scene<'_>) -> CaseResult {
    let (a, b) = scene.pair().await?;
    let mut clients = b.clients().await?;
    b.flushed().await?;
    let text = "é".repeat(500_000);
    let bytes = Binary(vec![7; 1_000_000].into());
    a.emit(("text", &text))?;
    a.emit(("bytes", &bytes))?;
    a.emit(("end",))?;
    for client in &mut clients {
        client.expect_exact(("text", &text)).await.map_err(|_| "the text did not arrive")?;
        client.expect_exact(("bytes", &bytes)).await.map_err(|_| "the bytes did not arrive")?;
        client.expect_exact(("end",)).await.map_err(|_| "the end did not arrive")?;
    }
    Ok(())
}
