//! Engine.IO over HTTP long-polling: sequential GETs, and POSTs. Its interface is that of a
//! WebSocket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{Sink, Stream};
use http::{HeaderMap, Request};
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::http::Connection;
use crate::stream::Stream as ByteStream;

const SEPARATOR: char = '\u{1e}';

/// A session.
#[derive(Debug)]
pub(crate) struct Polling {
    /// The bodies of the poll responses. The next poll starts when this is empty.
    polled: mpsc::Receiver<String>,
    /// Packets for the next POST.
    posted: mpsc::UnboundedSender<String>,
    received: VecDeque<Message>,
    /// The close frame with which the test has closed the session.
    close_frame: Option<Option<CloseFrame>>,
    /// Tasks that are aborted with the session.
    _polls: JoinSet<()>,
    posts: JoinSet<()>,
}

impl Polling {
    /// Opens a session.
    pub(crate) async fn begin(
        request: Request<()>,
        polls: ByteStream,
        posts: ByteStream,
    ) -> Result<(Self, Response), Error> {
        let mut polls = Connection::new(polls, request.headers().clone());
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let response = polls.request("GET", &target, "").await?;
        if response.status() != 200 {
            return Err(Error::Http(Box::new(response.map(|body| Some(body.into_bytes())))));
        }
        let open = response.body().strip_prefix('0').expect("the packet that opens a session");
        let open: Value = serde_json::from_str(open).expect("JSON");
        let target = format!("{target}&sid={}", open["sid"].as_str().expect("an id"));
        let max_payload = open["maxPayload"].as_u64().and_then(|max| max.try_into().ok()).expect("a number");
        let posts = Connection::new(posts, HeaderMap::new());
        let (bodies, polled) = mpsc::channel(1);
        let (posted, packets) = mpsc::unbounded_channel();
        let polls = JoinSet::from_iter([poll(polls, target.clone(), bodies)]);
        let posts = JoinSet::from_iter([post(posts, target, packets, max_payload)]);
        let session = Self { polled, posted, received: VecDeque::new(), close_frame: None, _polls: polls, posts };
        Ok((session, response.map(|_| None)))
    }
}

/// Polls until the session ends.
async fn poll(mut connection: Connection, target: String, bodies: mpsc::Sender<String>) {
    loop {
        // Polls again when the last body has been taken.
        let Ok(room) = bodies.reserve().await else { return };
        match connection.request("GET", &target, "").await {
            Ok(response) if response.status() == 200 => {
                let is_last = response.body().rsplit(SEPARATOR).next() == Some("1");
                room.send(response.into_body());
                if is_last {
                    return;
                }
            }
            // The session or the connection has ended.
            _ => return,
        }
    }
}

/// Sends packets, as many per POST as are queued and the server accepts.
async fn post(
    mut connection: Connection,
    target: String,
    mut packets: mpsc::UnboundedReceiver<String>,
    max_payload: usize,
) {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(packet) => packet,
            None => match packets.recv().await {
                Some(packet) => packet,
                None => return,
            },
        };
        let mut body = first;
        while let Ok(packet) = packets.try_recv() {
            if body.len() + packet.len() >= max_payload {
                next = Some(packet);
                break;
            }
            body.push(SEPARATOR);
            body.push_str(&packet);
        }
        let is_last = body.rsplit(SEPARATOR).next() == Some("1");
        match connection.request("POST", &target, &body).await {
            Ok(response) if response.status() == 200 && !is_last => assert_eq!(response.body(), "ok"),
            _ => return,
        }
    }
}

/// The WebSocket message for a packet in a body.
fn message(packet: &str) -> Message {
    match packet.strip_prefix('b') {
        Some(bytes) => Message::binary(STANDARD.decode(bytes).expect("base64")),
        None if packet == "1" => Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })),
        None => Message::text(packet),
    }
}

impl Stream for Polling {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        loop {
            if let Some(message) = self.received.pop_front() {
                return Poll::Ready(Some(Ok(message)));
            }
            match ready!(self.polled.poll_recv(context)) {
                Some(body) => self.received.extend(body.split(SEPARATOR).map(message)),
                // A WebSocket server would have answered the close frame.
                None => return Poll::Ready(self.close_frame.take().map(|frame| Ok(Message::Close(frame)))),
            }
        }
    }
}

impl Sink<Message> for Polling {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let packet = match message {
            Message::Text(text) => text.to_string(),
            Message::Binary(bytes) => format!("b{}", STANDARD.encode(bytes)),
            Message::Close(frame) => {
                self.close_frame = Some(frame);
                "1".to_owned()
            }
            other => panic!("long-polling has no frames: {other:?}"),
        };
        self.posted.send(packet).map_err(|_| Error::Io(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Waits only for the POST that closes the session. Waiting for a request that the server
        // leaves unanswered would never end.
        match self.close_frame {
            Some(_) => self.posts.poll_join_next(context).map(|_| Ok(())),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }
}
