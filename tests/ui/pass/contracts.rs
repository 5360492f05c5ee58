//! Contracts accept functions, methods and payload types with any lifetimes, parameters and
//! conditions.
#![deny(warnings, rust_2018_idioms, unreachable_pub)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{Hub, Socket, contract, event, events, handlers};
use std::borrow::Cow;
use ts_rs::TS;

#[derive(Deserialize, JsonSchema, TS)]
pub struct Message<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

mod chat {
    use super::*;

    #[event("message")]
    pub(super) async fn message<'a>(socket: &'a Socket, message: Message<'a>) -> String {
        format!("{}: {}", socket.id(), message.text)
    }

    #[event("payload")]
    pub(super) fn payload(namespace: u8, description: u8) -> u8 {
        namespace + description
    }

    #[event("said")]
    #[derive(JsonSchema, Serialize, TS)]
    pub(super) struct Said<'a> {
        pub(super) text: &'a str,
    }
}

use chat::payload;

#[allow(non_camel_case_types)]
struct shelf<T>(T);

#[handlers]
impl<T: Send + Sync + 'static> shelf<T> {
    #[event("put")]
    fn put(&self, _at: u8) -> usize {
        size_of::<T>()
    }
}

#[event("page")]
#[derive(JsonSchema, Serialize, TS)]
struct Page<T> {
    items: Vec<T>,
}

contract! {
    /// Everything.
    #[derive(PartialEq)]
    #[cfg_attr(all(), export(typescript))]
    #[export(asyncapi)]
    pub(crate) Chat {
        /// For all.
        "/" {
            receives [
                chat::message,
                payload,
                <shelf<u8>>::put,
                #[cfg(any())]
                nothing,
            ]
            emits [chat::Said, Page<u8>,]
        }
        "/empty" {}
        "/room-{id}" { emits [Page<u8>] }
    }
}

contract! {
    #[cfg(any())]
    Gone { "/" { receives [nothing] } }
}

#[test]
fn compiles() -> Result<(), socketio::BuildError> {
    let hub = Hub::builder().events(events![chat::message, payload]).events(shelf(1u8)).contract::<Chat>().build()?;
    let _ = hub.broadcast(&chat::Said { text: "hello" });
    let _ = hub.broadcast(&Page { items: vec![1u8] });
    assert_eq!(hub.contract_violations(), []);
    assert!(Chat == Chat);
    assert!(Chat::typescript().contains("interface ServerToClientEvents"));
    assert_eq!(Chat::asyncapi(socketio::AsyncApiInfo::new("Chat", "1"))["asyncapi"], "3.0.0");
    Ok(())
}
