#![deny(warnings)]
#![allow(clippy::non_minimal_cfg, reason = "conditions that always hold")]

use socketio::{Events, Hub, event, events, handlers};

#[cfg(any())]
#[event("gone")]
fn gone(_value: NoSuchType) {}

#[event("gone")]
#[cfg(any())]
fn gone_below(_value: NoSuchType) {}

#[event("here")]
#[cfg(all())]
fn here() {}

// Two handlers of one name, of which one is compiled.
#[event("either")]
#[cfg(unix)]
fn either() -> u32 {
    1
}

#[event("either")]
#[cfg(not(unix))]
async fn either() -> u32 {
    2
}

#[event("payload")]
#[cfg(any())]
struct Gone(NoSuchType);

#[event("documented")]
#[cfg_attr(all(), doc = "Documented.")]
fn documented() {}

const EVENTS: Events = events![here, either, documented];

struct Chat;

#[handlers]
impl Chat {
    #[event("gone")]
    #[cfg(any())]
    fn gone(&self, _value: NoSuchType) {}

    #[cfg(any())]
    #[event("say")]
    fn say(&self, _value: NoSuchType) {}

    #[cfg(all())]
    #[event("say")]
    async fn say(&self, _text: String) {}

    #[event("typing")]
    fn typing(&self) {}
}

#[test]
fn compiles() {
    assert_eq!(EVENTS.names().count(), 3);
    assert!(Hub::builder().events(EVENTS).events(Chat).build().is_ok());
}
