//! The macros find the crate under whatever name it has in the manifest.

#[cfg(test)]
mod tests {
    use realtime::{Argument, Arguments, Event, EventError, Events, Hub, Socket, event, events, handlers};
    use serde::{Deserialize, Serialize};

    /// A payload type.
    #[event("moved")]
    #[derive(Serialize, Deserialize)]
    struct Moved<'a> {
        who: &'a str,
    }

    struct Name(String);

    impl<'a> Argument<'a> for Name {
        fn from_event(arguments: &mut Arguments<'a>) -> Result<Self, EventError> {
            Ok(Name(arguments.event_name().to_owned()))
        }
    }

    #[event(connect)]
    fn joined(_socket: &Socket) {}

    #[event]
    async fn moved(socket: &Socket, moved: Moved<'_>) -> Result<usize, EventError> {
        let _ = socket.emit(&moved);
        Ok(moved.who.len())
    }

    mod chat {
        use realtime::{Events, event, events};

        #[event("say", concurrent)]
        pub(super) async fn say(_text: String, _label: Option<u32>) {}

        pub(super) const EVENTS: Events = events![say];
    }

    #[event("name")]
    fn name(name: Name) -> String {
        name.0
    }

    struct Chat<T>(T);

    #[handlers]
    impl<T: Clone + Serialize + Send + Sync + 'static> Chat<T> {
        #[event("typing")]
        fn typing(&self, _room: String) -> T {
            self.0.clone()
        }
    }

    const EVENTS: Events = events![joined, moved, self::name, ..chat::EVENTS];

    #[test]
    fn a_renamed_dependency_is_found() {
        assert_eq!(Moved::NAME, "moved");
        assert_eq!(EVENTS.names().collect::<Vec<_>>(), ["moved", "name", "say"]);
        assert!(Hub::builder().events(EVENTS).events(Chat(1)).build().is_ok());
    }
}
