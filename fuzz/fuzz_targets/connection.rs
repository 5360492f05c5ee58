//! Sends arbitrary bytes to a connection. It must not panic, must end with its stream and must fire
//! `connect` and `disconnect` once each. It must write only valid frames and must not reveal the
//! server's internals.
//!
//! The first byte of the input selects the mode: bytes that arrive in pieces, or one message per
//! line, sent as frames. From 128 on, the client uses Socket.IO; below, it uses plain envelopes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use socketio::{Ack, Args, Binary, EngineRoutes, EventError, Hub, PayloadError, RawArgs, Socket, event, events};
use std::cell::Cell;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::Runtime;

thread_local! {
    static CONNECTED: Cell<usize> = const { Cell::new(0) };
    static DISCONNECTED: Cell<usize> = const { Cell::new(0) };
    static RUNTIME: Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
}

// The names of these types, and file paths, must not reach clients.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct InnerRecord {
    name: String,
    #[serde(default)]
    ages: Vec<u8>,
    #[serde(default)]
    nested: Option<Box<InnerRecord>>,
    #[serde(default)]
    kinds: HashMap<String, InnerKind>,
    #[serde(default)]
    tagged: Option<InnerTagged>,
    #[serde(default)]
    untagged: Option<InnerUntagged>,
    #[serde(default)]
    bytes: Binary,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum InnerKind {
    Unit,
    New(i64),
    Tuple(u8, char),
    Fields { x: f64 },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "t")]
enum InnerTagged {
    A { x: u32 },
    B,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum InnerUntagged {
    Flag(bool),
    Pair(u8, u8),
}

const SECRETS: [&str; 7] = ["InnerRecord", "InnerKind", "InnerTagged", "InnerUntagged", "socketio::", "core::", ".rs:"];

#[event("record")]
fn record(record: InnerRecord) -> InnerRecord {
    record
}

#[event("later")]
async fn later(socket: &Socket, text: String, rest: Option<i32>) -> Args<(usize, Option<i32>)> {
    tokio::task::yield_now().await;
    // Clients can trigger emits, joins and local events.
    let _ = socket.join(&text);
    let _ = socket.to(&text).emit(("told", rest));
    let _ = socket.fire("record", &text);
    Args((text.len(), rest))
}

#[event("side", concurrent)]
async fn side(number: i64, ack: Ack) {
    for _ in 0..number.clamp(0, 3) {
        tokio::task::yield_now().await;
    }
    let _ = ack.send(number);
}

#[event("checked")]
fn checked(payload: Result<InnerRecord, PayloadError>) -> Result<bool, EventError> {
    Ok(payload?.nested.is_some())
}

#[event("ask")]
async fn ask(socket: &Socket) -> Result<u8, EventError> {
    // The timeout is short: if the inbox is full, a connection that waits for an answer notices its
    // end only then.
    socket.timeout(Duration::from_millis(1)).emit_with_ack::<u8>(("question",)).await.map_err(|_| "no answer".into())
}

#[event("close")]
fn close(socket: &Socket) {
    socket.close();
}

#[event(fallback)]
fn fallback(args: RawArgs<'_>) -> Result<usize, PayloadError> {
    args.all::<serde_json::Value>().map(|all| all.len())
}

#[event(connect)]
fn connect() {
    CONNECTED.set(CONNECTED.get() + 1);
}

#[event(disconnect)]
fn disconnect() {
    DISCONNECTED.set(DISCONNECTED.get() + 1);
}

static HUB: LazyLock<Hub> = LazyLock::new(|| {
    let table = events![record, later, side, checked, ask, close, fallback, connect, disconnect];
    let hub = Hub::builder().max_payload(2048).inbox(4, 512).events(table).build().expect("a hub");
    hub.on("message", |payload| {
        let _ = payload.json::<InnerRecord>();
    });
    hub
});

static ROUTES: LazyLock<EngineRoutes> = LazyLock::new(|| HUB.socketio());

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A client's frame, masked with zeros.
fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The pieces in which the bytes arrive.
fn pieces(kind: u8, input: &[u8]) -> Vec<Vec<u8>> {
    match kind % 3 {
        0 => vec![input.to_vec()],
        1 => input.chunks(usize::from(kind / 3) + 1).map(<[u8]>::to_vec).collect(),
        // A line that starts with a zero is a binary message.
        _ => input
            .split(|byte| *byte == b'\n')
            .map(|line| match line.strip_prefix(b"\0") {
                Some(line) => frame(0x82, line),
                None => frame(0x81, line),
            })
            .collect(),
    }
}

/// Whether the client speaks Socket.IO.
fn is_socketio(kind: u8) -> bool {
    kind >= 128
}

/// The JSON of a packet. The prefix may contain any character in its namespace but a comma.
fn json_of(packet: &str) -> &str {
    let is_head = |head: &str| head.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let behind = match packet.split_once('/') {
        Some((head, rest)) if is_head(head) => rest.split_once(',').map_or("", |(_, behind)| behind),
        _ => packet,
    };
    &behind[behind.find(['[', '{']).unwrap_or(behind.len())..]
}

/// Checks that the output consists of valid server frames, that text messages contain JSON, and
/// that nothing follows the close frame.
fn check(mut output: &[u8], input: &[u8], kind: u8) {
    let mut closed = false;
    while !output.is_empty() {
        assert!(!closed, "something behind the close frame");
        let (head, length) = match output[1] {
            length @ 0..=125 => (2, usize::from(length)),
            126 => (4, usize::from(u16::from_be_bytes([output[2], output[3]]))),
            127 => {
                (10, usize::try_from(u64::from_be_bytes(output[2..10].try_into().expect("8 bytes"))).expect("a length"))
            }
            _ => panic!("a masked frame"),
        };
        assert!(head == 2 || length > 125, "a length in a longer form than needed");
        assert!(head != 10 || length > 0xffff, "a length in a longer form than needed");
        let payload = &output[head..head + length];
        match output[0] {
            0x81 => {
                let text = std::str::from_utf8(payload).expect("UTF-8");
                let json = if is_socketio(kind) { json_of(text) } else { text };
                if !json.is_empty() {
                    serde_json::from_str::<IgnoredAny>(json).expect("JSON");
                }
                keeps_secrets(text, input);
            }
            0x82 => assert!(is_socketio(kind), "a binary message"),
            0x88 => {
                closed = true;
                if !payload.is_empty() {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    assert!((1000..5000).contains(&code) && !matches!(code, 1004..=1006 | 1015), "{code}");
                    keeps_secrets(std::str::from_utf8(&payload[2..]).expect("UTF-8"), input);
                }
            }
            0x89 | 0x8a => assert!(head == 2, "a long control frame"),
            other => panic!("a frame that begins with {other:#x}"),
        }
        output = &output[head + length..];
    }
}

/// A text that the client itself sent, in any notation, is not a secret.
fn keeps_secrets(text: &str, input: &[u8]) {
    for secret in SECRETS {
        let sent = || input.windows(secret.len()).any(|part| part == secret.as_bytes());
        let escaped = || input.windows(2).any(|part| part == b"\\u");
        assert!(!text.contains(secret) || sent() || escaped(), "{text}");
    }
}

async fn run(kind: u8, input: &[u8]) -> Vec<u8> {
    let (ours, theirs) = duplex(1 << 16);
    let (mut read, mut write) = tokio::io::split(ours);
    let sending = async {
        for piece in pieces(kind, input) {
            if write.write_all(&piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = write.shutdown().await;
    };
    let mut output = Vec::new();
    let everything = async {
        // The stream ends only when the connection is dropped after its end.
        let connection: BoxFuture<'_, ()> = match is_socketio(kind) {
            true => Box::pin(socketio::fuzzing::socketio_connection(&ROUTES, &HUB, theirs)),
            false => Box::pin(socketio::fuzzing::connection(&HUB, theirs)),
        };
        tokio::join!(connection, sending, read.read_to_end(&mut output)).2
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), everything).await;
    ended.expect("the connection does not end").expect("it can be read");
    output
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, input)) = input.split_first() else { return };
    let (connected, disconnected) = (CONNECTED.get(), DISCONNECTED.get());
    let output = RUNTIME.with(|runtime| runtime.block_on(run(*kind, input)));
    let (connected, disconnected) = (CONNECTED.get() - connected, DISCONNECTED.get() - disconnected);
    assert!(connected == disconnected && (connected == 1 || is_socketio(*kind)), "{connected}, {disconnected}");
    assert!(HUB.is_empty() && HUB.stats().connections == 0);
    check(&output, input, *kind);
});
