#![deny(warnings)]

use socketio::{EventName, RawArgs, Socket, event, events};

#[event(fallback)]
async fn unknown(_socket: &Socket, name: EventName<'_>, args: RawArgs<'_>) -> Option<String> {
    args.first::<String>().ok().map(|first| format!("{}: {first}", &*name))
}

mod concurrent {
    use socketio::event;

    #[event(fallback, concurrent)]
    pub(crate) async fn unknown(_first: Option<String>) {}
}

#[test]
fn compiles() {
    assert_eq!(events![unknown].names().count(), 0);
    assert_eq!(events![concurrent::unknown].names().count(), 0);
}
