//! Decodes arbitrary text as arguments. No decoded value may be nested more deeply than the payload
//! limit, and a small stack must suffice.
//!
//! `socketio` enables the feature `raw_value` of serde_json, with which a `Value` can be deeper
//! than its text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::{Map, Value};
use socketio::{EventError, EventPayload, Frame, Hub, RawArgs, State, event, events};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::Builder;

/// Half the stack of a tokio thread. Sanitizers make stack frames larger.
const STACK: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Flattened {
    #[serde(default)]
    a: Option<u8>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Fields { a: Value },
    Any(Value),
}

#[derive(Deserialize)]
#[serde(tag = "t")]
enum Tagged {
    A { a: Value },
    B(Value),
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The maximum nesting of a hub's payloads.
#[derive(Clone, Copy)]
struct Limit(usize);

impl Limit {
    /// Checks an argument that has `around` levels around these values. The list of arguments is
    /// one more level.
    fn check<'v>(self, around: usize, values: impl IntoIterator<Item = &'v Value>) {
        let deepest = values.into_iter().map(depth).max().unwrap_or(0);
        assert!(1 + around + deepest <= self.0, "{deepest} levels");
    }
}

#[event("value")]
fn value(limit: State<Limit>, value: Value) -> String {
    limit.check(0, [&value]);
    // Both formats recurse.
    format!("{value:?}{value}")
}

#[event("flattened")]
fn flattened(limit: State<Limit>, value: Flattened) -> Option<u8> {
    limit.check(1, value.rest.values());
    value.a
}

#[event("untagged")]
fn untagged(limit: State<Limit>, value: Untagged) -> u8 {
    match value {
        Untagged::Number(number) => return number,
        Untagged::Fields { a } => limit.check(1, [&a]),
        Untagged::Any(value) => limit.check(0, [&value]),
    }
    0
}

#[event("tagged")]
fn tagged(limit: State<Limit>, value: Tagged) {
    match value {
        Tagged::A { a } => limit.check(1, [&a]),
        Tagged::B(value) => limit.check(0, [&value]),
    }
}

#[event("raw")]
fn raw(limit: State<Limit>, args: RawArgs<'_>) -> Result<(), EventError> {
    limit.check(0, &args.all::<Value>()?);
    Ok(())
}

#[event(message)]
fn message(frame: Frame<'_>) {
    if let Ok(value) = frame.json::<Value>() {
        Limit(128).check(0, [&value]);
    }
}

fn hub(limit: usize) -> Hub {
    let table = events![value, flattened, untagged, tagged, raw, message];
    let hub = Hub::builder().max_depth(limit).state(Limit(limit)).events(table).build().expect("a hub");
    hub.on("message", move |payload: EventPayload| {
        if let Ok(value) = payload.json::<Value>() {
            Limit(limit).check(0, [&value]);
        }
    });
    hub
}

/// A client's text message, masked with zeros.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = match u16::try_from(text.len()) {
        Ok(length @ 0..=125) => vec![0x81, 0x80 | length as u8],
        Ok(length) => [&[0x81, 0x80 | 126][..], &length.to_be_bytes()].concat(),
        Err(_) => [&[0x81, 0x80 | 127][..], &(text.len() as u64).to_be_bytes()].concat(),
    };
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

const EVENTS: [&str; 5] = ["value", "flattened", "untagged", "tagged", "raw"];

/// The messages of a plain or Socket.IO client with this text as an argument.
fn messages(text: &str, is_socketio: bool) -> Vec<u8> {
    let events = EVENTS.iter().map(|event| match is_socketio {
        true => format!("421[\"{event}\",{text}]"),
        false => format!("{{\"event\":\"{event}\",\"data\":{text},\"id\":1}}"),
    });
    let first = if is_socketio { format!("40{text}") } else { text.to_owned() };
    // The server may refuse this auth object. Then the client connects without one.
    let second = is_socketio.then(|| "40".to_owned());
    [first].into_iter().chain(second).chain(events).flat_map(|message| frame(&message)).collect()
}

async fn run(hub: &Hub, text: &str, is_socketio: bool) {
    let (ours, theirs) = duplex(1 << 16);
    let (mut read, mut write) = tokio::io::split(ours);
    let sending = async {
        let _ = write.write_all(&messages(text, is_socketio)).await;
        let _ = write.shutdown().await;
    };
    let connection = async {
        match is_socketio {
            true => socketio::fuzzing::socketio_connection(&hub.socketio(), hub, theirs).await,
            false => socketio::fuzzing::connection(hub, theirs).await,
        }
    };
    let mut output = Vec::new();
    let everything = async { tokio::join!(connection, sending, read.read_to_end(&mut output)).2 };
    let ended = tokio::time::timeout(Duration::from_secs(10), everything).await;
    ended.expect("the connection does not end").expect("it can be read");
}

/// A thread with a small stack, and its channels.
struct Worker {
    texts: SyncSender<String>,
    done: Receiver<()>,
}

thread_local! {
    static WORKER: Worker = {
        let (texts, given) = sync_channel::<String>(0);
        let (finished, done) = sync_channel(0);
        let work = move || {
            let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
            let hubs = [hub(6), hub(128)];
            for text in given {
                for (hub, is_socketio) in hubs.iter().flat_map(|hub| [(hub, false), (hub, true)]) {
                    runtime.block_on(run(hub, &text, is_socketio));
                }
                let _ = finished.send(());
            }
        };
        thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread");
        Worker { texts, done }
    };
}

fuzz_target!(|text: &str| {
    WORKER.with(|worker| {
        worker.texts.send(text.to_owned()).expect("the thread lives");
        worker.done.recv().expect("the thread lives");
    });
});
