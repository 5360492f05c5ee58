//! The protocol of this run's clients: envelopes over a plain WebSocket, or Socket.IO over
//! long-polling, over WebSocket, or over WebSocket with MessagePack. Set it with `CLIENT=polling
//! cargo test …`.

/// The protocol and transport of this run's clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Plain WebSocket clients.
    Plain,
    /// Socket.IO over HTTP long-polling.
    Polling,
    /// Socket.IO over WebSocket.
    SocketIo,
    /// Socket.IO over WebSocket, with MessagePack instead of the default encoding.
    Msgpack,
}

/// The flavour in the environment variable `CLIENT`: `plain`, `polling`, `socketio` or `msgpack`.
/// Default: `plain`.
pub fn flavour() -> Flavour {
    match std::env::var("CLIENT").as_deref() {
        Err(_) | Ok("plain") => Flavour::Plain,
        Ok("polling") => Flavour::Polling,
        Ok("socketio") => Flavour::SocketIo,
        Ok("msgpack") => Flavour::Msgpack,
        Ok(other) => panic!("CLIENT is `plain`, `polling`, `socketio` or `msgpack`, not `{other}`"),
    }
}

impl Flavour {
    /// Whether clients are plain WebSockets. They send raw messages and control frames, and have no
    /// packets to violate.
    pub fn is_plain(self) -> bool {
        self == Self::Plain
    }

    /// Whether clients use long-polling, which has no close frames.
    pub fn polls(self) -> bool {
        self == Self::Polling
    }

    /// The close frame that a client sees when the server closes its connection with this one. A
    /// polling client only sees the end. A Socket.IO client whose socket the application closes is
    /// disconnected from its namespace first.
    pub fn told(self, code: u16, reason: &str) -> Option<(u16, String)> {
        match (self, code) {
            (Self::Plain, _) | (Self::SocketIo | Self::Msgpack, 1001..=1013) => Some((code, reason.to_owned())),
            _ => Some((1000, String::new())),
        }
    }

    /// The code and reason that the server sees when the client closes its connection with these.
    pub fn left(self, code: u16, reason: &str) -> (u16, &str) {
        if self.polls() { (1005, "") } else { (code, reason) }
    }

    /// The disconnect reason of a connection that is cut. For Engine.IO over WebSocket, an ended
    /// stream counts as closed by the client.
    pub fn cut(self) -> &'static str {
        match self {
            Self::Plain | Self::Polling => "transport error",
            Self::SocketIo | Self::Msgpack => "transport close",
        }
    }

    /// The disconnect reason of a connection that the application closes. A Socket.IO client is
    /// disconnected from its namespace first.
    pub fn closed(self) -> &'static str {
        if self.is_plain() { "forced close" } else { "server namespace disconnect" }
    }
}

/// Marks a test for plain WebSocket clients. Such tests belong in modules named `plain_only`.
///
/// # Panics
///
/// This run has other clients.
pub fn plain_only() {
    assert_applies(flavour().is_plain(), "plain_only");
}

/// Marks a test for clients with a WebSocket. Such tests belong in modules named `websocket_only`.
///
/// # Panics
///
/// The clients of this run use long-polling.
pub fn websocket_only() {
    assert_applies(!flavour().polls(), "websocket_only");
}

/// Marks a test for clients that write JSON. Such tests belong in modules named `json_only`.
///
/// # Panics
///
/// The clients of this run write MessagePack.
pub fn json_only() {
    assert_applies(flavour() != Flavour::Msgpack, "json_only");
}

fn assert_applies(applies: bool, module: &str) {
    assert!(
        applies,
        "this test does not apply to the clients of this run ({:?}): move it into a module `{module}`, and run the tests by \
         `tests/flavour`, which leaves out such modules",
        flavour()
    );
}
