//! The events that every namespace handles.

use serde::Deserialize;
use serde_json::{Value, json};
use socketio::{
    Ack, AckError, AnyValue, Args, Disconnect, EmitError, EventError, Events, Handshake, RawArgs, Selection, Socket,
    event, events,
};
use std::collections::HashMap;
use std::time::Duration;

use crate::requests;

pub(crate) const EVENTS: Events = events![
    echo,
    ack,
    fail,
    never,
    ask,
    leaving,
    join,
    leave,
    rooms,
    select,
    poll,
    fetch,
    shift,
    kick,
    bye,
    volley,
    burst,
    collect,
    collected,
    handshake,
    transport,
    namespaces,
    watch,
    recovered,
    data,
    going,
    ..requests::EVENTS
];

/// The recipients of an event.
#[derive(Deserialize)]
pub(crate) struct Chosen {
    from: Option<String>,
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    volatile: bool,
}

impl Chosen {
    pub(crate) fn select<R>(&self, socket: &Socket, act: impl FnOnce(Selection<'_>) -> R) -> R {
        let namespace = socket.hub().of(socket.namespace());
        let all = match self.from.as_deref() {
            Some("socket") => socket.except(""),
            _ => namespace.except(""),
        };
        let selected = self.to.iter().fold(all, Selection::to);
        let selected = self.except.iter().fold(selected, Selection::except);
        act(if self.volatile { selected.volatile() } else { selected })
    }
}

/// One room, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Rooms {
    One(String),
    Many(Vec<String>),
}

impl Rooms {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(room) => vec![room],
            Self::Many(rooms) => rooms,
        }
    }
}

fn sorted(mut rooms: Vec<String>) -> Vec<String> {
    rooms.sort();
    rooms
}

#[event("echo")]
fn echo(socket: &Socket, args: RawArgs<'_>) -> Result<(), EmitError> {
    socket.emit(("echo", args))
}

#[event("ack")]
fn ack(args: RawArgs<'_>, ack: Ack) -> Result<(), EmitError> {
    ack.send_args(Args(args))
}

#[event("fail")]
fn fail(code: String, message: String) -> Result<(), EventError> {
    Err(EventError::new(code, message))
}

#[event("never")]
fn never(ack: Ack) {
    ack.forget();
}

/// Concurrent, so that the handler does not delay later events of the client.
#[event("ask", concurrent)]
async fn ask(socket: &Socket, time: u64, args: RawArgs<'_>) -> Result<AnyValue, AckError> {
    let question = socket.timeout(Duration::from_millis(time)).emit_with_ack::<AnyValue>(("question", args.skip(1)));
    Ok(match question.await {
        Ok(answer) => AnyValue::from_iter([("answer", answer)]),
        Err(_) => json!({ "error": "timeout" }).into(),
    })
}

#[event("leaving", concurrent)]
async fn leaving(socket: &Socket, args: RawArgs<'_>) -> Result<(), EmitError> {
    let question = socket.timeout(Duration::from_secs(60)).emit_with_ack::<AnyValue>(("question", args));
    socket.emit(("asked",))?;
    if question.await.is_err() {
        socket.hub().to("watchers").emit(("unanswered", socket.id()))?;
    }
    Ok(())
}

#[event("join")]
fn join(socket: &Socket, joined: Rooms) -> Result<Vec<String>, String> {
    for room in joined.into_vec() {
        socket.join(room).map_err(|error| error.to_string())?;
    }
    Ok(sorted(socket.rooms()))
}

#[event("leave")]
fn leave(socket: &Socket, room: String) -> Vec<String> {
    socket.leave(room);
    sorted(socket.rooms())
}

#[event("rooms")]
fn rooms(socket: &Socket) -> Vec<String> {
    sorted(socket.rooms())
}

#[event("select")]
fn select(socket: &Socket, chosen: Chosen, name: String, args: RawArgs<'_>) -> Result<(), EmitError> {
    chosen.select(socket, |selection| selection.emit((name, args.skip(2))))
}

#[event("poll", concurrent)]
async fn poll(socket: &Socket, chosen: Chosen, time: u64, args: RawArgs<'_>) -> Result<AnyValue, EventError> {
    let asked = chosen.select(socket, |selection| {
        selection.timeout(Duration::from_millis(time)).emit_with_ack::<AnyValue>(("question", args.skip(2)))
    });
    let answers = asked.await.map_err(|error| error.to_string())?;
    let complete = AnyValue::from(answers.is_complete());
    let answers = AnyValue::from_iter(answers.into_values());
    Ok(AnyValue::from_iter([("answers", answers), ("complete", complete)]))
}

#[event("fetch")]
#[allow(clippy::redundant_closure_for_method_calls, reason = "the method itself is one of a single lifetime")]
async fn fetch(socket: &Socket, chosen: Chosen) -> Result<Value, String> {
    let fetched = chosen.select(socket, |selection| selection.fetch_sockets()).await;
    let mut fetched = fetched.map_err(|error| error.to_string())?.sockets;
    fetched.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(fetched.into_iter().map(|socket| json!({ "id": socket.id, "rooms": sorted(socket.rooms) })).collect())
}

#[event("move")]
fn shift(socket: &Socket, chosen: Chosen, joined: Vec<String>, left: Vec<String>) {
    chosen.select(socket, |selection| selection.sockets_join(joined));
    chosen.select(socket, |selection| selection.sockets_leave(left));
}

#[event("kick")]
fn kick(socket: &Socket, chosen: Chosen, whole: Option<bool>) {
    chosen.select(socket, |selection| match whole {
        Some(true) => selection.close_sockets(),
        _ => selection.disconnect_sockets(),
    });
}

#[event("bye")]
fn bye(socket: &Socket, whole: Option<bool>) {
    match whole {
        Some(true) => socket.close(),
        _ => socket.disconnect(),
    }
}

#[event("volley")]
fn volley(socket: &Socket, count: u32) -> Result<(), EmitError> {
    for number in 0..count {
        socket.volatile().emit(("tick", number))?;
    }
    socket.emit(("done", count))
}

#[event("burst", concurrent)]
async fn burst(socket: &Socket, count: u32) -> Result<u32, EmitError> {
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    for number in 0..count {
        if number % 10 == 0 {
            pace.tick().await;
        }
        socket.emit(("tick", number))?;
    }
    Ok(count)
}

#[event("collect")]
fn collect(socket: &Socket, number: u64) {
    let mut collected: Vec<u64> = socket.extension().unwrap_or_default();
    collected.push(number);
    socket.insert_extension(collected);
}

#[event("collected")]
fn collected(socket: &Socket) -> Vec<u64> {
    socket.extension().unwrap_or_default()
}

#[event("handshake")]
fn handshake(handshake: Handshake<'_>) -> Result<Value, EventError> {
    let headers: HashMap<String, String> = handshake
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let query: HashMap<_, _> = handshake.queries().collect();
    Ok(json!({
        "headers": headers,
        "address": handshake.peer_addr().map(|address| address.ip()),
        "time": httpdate::fmt_http_date(handshake.time()),
        "issued": handshake.issued(),
        "xdomain": handshake.is_cross_domain(),
        "secure": handshake.is_secure(),
        "url": handshake.url(),
        "query": query,
        "auth": handshake.auth::<Value>()?,
    }))
}

#[event("transport")]
fn transport(socket: &Socket) -> &'static str {
    socket.transport().as_str()
}

#[event("namespaces")]
fn namespaces(socket: &Socket) -> Vec<String> {
    socket.hub().namespaces().into_iter().filter(|path| !path.contains(' ')).collect()
}

#[event("watch")]
fn watch(socket: &Socket) -> Result<(), String> {
    match socket.namespace() {
        "/" => socket.join("watchers").map_err(|error| error.to_string()),
        _ => Ok(()),
    }
}

#[event("recovered")]
fn recovered(socket: &Socket) -> bool {
    socket.recovered()
}

#[event("data")]
fn data(socket: &Socket, key: String, value: Option<Value>) -> Option<Value> {
    if let Some(value) = value {
        socket.set_attribute(&*key, value);
    }
    socket.get_attribute(&key)
}

#[event(disconnecting)]
fn going(socket: &Socket, end: Disconnect) -> Result<(), EmitError> {
    let left = json!({
        "nsp": socket.namespace(), "id": socket.id(), "reason": end.reason().as_str(), "rooms": sorted(socket.rooms()),
    });
    socket.hub().to("watchers").emit(("left", left))
}
