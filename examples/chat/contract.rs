//! The contract between the chat's server and its pages.

use socketio::contract;

use crate::server::people::{self, Arrived, Farewell, Left, Told, Welcome};
use crate::server::rooms::{Joined, Parted, Rooms, Said, Typing};

contract! {
    /// A chat with rooms and direct messages.
    #[export(asyncapi, typescript)]
    pub(crate) Chat {
        "/" {
            receives [people::tell, Rooms::join, Rooms::part, Rooms::say, Rooms::typing]
            emits [Welcome, Arrived, Left, Joined, Parted, Said, Typing, Told, Farewell]
        }
    }
}

/// With `SOCKETIO_EXPORT=1` this writes the file.
#[test]
fn the_exported_contract_is_fresh() {
    Chat::assert_exported("chat/page/ts/contract.ts");
}
