#![deny(warnings)]

use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio::{EventError, Hub, Socket, State, handlers};
use std::marker::PhantomData;
use std::sync::Arc;

trait Db: Send + Sync + 'static {
    type Row: Serialize + DeserializeOwned + Clone + Send;

    fn find(&self, id: u32) -> Option<Self::Row>;
}

struct Memory;

impl Db for Memory {
    type Row = String;

    fn find(&self, id: u32) -> Option<String> {
        (id == 1).then(String::new)
    }
}

struct Chat<D> {
    db: D,
}

#[handlers]
impl<D: Db> Chat<D> {
    #[event("find")]
    fn find(&self, id: u32) -> Option<D::Row> {
        self.db.find(id)
    }

    #[event("store")]
    async fn store(&self, _socket: &Socket, row: D::Row, _label: Option<String>) -> Result<D::Row, EventError> {
        std::future::ready(()).await;
        Ok(row)
    }

    #[event("state")]
    fn state(&self, _shared: State<D>) {}
}

struct Sized<T, const N: usize>(PhantomData<fn(T)>);

#[handlers]
impl<T, const N: usize> Sized<T, N>
where
    T: DeserializeOwned + Serialize + 'static,
{
    #[event("array")]
    fn array(&self, values: Vec<T>) -> usize {
        values.len() + N
    }

    #[event("static")]
    fn without_self(value: T) -> T {
        value
    }
}

struct Dynamic<T: ?std::marker::Sized>(Arc<T>);

#[handlers]
impl Dynamic<dyn Fn() -> u32 + Send + Sync> {
    #[event("call")]
    fn call(&self) -> u32 {
        (self.0)()
    }
}

struct Texts<'a>(&'a [&'a str]);

#[handlers]
impl<'a> Texts<'a> {
    #[event("first")]
    fn first(&self) -> Option<&'a str> {
        self.0.first().copied()
    }

    #[event("last")]
    async fn last(&self) -> Option<&'a str> {
        self.0.last().copied()
    }
}

#[test]
fn compiles() {
    let chat = Chat { db: Memory };
    assert!(Hub::builder().state(Memory).events(chat).build().is_ok());
    assert!(Hub::builder().events(Chat { db: Memory }).build().is_err(), "a state is missing");
    assert!(Hub::builder().events(Texts(&["first", "last"])).build().is_ok());
    assert!(Hub::builder().events(Sized::<String, 3>(PhantomData)).build().is_ok());
    assert!(Hub::builder().events(Dynamic(Arc::new(|| 1_u32) as Arc<dyn Fn() -> u32 + Send + Sync>)).build().is_ok());
}
