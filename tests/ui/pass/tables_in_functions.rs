#![deny(warnings)]

use socketio::{Events, Hub, event, events, handlers};

#[event("say")]
fn say(_text: String) {}

fn generic<T: Default>() -> (Events, T) {
    #[event("inner")]
    fn inner() {}

    (events![say, inner], T::default())
}

#[test]
fn compiles() {
    // This handler shadows the one outside.
    #[event("shout")]
    async fn say(_text: String) {}

    #[event("local")]
    #[derive(serde::Deserialize)]
    struct Local;

    #[event]
    fn local(_local: Local) {}

    struct Chat(u32);

    #[handlers]
    impl Chat {
        #[event("count")]
        fn count(&self) -> u32 {
            self.0
        }
    }

    let table = || events![say, local];
    assert_eq!(table().names().collect::<Vec<_>>(), ["shout", "local"]);
    assert_eq!(generic::<u8>().0.names().collect::<Vec<_>>(), ["say", "inner"]);
    assert!(Hub::builder().events(table()).events(Chat(1)).build().is_ok());
}
