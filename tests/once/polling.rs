//! A client that polls while it sends an event.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Method, Request};
use socketio::{EmitError, Hub, Socket, event, events};
use socketio_tests::soon;
use tower_service::Service;

#[event("ask")]
fn ask(socket: &Socket) -> Result<(), EmitError> {
    socket.volatile().emit(("answer",))
}

/// Sends a request of a session, and returns the body of the response.
async fn call(app: &Router, method: Method, sid: &str, body: &'static str) -> String {
    let uri = format!("http://localhost/socket.io/?EIO=4&transport=polling{sid}");
    let request = Request::builder().method(method).uri(uri).header("host", "localhost");
    let request = request.body(Body::from(body)).expect("a request");
    let response = soon("response", app.clone().call(request)).await.expect("a response");
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    String::from_utf8(body.into()).expect("UTF-8")
}

/// The connection's task receives both requests before it handles the event.
#[tokio::test]
async fn a_volatile_message_goes_to_a_poll_that_comes_with_the_event() {
    let hub = Hub::builder().events(events![ask]).build().expect("a hub");
    let app: Router = hub.socketio().into();
    let open = call(&app, Method::GET, "", "").await;
    let sid = format!("&sid={}", open.split('"').nth(3).expect("the id of the session"));
    assert_eq!(call(&app, Method::POST, &sid, "40").await, "ok");
    assert!(call(&app, Method::GET, &sid, "").await.starts_with("40{"));
    for _ in 0..10 {
        let poll = call(&app, Method::GET, &sid, "");
        let (polled, posted) = tokio::join!(poll, call(&app, Method::POST, &sid, "42[\"ask\"]"));
        assert_eq!((&*polled, &*posted), ("42[\"answer\"]", "ok"));
    }
}
