//! What a hub that drains tells new clients and load balancers, and when each client is moved.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use socketio::cluster::WhileDown;
use socketio::testing::cluster::SimNet;
use socketio::testing::{Client, TestError, settle};
use socketio::{Drain, Hub};
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tower_service::Service;

const HOUR: Duration = Duration::from_secs(3600);

fn app(hub: &Hub) -> Router {
    Router::new().route("/ws", get(hub.websocket())).merge(hub.socketio()).merge(hub.health())
}

/// The status, the header `Retry-After`, and the body.
async fn answer(hub: &Hub, request: http::request::Builder, path: &str) -> (StatusCode, Option<String>, String) {
    let request = request.uri(path).header("host", "localhost").body(Body::empty()).expect("a request");
    let response = app(hub).call(request).await.expect("an answer");
    let after = response.headers().get("retry-after").map(|value| value.to_str().expect("text").to_owned());
    let status = response.status();
    let body = to_bytes(response.into_body(), 1_000).await.expect("a body");
    (status, after, String::from_utf8(body.to_vec()).expect("text"))
}

async fn ask(hub: &Hub, path: &str) -> (u16, Value) {
    let (status, _, body) = answer(hub, Request::get("/"), path).await;
    (status.as_u16(), serde_json::from_str(&body).expect("JSON"))
}

async fn ready(hub: &Hub) -> (u16, Value) {
    ask(hub, "/health/ready").await
}

fn status(text: &str) -> Value {
    json!({ "status": text })
}

async fn clients(hub: &Hub, count: usize) -> Result<Vec<Client>, TestError> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(hub.test_client().patience(HOUR).connect().await?);
    }
    Ok(clients)
}

#[tokio::test(start_paused = true)]
async fn clients_are_moved_one_after_the_other() -> Result<(), TestError> {
    let hub = Hub::builder().build().expect("a hub");
    let clients = clients(&hub, 4).await?;
    let begin = Instant::now();
    let (own, over) = (hub.clone(), Duration::from_secs(40));
    let draining = tokio::spawn(async move { own.drain(Drain::new().over(over)).await });
    // The clock is paused, so that the times are exact.
    for (number, mut client) in clients.into_iter().enumerate() {
        assert_eq!(client.expect_end().await?.to_string(), "transport close (1012): server restarting");
        assert_eq!(begin.elapsed().as_secs(), 10 * number as u64);
        settle().await;
        assert_eq!(hub.len(), 3 - number);
    }
    draining.await.expect("no panic");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn new_clients_are_refused_and_told_when_to_come_back() -> Result<(), TestError> {
    let hub = Hub::builder().build().expect("a hub");
    let _client = hub.test_client().connect().await?;
    let drain = Drain::new().retry_after(Duration::from_millis(6_500)).over(HOUR);
    // The first client is told at once, so another one is there.
    let _other = hub.test_client().connect().await?;
    let _ = timeout(Duration::from_secs(1), hub.drain(drain)).await;
    assert_eq!(hub.len(), 1);

    let message = "no more connections are accepted";
    let refused = (StatusCode::SERVICE_UNAVAILABLE, Some("7".to_owned()), message.to_owned());
    let handshake = "/socket.io/?EIO=4&transport=polling";
    assert_eq!(answer(&hub, Request::get("/"), handshake).await, refused);
    // A load balancer asks the next server, which may have the session.
    assert_eq!(answer(&hub, Request::get("/"), &format!("{handshake}&sid=elsewhere")).await, refused);
    assert_eq!(answer(&hub, Request::post("/"), &format!("{handshake}&sid=elsewhere")).await, refused);
    for client in [hub.test_client(), hub.test_client().plain()] {
        let error = client.connect().await.expect_err("it is refused");
        assert!(error.to_string().contains("503"), "{error}");
    }
    // The future of the drain was dropped. The hub still refuses clients.
    assert_eq!(ready(&hub).await, (503, status("draining")));
    hub.shutdown(Duration::from_secs(1)).await;
    assert_eq!(answer(&hub, Request::get("/"), handshake).await, refused);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn clients_are_accepted_until_load_balancers_know() -> Result<(), TestError> {
    let hub = Hub::builder().build().expect("a hub");
    let own = hub.clone();
    let drain = Drain::new().accept_for(Duration::from_secs(5)).over(Duration::ZERO);
    let draining = tokio::spawn(async move { own.drain(drain).await });
    settle().await;
    assert_eq!(ready(&hub).await, (503, status("draining")));
    assert!(hub.is_draining());
    let mut client = hub.test_client().connect().await?;
    let begin = Instant::now();
    client.expect_end().await?;
    assert!(begin.elapsed().as_secs() >= 4, "nobody is moved before");
    hub.test_client().connect().await.expect_err("it is refused");
    draining.await.expect("no panic");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_second_drain_does_not_accept_clients_again() -> Result<(), TestError> {
    let hub = Hub::builder().build().expect("a hub");
    let _clients = clients(&hub, 2).await?;
    let _ = timeout(Duration::from_secs(1), hub.drain(Drain::new().over(HOUR))).await;
    let _ = timeout(Duration::from_secs(1), hub.drain(Drain::new().accept_for(HOUR))).await;
    hub.test_client().connect().await.expect_err("it is refused");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_server_is_ready_until_it_drains_and_live_until_its_end() {
    let hub = Hub::builder().build().expect("a hub");
    let live = async || assert_eq!(ask(&hub, "/health/live").await, (200, status("live")));
    assert_eq!(ready(&hub).await, (200, status("ready")));
    live().await;
    assert!(!hub.is_draining());
    let _never = timeout(Duration::from_secs(1), async {
        hub.drain(Drain::new()).await;
        pending::<()>().await;
    })
    .await;
    assert_eq!(ready(&hub).await, (503, status("draining")));
    live().await;
    hub.shutdown(Duration::from_secs(1)).await;
    assert_eq!(ready(&hub).await, (503, status("shutting_down")));
    live().await;
}

#[tokio::test(start_paused = true)]
async fn whether_a_server_without_its_cluster_is_ready_is_a_choice() {
    let net = SimNet::seeded(1);
    let builder = || Hub::builder().cluster(net.engine("one"));
    let serving = builder().build().expect("a hub");
    let refusing = builder().while_down(WhileDown::RefuseNew).build().expect("a hub");
    let requiring = |hub: &Hub| -> Router { hub.health().path("/strict/").require_cluster().into() };
    let strict = async |hub: &Hub| {
        let request = Request::get("/strict/ready").body(Body::empty()).expect("a request");
        requiring(hub).call(request).await.expect("an answer").status().as_u16()
    };
    for hub in [&serving, &refusing] {
        hub.ready(Duration::from_secs(20)).await.expect("the network is up");
        assert_eq!(ready(hub).await, (200, status("ready")));
        assert_eq!(strict(hub).await, 200);
    }
    net.stop();
    for hub in [&serving, &refusing] {
        let cluster = hub.cluster().expect("a cluster");
        while cluster.health().is_up() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(strict(hub).await, 503);
    }
    assert_eq!(ready(&serving).await, (200, status("ready")));
    assert_eq!(ready(&refusing).await, (503, status("cluster_down")));
}

#[test]
#[should_panic(expected = "path")]
fn a_path_that_no_request_can_have_is_refused() {
    let hub = Hub::builder().build().expect("a hub");
    drop(hub.health().path("/health?"));
}
