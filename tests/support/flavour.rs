//! What the clients of a run of the tests speak: envelopes over a plain WebSocket, or Socket.IO, by long-polling, over a
//! WebSocket, or over a WebSocket with MessagePack. `CLIENT=polling cargo test …` chooses.

/// What this run's clients are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Plain WebSocket clients.
    Plain,
    /// Socket.IO clients by HTTP long-polling.
    Polling,
    /// Socket.IO clients over a WebSocket.
    SocketIo,
    /// The same, with MessagePack in place of the default encoding.
    Msgpack,
}

/// What the environment variable `CLIENT` says: `plain`, `polling`, `socketio` or `msgpack`; without it, plain.
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
    /// Whether a client is nothing but a WebSocket: it sends raw messages and control frames, and breaks no packet's rules.
    pub fn is_plain(self) -> bool {
        self == Self::Plain
    }

    /// Whether there is no WebSocket, and so no close frame.
    pub fn polls(self) -> bool {
        self == Self::Polling
    }

    /// What a client is told when this server ends its connection with a close frame. Who polls hears that it is over, and
    /// so does a Socket.IO client of what the application itself ends: it is sent away from the namespace before.
    pub fn told(self, code: u16, reason: &str) -> Option<(u16, String)> {
        match (self, code) {
            (Self::Plain, _) | (Self::SocketIo | Self::Msgpack, 1001..=1013) => Some((code, reason.to_owned())),
            _ => Some((1000, String::new())),
        }
    }

    /// What is known of a client's own end, where a WebSocket's close frame says this.
    pub fn left(self, code: u16, reason: &str) -> (u16, &str) {
        if self.polls() { (1005, "") } else { (code, reason) }
    }

    /// The name of the end of a connection that is cut: to Engine.IO, a stream that ends is one that the client closes.
    pub fn cut(self) -> &'static str {
        match self {
            Self::Plain | Self::Polling => "transport error",
            Self::SocketIo | Self::Msgpack => "transport close",
        }
    }

    /// The name of the end of a connection that the application closes: a Socket.IO client leaves its namespace first.
    pub fn closed(self) -> &'static str {
        if self.is_plain() { "forced close" } else { "server namespace disconnect" }
    }
}

/// Says that a test is for plain WebSocket clients alone. Such tests stand in modules named `plain_only`.
///
/// # Panics
///
/// This run has other clients.
pub fn plain_only() {
    assert_applies(flavour().is_plain(), "plain_only");
}

/// Says that a test needs clients with a WebSocket. Such tests stand in modules named `websocket_only`.
///
/// # Panics
///
/// The clients of this run poll.
pub fn websocket_only() {
    assert_applies(!flavour().polls(), "websocket_only");
}

/// Says that a test needs clients that write JSON. Such tests stand in modules named `json_only`.
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
