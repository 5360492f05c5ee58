use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio::{Ack, Hub, handlers};

trait Db: Send + Sync + 'static {
    type Row: Serialize + DeserializeOwned;
}

struct Memory;

impl Db for Memory {
    type Row = u32;
}

struct Chat<D>(D);

#[handlers]
impl<D: Db> Chat<D> {
    #[event("ack")]
    fn ack(&self, _ack: Ack) -> Option<D::Row> {
        None
    }
}

struct Game<D>(D);

#[handlers]
impl<D: Db> Game<D> {
    #[event("move")]
    fn moved(&self, _x: Option<u32>, _row: D::Row) {}
}

fn main() {
    let _ = Hub::builder().events(Chat(Memory)).events(Game(Memory));
}
