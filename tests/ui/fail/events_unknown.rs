use socketio::events;

mod chat {
    use socketio::event;

    #[event("say")]
    pub fn say(_text: String) {}

    #[event("whisper")]
    fn whisper(_text: String) {}
}

fn main() {
    events![sey];
    events![chat::sey];
    events![chat::whisper];
    events![..chat::EVENTS];
}
