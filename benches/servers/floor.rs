//! The floor: a server with only the cost of the sockets. It reads the available bytes, recognizes
//! the event by one byte of each message, and writes all answers at once. It parses no JSON and
//! validates nothing. No useful server can do less.
//!
//! With the argument `serde`, it parses each message with serde_json into its types, and serializes
//! the answer from them: the least cost of typed messages.

mod message;
mod shared;

use message::Message;
use serde::{Deserialize, Serialize};
use shared::listen;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;

/// The prefix of all messages. The letter after it identifies the event.
const EVENT: &[u8] = br#"{"event":""#;
/// This part is removed from a message to answer `ack`. The id and the data remain.
const ACK: &[u8] = br#""event":"ack","#;

#[derive(Deserialize, Serialize)]
struct Envelope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(borrow)]
    data: Message<'a>,
}

type Everyone = Arc<Mutex<Vec<Arc<TcpStream>>>>;

/// Reads the request, and sends the upgrade response. The client sends nothing else before it.
async fn upgrade(stream: &mut TcpStream) -> io::Result<()> {
    let mut request = Vec::with_capacity(1024);
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let request = String::from_utf8_lossy(&request);
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap_or_default();
    let accept = derive_accept_key(key.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(response.as_bytes()).await
}

/// The lengths of the first frame's header, with its mask, and of its payload, if both are
/// complete.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match *bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= header + 4 + length).then_some((header + 4, length))
}

/// The header of a text frame, and the header's length.
fn header(length: usize) -> ([u8; 10], usize) {
    let mut header = [0x81; 10];
    let size = match length {
        0..126 => {
            header[1] = length as u8;
            2
        }
        126..0x1_0000 => {
            header[1] = 126;
            header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..].copy_from_slice(&(length as u64).to_be_bytes());
            10
        }
    };
    (header, size)
}

fn append_header(out: &mut Vec<u8>, length: usize) {
    let (header, size) = header(length);
    out.extend_from_slice(&header[..size]);
}

/// Answers a message without parsing it.
fn copied(payload: &[u8], own: &mut Vec<u8>, all: &mut Vec<u8>) {
    match payload.get(EVENT.len()) {
        Some(b'a') => {
            append_header(own, payload.len() - ACK.len());
            own.push(b'{');
            own.extend_from_slice(&payload[1 + ACK.len()..]);
        }
        kind => {
            let out = if kind == Some(&b'b') { all } else { own };
            append_header(out, payload.len());
            out.extend_from_slice(payload);
        }
    }
}

/// Answers a message by parsing and serializing it with serde_json.
fn parsed(payload: &[u8], own: &mut Vec<u8>, all: &mut Vec<u8>) {
    let Ok(mut envelope) = serde_json::from_slice::<Envelope<'_>>(payload) else { return };
    let out = if envelope.event == Some("broadcast") { all } else { own };
    envelope.event.take_if(|event| *event == "ack");
    // Most headers have this length.
    const HEADER_SPACE: usize = 4;
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_SPACE]);
    if serde_json::to_writer(&mut *out, &envelope).is_err() {
        return out.truncate(start);
    }
    let (header, size) = header(out.len() - start - HEADER_SPACE);
    out.splice(start..start + HEADER_SPACE, header[..size].iter().copied());
}

/// A function that answers a message.
type Answer = fn(&[u8], &mut Vec<u8>, &mut Vec<u8>);

/// Appends the answers to all complete frames, for the sender and for everyone. Returns the number
/// of consumed bytes, or `None` at a close frame.
fn answer(bytes: &mut [u8], own: &mut Vec<u8>, all: &mut Vec<u8>, answer: Answer) -> Option<usize> {
    let mut done = 0;
    while let Some((header, length)) = frame(&bytes[done..]) {
        let opcode = bytes[done] & 0x0f;
        if opcode == 8 {
            return None;
        }
        let (head, payload) = bytes[done..done + header + length].split_at_mut(header);
        let mask = [head[header - 4], head[header - 3], head[header - 2], head[header - 1]];
        let mut words = payload.chunks_exact_mut(4);
        for word in &mut words {
            let plain = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) ^ u32::from_ne_bytes(mask);
            word.copy_from_slice(&plain.to_ne_bytes());
        }
        words.into_remainder().iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        answer(payload, own, all);
        done += header + length;
    }
    Some(done)
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn handle_messages(stream: &TcpStream, everyone: &Everyone, answer_with: Answer) -> io::Result<()> {
    // Nothing is allocated before the first message.
    let (mut read, mut used) = (Vec::new(), 0_usize);
    let (mut own, mut all) = (Vec::new(), Vec::new());
    loop {
        stream.readable().await?;
        read.resize((used + 4096).next_power_of_two().max(read.len()), 0);
        match stream.try_read(&mut read[used..]) {
            Ok(0) => return Ok(()),
            Ok(length) => used += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        let Some(done) = answer(&mut read[..used], &mut own, &mut all, answer_with) else { return Ok(()) };
        read.copy_within(done..used, 0);
        used -= done;
        write(stream, &own).await?;
        own.clear();
        if !all.is_empty() {
            let streams = everyone.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            for stream in streams {
                write(&stream, &all).await?;
            }
            all.clear();
        }
    }
}

async fn serve(mut stream: TcpStream, everyone: Everyone, answer_with: Answer) -> io::Result<()> {
    stream.set_nodelay(true)?;
    upgrade(&mut stream).await?;
    let stream = Arc::new(stream);
    let lock = || everyone.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    lock().push(stream.clone());
    let end = handle_messages(&stream, &everyone, answer_with).await;
    lock().retain(|other| !Arc::ptr_eq(other, &stream));
    end
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = listen("floor").await?;
    let everyone = Everyone::default();
    let answer_with = if std::env::args().any(|argument| argument == "serde") { parsed } else { copied };
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, everyone.clone(), answer_with));
    }
}
