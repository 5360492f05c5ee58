//! [`Client`]: the exporter's HTTP client. It blocks the exporter's own thread.

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::pin::Pin;

/// Sends each request over a connection of its own.
#[derive(Debug)]
pub(crate) struct Client;

impl HttpClient for Client {
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move { send(&request) })
    }
}

fn send(request: &Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let address = request.uri().authority().ok_or("no host")?.as_str();
    let mut head = format!("POST {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", request.uri().path());
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str()?);
    }
    head += &format!("content-length: {}\r\n\r\n", request.body().len());
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(request.body())?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let status = response.get(9..12).ok_or("no status")?;
    // The exporter reads from the body of a success what was refused: nothing.
    Ok(Response::builder().status(status).body(Bytes::new())?)
}
