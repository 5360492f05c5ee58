use socketio::{Disconnect, EventError, Frame, event, events};

#[event("left")]
fn left(_reason: Disconnect) {}

#[event("failed")]
async fn failed(_error: EventError) {}

#[event(fallback)]
fn received(_frame: Frame<'_>) {}

fn main() {
    events![left, failed, received];
}
