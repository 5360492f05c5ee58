#![deny(warnings)]

use socketio::{Disconnect, EventError, EventName, Frame, Handshake, Hub, Refusal, handlers};

struct Chat(String);

#[handlers]
impl Chat {
    #[event(connect)]
    async fn joined(&self, handshake: Handshake<'_>) -> Result<(), Refusal> {
        let _ = (handshake, &self.0);
        Ok(())
    }

    #[event(message)]
    fn message(&self, _frame: Frame<'_>) {}

    #[event(disconnect)]
    fn left(&self, _reason: Disconnect) {}

    #[event(error)]
    fn failed(_error: EventError) {}

    #[event(fallback)]
    fn unknown(&self, name: EventName<'_>) -> String {
        name.to_string()
    }
}

#[test]
fn compiles() {
    assert!(Hub::builder().events(Chat(String::new())).build().is_ok());
}
