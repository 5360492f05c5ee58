#![deny(warnings)]

use serde::{Deserialize, Serialize};
use socketio::{Ack, EventError, Hub, Socket, handlers};
use std::sync::Mutex;

#[derive(Default)]
struct Chat {
    said: Mutex<Vec<String>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Receipt {
    at: usize,
}

#[handlers]
impl Chat {
    const LIMIT: usize = 3;

    /// Not a handler.
    fn len(&self) -> usize {
        self.said.lock().map_or(0, |said| said.len())
    }

    /// Says something.
    #[event("say")]
    async fn say(&self, socket: &Socket, message: Message<'_>) -> Result<Receipt, EventError> {
        std::future::ready(socket.id()).await;
        if self.len() >= Self::LIMIT {
            return Err(EventError::new("full", "say no more"));
        }
        self.said.lock().expect("nobody panicked").push(message.text.to_owned());
        Ok(Receipt { at: self.len() })
    }

    #[event("typing")]
    pub fn typing(&self, _room: Option<String>) {}

    #[event("last")]
    fn last<'a>(&'a self, _socket: &Socket) -> Option<String> {
        self.said.lock().ok()?.last().cloned()
    }

    #[event("echo")]
    fn echo(text: String) -> String {
        text
    }

    #[event("later")]
    fn later(&self, ack: Ack) {
        ack.forget();
    }
}

#[test]
fn compiles() {
    assert!(Hub::builder().events(Chat::default()).build().is_ok());
}
