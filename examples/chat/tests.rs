//! Tests of the chat with in-process clients: see [`socketio::testing`].

use serde_json::{Value, json};
use socketio::testing::{Client, TestError};
use socketio::{EventError, Hub};
use std::time::Duration;

/// Connects a client of either kind, and receives its `welcome`.
async fn enter(hub: &Hub, name: &str, is_plain: bool) -> Result<Client, TestError> {
    let client = hub.test_client().patience(Duration::from_secs(15));
    let client = if is_plain { client.plain().query("name", name) } else { client.auth(json!({ "name": name })) };
    let mut client = client.connect().await?;
    let welcome: Value = client.expect_event("welcome").await?.json()?;
    assert_eq!(welcome["name"], name);
    Ok(client)
}

#[tokio::test(start_paused = true)]
async fn people_talk_in_a_room() -> Result<(), TestError> {
    let hub = crate::builder().build().expect("a hub");
    let mut ann = enter(&hub, "ann", true).await?;
    let mut bob = enter(&hub, "bob", false).await?;
    ann.expect_exact(("arrived", json!({ "name": "bob" }))).await?;

    let error = bob.request::<Value>("say", &json!({ "room": "lobby", "text": "hello" })).await.expect_err("not there");
    assert_eq!(error.failed().map(EventError::code), Some("not_in_room"));
    ann.request::<Value>("join", "lobby").await?;
    let scene: Value = bob.request("join", "Lobby").await?;
    assert_eq!(scene["members"].as_array().map(Vec::len), Some(2));
    ann.expect_exact(("joined", json!({ "room": "lobby", "name": "bob" }))).await?;

    let receipt: Value = bob.request("say", &json!({ "room": "lobby", "text": "hello" })).await?;
    let said = json!({ "room": "lobby", "from": "bob", "text": "hello", "at": receipt["at"] });
    ann.expect_exact(("said", said)).await?;
    bob.expect_nothing().await?;

    bob.disconnect().await;
    ann.expect_exact(("parted", json!({ "room": "lobby", "name": "bob" }))).await?;
    ann.expect_exact(("left", json!({ "name": "bob" }))).await?;
    ann.expect_nothing().await
}

#[tokio::test(start_paused = true)]
async fn direct_messages_are_delivered_when_the_page_acknowledges_them() -> Result<(), TestError> {
    let hub = crate::builder().build().expect("a hub");
    let mut ann = enter(&hub, "ann", true).await?;
    let bob = enter(&hub, "bob", false).await?;
    ann.expect_event("arrived").await?;

    let told = async {
        let told = ann.expect_event("told").await?;
        assert_eq!(told.json::<Value>()?["text"], "psst");
        told.answer(())
    };
    let message = json!({ "to": "ann", "text": "psst" });
    tokio::try_join!(bob.request::<Value>("tell", &message), told)?;

    // A page that does not acknowledge within ten seconds counts as not reached.
    let error = bob.request::<Value>("tell", &message).await.expect_err("ann says nothing");
    assert_eq!(error.failed().map(EventError::code), Some("not_delivered"));
    let error = bob.request::<Value>("tell", &json!({ "to": "cid", "text": "psst" })).await.expect_err("who is cid?");
    assert_eq!(error.failed().map(EventError::code), Some("nobody_there"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_name_belongs_to_one_person() -> Result<(), TestError> {
    let hub = crate::builder().build().expect("a hub");
    let keyed = hub.test_client().auth(json!({ "name": "ann", "key": "secret" }));
    let mut ann = keyed.clone().connect().await?;
    let error = enter(&hub, "ann", true).await.expect_err("ann is somebody else");
    assert_eq!(error.to_string(), "the server refused the client with close code 1008: this name is taken");

    // A connection with the same secret replaces the earlier one.
    let _ann_again = keyed.connect().await?;
    ann.expect_event("welcome").await?;
    ann.expect_exact(("farewell", json!({ "reason": "you are connected from elsewhere" }))).await?;
    assert_eq!(ann.expect_end().await?.reason(), "io server disconnect");
    assert_eq!(hub.len(), 1);
    Ok(())
}
