use socketio::{Disconnect, Frame, PayloadError, Socket, event, events, handlers};

#[event(connect)]
async fn joined(_socket: &Socket, _name: String) {}

#[event(message)]
fn message(_frame: Frame<'_>, _text: Option<String>) {}

#[event(disconnect)]
fn left(_reason: Disconnect, _last: Result<String, PayloadError>) {}

#[event(close)]
fn closed(_reason: Disconnect) {}

#[event(error)]
fn failed(_frame: Frame<'_>) {}

struct Chat;

#[handlers]
impl Chat {
    #[event(disconnecting)]
    fn leaving(&self, _frame: Frame<'_>) {}
}

fn main() {
    let _ = Chat;
    events![joined, message, left, closed, failed];
}
