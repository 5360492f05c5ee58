#![deny(warnings)]

mod bare {
    #![no_implicit_prelude]

    use ::socketio::{Socket, event, events, handlers};
    use ::std::option::Option;
    use ::std::string::String;

    #[event("say")]
    fn say(_socket: &Socket, _text: String, _label: Option<u32>) -> u32 {
        1
    }

    #[event("later")]
    async fn later(_text: String) -> ::std::result::Result<(), String> {
        ::std::result::Result::Ok(())
    }

    #[event(connect)]
    fn joined(_socket: &Socket) {}

    pub(crate) struct Chat;

    #[handlers]
    impl Chat {
        #[event("typing")]
        fn typing(&self, _room: Option<String>) {}
    }

    pub(crate) const EVENTS: ::socketio::Events = events![say, later, joined];
}

#[test]
fn compiles() {
    assert!(socketio::Hub::builder().events(bare::EVENTS).events(bare::Chat).build().is_ok());
}
