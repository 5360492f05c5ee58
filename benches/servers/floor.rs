//! The floor: what sockets alone cost. It reads what has arrived, looks at one byte of each message to see what is wanted,
//! and writes all answers at once. It parses no JSON, checks nothing, and knows no event: no server can be of use and do less.

mod shared;

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

fn append_header(out: &mut Vec<u8>, length: usize) {
    out.push(0x81);
    match length {
        0..126 => out.push(length as u8),
        126..0x1_0000 => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Appends the answers to all whole frames, those for the sender and those for everyone; says how much is done with, or
/// nothing at a close frame.
fn answer(bytes: &mut [u8], own: &mut Vec<u8>, all: &mut Vec<u8>) -> Option<usize> {
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
        match payload.get(EVENT.len()) {
            Some(b'a') => {
                append_header(own, length - ACK.len());
                own.push(b'{');
                own.extend_from_slice(&payload[1 + ACK.len()..]);
            }
            kind => {
                let out = if kind == Some(&b'b') { &mut *all } else { &mut *own };
                append_header(out, length);
                out.extend_from_slice(payload);
            }
        }
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

async fn talk(stream: &TcpStream, everyone: &Everyone) -> io::Result<()> {
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
        let Some(done) = answer(&mut read[..used], &mut own, &mut all) else { return Ok(()) };
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

async fn serve(mut stream: TcpStream, everyone: Everyone) -> io::Result<()> {
    stream.set_nodelay(true)?;
    upgrade(&mut stream).await?;
    let stream = Arc::new(stream);
    let lock = || everyone.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    lock().push(stream.clone());
    let end = talk(&stream, &everyone).await;
    lock().retain(|other| !Arc::ptr_eq(other, &stream));
    end
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = listen("floor").await?;
    let everyone = Everyone::default();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, everyone.clone()));
    }
}
