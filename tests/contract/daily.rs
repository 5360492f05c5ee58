//! A server whose events other processes emit over HTTP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{BearerTokens, Binary, BuildError, EmitRoutes, Hub, JoinError, Socket, contract, event, events};
use ts_rs::TS;

/// The tokens that callers may have.
pub(crate) const TOKENS: [&str; 2] = ["6e1c5a2b9f0d4e7f8a31", "c47d0b8e2a95f6136f2d"];

/// Something has happened.
#[event("news")]
#[derive(JsonSchema, Serialize, TS)]
pub(crate) struct News {
    headline: String,
    /// The more, the more important.
    weight: Option<u8>,
}

#[event("sure?", ack = bool)]
#[derive(JsonSchema, Serialize, TS)]
pub(crate) struct Sure {
    what: String,
}

#[event("picture")]
#[derive(Deserialize, JsonSchema, Serialize, TS)]
pub(crate) struct Picture {
    bytes: Binary,
}

#[event("load")]
#[derive(JsonSchema, Serialize, TS)]
pub(crate) struct Load(f64);

#[event("said")]
#[derive(JsonSchema, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Said {
    said_by: String,
    text: String,
}

#[event("join")]
fn join(socket: &Socket, room: String) -> Result<(), JoinError> {
    socket.join(room)
}

contract! {
    /// What happens every day.
    #[export(asyncapi, typescript)]
    pub(crate) Daily {
        "/" { receives [join] emits [News, Sure, Picture] }
        "/admin" { emits [Load, News] }
        "/room-{id}" { emits [Said] }
        "/silent" {}
    }
}

pub(crate) fn hub() -> Result<Hub, BuildError> {
    Hub::builder()
        .events(events![join])
        .namespace("/admin", |admin| admin)
        .namespace("/room-{id}", |room| room)
        .contract::<Daily>()
        .build()
}

/// The routes by which other processes emit.
pub(crate) fn emit_routes(hub: &Hub) -> EmitRoutes {
    let tokens = BearerTokens::new(TOKENS).expect("the tokens are valid");
    hub.emit_routes(tokens).contract::<Daily>().title("Daily", "1.2.3")
}
