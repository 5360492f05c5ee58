//! A member of a cluster over Redis or PostgreSQL. `tests/node/cluster/node-member.mjs` is its twin
//! on Node.js, and specifies the behaviour of both.

mod commands;
mod events;
mod overview;
mod selection;
mod settings;
mod traffic;

use axum::Router;
use axum::routing::get;
use futures_util::StreamExt;
use socketio::{AnyValue, Emitter, Hub, ServerEvent};
use std::future::IntoFuture;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use settings::Settings;
use traffic::Traffic;

/// What the commands act on.
pub(crate) struct Member {
    pub(crate) hub: Hub,
    pub(crate) traffic: Traffic,
    /// Emits to the cluster as a process that is no member.
    pub(crate) emitter: Emitter,
}

/// The hub that tests send commands to. It is no member of the cluster.
fn control(member: Member) -> Result<Hub, Box<dyn std::error::Error>> {
    Ok(Hub::builder().state(member).max_payload(16 << 20).events(commands::EVENTS).build()?)
}

/// Answers a question of another server, if the first argument is `true` or this server's name.
fn answer(name: &str, event: &ServerEvent<'_>) {
    let Ok(mut args) = event.args().all::<AnyValue>() else { return };
    let is_asked = args.first().is_some_and(|who| who.as_bool() == Some(true) || who.as_str() == Some(name));
    if let Some(ack) = event.ack().filter(|_| is_asked) {
        args.remove(0);
        let answer = AnyValue::from_iter([("from", AnyValue::from(name)), ("args", AnyValue::from(args))]);
        // It fails if the cluster is not reached.
        let _ = ack.send(answer);
    }
}

/// Tells the test what other servers sent, and what happens to the cluster.
fn report(settings: &Settings, hub: &Hub, control: &Hub) {
    for path in &settings.namespaces {
        let (path, control, name) = (path.clone(), control.clone(), settings.name.clone());
        let namespace = hub.of(&path);
        namespace.on_server("question", move |event| answer(&name, event));
        namespace.on_server("news", move |event| {
            if let Ok(args) = event.args().all::<AnyValue>() {
                let _ = control.emit(("heard", &path, args));
            }
        });
    }
    let Some(cluster) = hub.cluster() else { return };
    let control = control.clone();
    tokio::spawn(async move {
        let mut events = std::pin::pin!(cluster.events());
        while let Some(event) = events.next().await {
            let _ = control.emit(("cluster", format!("{event:?}")));
        }
    });
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings: Arc<Settings> = Arc::new(serde_json::from_str(&std::env::var("MEMBER")?)?);
    let mut builder = Hub::builder().keep_all_headers().allow_origins(["http://127.0.0.1"]);
    for path in &settings.namespaces {
        builder = builder.namespace(path, |namespace| namespace.events(events::EVENTS));
    }
    let hub = settings.join_cluster(builder)?.build()?;
    let emitter = Emitter::new(settings.engine()?);
    let control = control(Member { hub: hub.clone(), traffic: Traffic::new(&settings.name), emitter })?;
    report(&settings, &hub, &control);
    hub.ready(Duration::from_secs(10)).await?;

    let mut app = Router::new().merge(hub.socketio()).merge(hub.health()).merge(control.socketio().path("/control/"));
    for path in &settings.namespaces {
        app = app.route(&format!("/ws{}", path.trim_end_matches('/')), get(hub.of(path).websocket()));
    }
    let port = std::env::var("PORT").map_or(Ok(0), |port| port.parse::<u16>())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let serving = tokio::spawn(socketio::serve(listener, app).into_future());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    if let Some(drain) = settings.drain() {
        hub.drain(drain).await;
    }
    serving.abort();
    hub.shutdown(Duration::from_millis(500)).await;
    Ok(())
}
