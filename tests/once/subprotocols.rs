//! The subprotocol that a route selects, as handlers see it.

use axum::Router;
use axum::routing::get;
use socketio::testing::{ClientBuilder, TestError};
use socketio::{Handshake, Hub, event, events};

#[event("protocol")]
fn protocol(handshake: Handshake<'_>) -> Option<String> {
    handshake.protocol().map(str::to_owned)
}

/// What a client that offers `offer` gets from the event `protocol`.
async fn selected(client: ClientBuilder, offer: Option<&str>) -> Result<Option<String>, TestError> {
    let client = match offer {
        Some(offer) => client.header("sec-websocket-protocol", offer),
        None => client,
    };
    client.connect().await?.request("protocol", &()).await
}

#[tokio::test(start_paused = true)]
async fn handlers_see_the_selected_subprotocol() -> Result<(), TestError> {
    let hub = Hub::builder().events(events![protocol]).build().expect("a hub");
    let supported = ["chat.v2", "chat.v1"];
    let app = Router::new()
        .route("/ws", get(hub.websocket().protocols(supported)))
        .merge(hub.socketio())
        .merge(hub.socketio().path("/supported/").protocols(supported));
    let client = |path: &str| hub.test_client().through(app.clone()).path(path);
    for client in [hub.test_client().plain().through(app.clone()).path("/ws"), client("/supported/")] {
        assert_eq!(selected(client.clone(), Some("chat.v1")).await?.as_deref(), Some("chat.v1"));
        assert_eq!(selected(client.clone(), Some("other, chat.v1,chat.v2")).await?.as_deref(), Some("chat.v2"));
        assert_eq!(selected(client.clone(), None).await?, None);
        // The client ends a WebSocket whose server selects none of its subprotocols.
        let error = selected(client, Some("other")).await.expect_err("no subprotocol");
        assert!(error.to_string().contains("subprotocol"), "{error}");
    }
    // Without a list, the routes for Socket.IO select the first one.
    let client = client("/socket.io/");
    assert_eq!(selected(client.clone(), Some("chat.v0, chat.v1")).await?.as_deref(), Some("chat.v0"));
    assert_eq!(selected(client, None).await?, None);
    Ok(())
}
