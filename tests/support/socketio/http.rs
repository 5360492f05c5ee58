//! A minimal HTTP client for long-polling: sequential requests on a keep-alive connection.

use http::{HeaderMap, Response, StatusCode};
use std::fmt::Write;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stream::Stream;

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    headers: HeaderMap,
    received: Vec<u8>,
}

impl Connection {
    /// `headers` are sent with every request.
    pub(super) fn new(stream: Stream, headers: HeaderMap) -> Self {
        Self { stream, headers, received: Vec::new() }
    }

    /// Sends a request, and receives its response.
    pub(super) async fn request(&mut self, method: &str, target: &str, body: &str) -> io::Result<Response<String>> {
        let mut request = format!("{method} {target} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
        if !self.headers.contains_key("host") {
            request.push_str("host: localhost\r\n");
        }
        for (name, value) in &self.headers {
            write!(request, "{name}: {}\r\n", value.to_str().expect("text")).expect("there is memory");
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        loop {
            if let Some((response, length)) = self.response() {
                self.received.drain(..length);
                return Ok(response);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Parses the received response, and returns its length in bytes.
    fn response(&self) -> Option<(Response<String>, usize)> {
        let start = 4 + self.received.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&self.received[..start - 4]).expect("text");
        let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for header in headers.split("\r\n") {
            let (name, value) = header.split_once(": ").expect("a header");
            let name: http::HeaderName = name.parse().expect("a header");
            response.headers_mut().append(name, value.parse().expect("a header"));
        }
        let length = response.headers().get("content-length").expect("a length").to_str().expect("text");
        let length = start + length.parse::<usize>().expect("a number");
        let body = self.received.get(start..length)?;
        *response.body_mut() = String::from_utf8(body.to_vec()).expect("text");
        Some((response, length))
    }
}
