use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio::{Hub, handlers};

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
    #[event("row")]
    fn row(&self) -> Option<D::Row> {
        None
    }

    #[event("move")]
    fn moved(&self, _row: D::Row, _x: Option<u32>) {}
}

fn main() {
    assert!(Hub::builder().events(Chat(Memory)).build().is_ok());
}
