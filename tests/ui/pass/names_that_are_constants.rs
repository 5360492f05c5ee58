//! `#[event(NAME)]`, where `NAME` is a constant.

#![deny(warnings)]

use serde::Serialize;
use socketio::{Event, Hub, event, events, handlers};

mod names {
    pub(super) const MOVED: &str = "moved";
}

const SAY: &str = "say";

#[event(SAY)]
fn say() {}

#[event(names::MOVED)]
#[derive(Serialize)]
struct Moved;

struct Chat;

#[handlers]
impl Chat {
    const TYPING: &str = "typing";

    #[event(Self::TYPING, concurrent)]
    async fn typing(&self) {}
}

struct Shelf<T>(std::marker::PhantomData<T>);

enum Book {}

#[handlers]
impl Shelf<Book> {
    const TAKEN: &str = "taken";

    #[event(Self::TAKEN)]
    fn taken(&self) {}
}

struct Store<D>(D);

#[handlers]
impl<D: Send + Sync + 'static> Store<D> {
    const OPENED: &str = "opened";

    #[event(Self::OPENED)]
    fn opened(&self) {}
}

#[test]
fn compiles() {
    assert_eq!(events![say].names().collect::<Vec<_>>(), ["say"]);
    assert_eq!(Moved::NAME, "moved");
    Hub::builder()
        .events(Chat)
        .events(Shelf::<Book>(std::marker::PhantomData))
        .events(Store(7))
        .build()
        .expect("a hub");
}
