//! Socket.IO packets in the default encoding, protocol revision 5.
//!
//! ```text
//! <kind>[<attachments>-][<namespace>,][<id>][<JSON>]
//! ```
//!
//! | first digit | packet | JSON |
//! | --- | --- | --- |
//! | `0` | CONNECT | the client's auth object, or the server's `{"sid": …}` |
//! | `1` | DISCONNECT | none |
//! | `2`, with attachments `5` | EVENT | `["name", …]` |
//! | `3`, with attachments `6` | ACK | `[…]` |
//! | `4` | CONNECT_ERROR | `{"message": …, "data": …}` |
//!
//! A namespace other than `/` ends with a comma, which is optional at the end of a packet. Each
//! attachment follows as a separate binary message. In the JSON, the placeholder
//! `{"_placeholder":true,"num":0}` refers to it. See the [protocol
//! specification](https://github.com/socketio/socket.io-protocol).

pub(crate) mod placeholder;
mod read;
mod write;

pub(crate) use read::{Invalid, Kind, Partial, SocketIoPacket, is_reserved, read};
pub(crate) use write::{
    ConnectError, write_ack, write_connect, write_connect_error, write_disconnect, write_error, write_event,
};
