//! The floor: what sockets alone cost. It reads what has arrived, looks at one byte of each message to see what is wanted,
//! and writes all answers at once. It parses no JSON, checks nothing, and knows no event: no server can be of use and do less.
//!
//! With the argument `serde` it parses each message with serde_json into the types that it is made of, and writes the answer from
//! these: what typed messages cost at least.

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

/// Clients start their messages so; what follows tells the events apart by its first letter.
const EVENT: &[u8] = br#"{"event":""#;
/// An ack is the message without this, so that what is left is its id and its data.
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

/// Reads the request, answers with the upgrade. Nothing follows the request before it is answered.
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

/// The lengths of the first frame's header, mask included, and of its payload, once both have arrived.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match *bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= header + 4 + length).then_some((header + 4, length))
}

/// The header of a text message, and its length.
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

/// Answers a message without looking into it.
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

/// Answers a message with what serde_json reads and writes.
fn parsed(payload: &[u8], own: &mut Vec<u8>, all: &mut Vec<u8>) {
    let Ok(mut envelope) = serde_json::from_slice::<Envelope<'_>>(payload) else { return };
    let out = if envelope.event == Some("broadcast") { all } else { own };
    envelope.event.take_if(|event| *event == "ack");
    // Most headers are of this length.
    const ROOM: usize = 4;
    let start = out.len();
    out.extend_from_slice(&[0; ROOM]);
    if serde_json::to_writer(&mut *out, &envelope).is_err() {
        return out.truncate(start);
    }
    let (header, size) = header(out.len() - start - ROOM);
    out.splice(start..start + ROOM, header[..size].iter().copied());
}

/// How a message is answered.
type Answer = fn(&[u8], &mut Vec<u8>, &mut Vec<u8>);

/// Appends the answers to all whole frames, those for the sender and those for everyone; says how much is done with, or
/// nothing at a close frame.
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

async fn talk(stream: &TcpStream, everyone: &Everyone, how: Answer) -> io::Result<()> {
    // Nothing is held before the first message.
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
        let Some(done) = answer(&mut read[..used], &mut own, &mut all, how) else { return Ok(()) };
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

async fn serve(mut stream: TcpStream, everyone: Everyone, how: Answer) -> io::Result<()> {
    stream.set_nodelay(true)?;
    upgrade(&mut stream).await?;
    let stream = Arc::new(stream);
    let lock = || everyone.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    lock().push(stream.clone());
    let end = talk(&stream, &everyone, how).await;
    lock().retain(|other| !Arc::ptr_eq(other, &stream));
    end
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = listen("floor").await?;
    let everyone = Everyone::default();
    let how = if std::env::args().any(|argument| argument == "serde") { parsed } else { copied };
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, everyone.clone(), how));
    }
}
