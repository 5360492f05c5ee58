//! HTTP/1.1, as needed for long-polling and upgrades.

use memchr::memmem;
use std::io::Write;
use std::ops::Range;

/// The key of all upgrades, and its response: the example of RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub fn upgrade(path: &str, host: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
    .into_bytes()
}

pub fn get(path: &str, host: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n").into_bytes()
}

pub fn post(out: &mut Vec<u8>, path: &str, host: &str, body: &[u8]) {
    let length = body.len();
    // Writing to a `Vec` never fails.
    _ = write!(
        out,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n"
    );
    out.extend_from_slice(body);
}

fn head(bytes: &[u8], status: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    if bytes.strip_prefix(b"HTTP/1.1 ").is_some_and(|rest| rest.starts_with(status)) {
        return Ok(Some(end + 4));
    }
    Err(format!("expected status {}, got: {}", String::from_utf8_lossy(status), String::from_utf8_lossy(bytes)))
}

/// The length of the response to an upgrade, once it is complete.
pub fn upgraded(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = head(bytes, b"101")? else { return Ok(None) };
    if memmem::find(&bytes[..end], ACCEPT).is_none() {
        return Err("the upgrade has a wrong key".into());
    }
    Ok(Some(end))
}

/// The range of the first response's body, once it is complete.
pub fn response(bytes: &[u8]) -> Result<Option<Range<usize>>, String> {
    let Some(start) = head(bytes, b"200")? else { return Ok(None) };
    let length = bytes[..start].split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        name.eq_ignore_ascii_case(b"content-length:")
            .then(|| std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok())?
    });
    let Some(length) = length else {
        return Err(format!("a response without a length: {}", String::from_utf8_lossy(&bytes[..start])));
    };
    Ok((bytes.len() >= start + length).then(|| start..start + length))
}
