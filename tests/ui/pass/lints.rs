#![deny(warnings)]
#![deny(
    rust_2018_idioms,
    nonstandard_style,
    unused,
    elided_lifetimes_in_paths,
    let_underscore_drop,
    missing_copy_implementations,
    missing_debug_implementations,
    non_local_definitions,
    redundant_imports,
    redundant_lifetimes,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unreachable_pub,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_code)]

use socketio::{Ack, EventError, Hub, Socket, State, event, events, handlers};

#[event("say")]
fn say(_socket: &Socket, _text: String, _label: Option<u32>) -> Result<(), EventError> {
    Ok(())
}

#[event("later", concurrent)]
async fn later(_state: State<u32>, _text: &str) -> u32 {
    1
}

#[event("ack")]
fn ack(_ack: Ack) {}

#[event(connect)]
async fn joined() {}

mod chat {
    use socketio::event;

    #[event("join")]
    pub(crate) fn join() {}
}

#[event("moved")]
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Moved {
    x: f64,
}

#[event]
fn moved(moved: Moved) -> f64 {
    moved.x
}

#[derive(Clone, Copy, Debug)]
struct Chat;

#[handlers]
impl Chat {
    #[event("typing")]
    fn typing(&self, _room: Option<String>) {}

    #[event("leaving")]
    async fn leaving(&self) -> Option<u32> {
        None
    }
}

#[test]
fn compiles() {
    let hub =
        Hub::builder().state(1_u32).events(events![say, later, ack, joined, chat::join, moved]).events(Chat).build();
    assert!(hub.is_ok());
}
