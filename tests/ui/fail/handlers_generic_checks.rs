use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio::{Ack, handlers};

trait Db: Send + Sync + 'static {
    type Row: Serialize + DeserializeOwned;
}

struct Chat<D>(D);

#[handlers]
impl<D: Db> Chat<D> {
    #[event("ack")]
    fn ack(&self, _ack: Ack) -> u32 {
        0
    }

    #[event("move")]
    fn moved(&self, _row: D::Row, _x: Option<u32>, _y: u32) {}
}

fn main() {}
