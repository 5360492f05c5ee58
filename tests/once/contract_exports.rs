//! The TypeScript export of contracts, and the exported file.

#[path = "../contract/server.rs"]
mod server;

use schemars::JsonSchema;
use serde::Serialize;
use socketio::{contract, event};
use std::path::Path;
use ts_rs::TS;

#[event("greeted")]
#[derive(JsonSchema, Serialize, TS)]
struct Greeted {
    name: String,
}

contract! {
    #[export(typescript)]
    Greetings { "/" { emits [Greeted] } }
}

/// The path at which the Node tests expect the file.
fn exported() -> &'static Path {
    Path::new("node/contract/server.ts")
}

#[test]
fn the_exported_file_is_up_to_date() {
    server::Chat::assert_exported(exported());
    assert!(server::hub().is_ok());
}

#[test]
fn a_stale_file_fails_with_a_diff() {
    if std::env::var_os("SOCKETIO_EXPORT").is_some() {
        return; // In this mode the file is written instead.
    }
    let directory = std::env::temp_dir().join(format!("socketio-contract-{}", std::process::id()));
    let file = directory.join("deeper/chat.ts");
    let failure = |file: &Path| {
        let failed = std::panic::catch_unwind(|| Greetings::assert_exported(file)).unwrap_err();
        failed.downcast_ref::<String>().unwrap().clone()
    };
    assert!(failure(&file).contains("can't be read"));
    Greetings::export(&file).unwrap();
    Greetings::assert_exported(&file);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, Greetings::typescript());
    std::fs::write(&file, text.replace("name: string;", "name: number;")).unwrap();
    let failure = failure(&file);
    assert!(failure.contains("-   name: number;\n+   name: string;\n"), "{failure}");
    std::fs::write(&file, text.replace('\n', "\r\n")).unwrap();
    Greetings::assert_exported(&file);
    std::fs::remove_dir_all(directory).unwrap();
}

/// The TypeScript of contracts in the README and the guide.
mod shown {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use socketio::{ErrorCodes, EventError, contract, event};
    use ts_rs::TS;

    #[derive(Deserialize, JsonSchema, TS)]
    pub(super) struct Message {
        #[allow(dead_code)]
        to: String,
    }

    #[event("delivered")]
    #[derive(JsonSchema, Serialize, TS)]
    pub(super) struct Delivered<'a> {
        text: &'a str,
    }

    #[derive(JsonSchema, Serialize, TS)]
    pub(super) struct Receipt {
        length: usize,
    }

    /// Says something to somebody.
    #[event("message")]
    async fn message(_message: Message) -> Result<Receipt, ChatError> {
        Err(ChatError)
    }

    pub(super) struct ChatError;

    impl From<ChatError> for EventError {
        fn from(_: ChatError) -> Self {
            "".into()
        }
    }

    impl ErrorCodes for ChatError {
        const CODES: &'static [&'static str] = &["not_delivered"];
    }

    contract! {
        #[export(typescript)]
        pub(super) Chat { "/" { receives [message] emits [Delivered] } }
    }
}

#[test]
fn the_readme_shows_the_exported_typescript() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```ts\n").find(|block| block.contains("interface ServerToClientEvents")).unwrap();
    let shown = shown.split("```").next().unwrap();
    let exported = shown::Chat::typescript();
    assert!(exported.contains(shown), "{exported}");
    let first = readme.split("```ts\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(first.lines().all(|line| exported.contains(line)), "{exported}");
}

mod ids {
    use socketio::{Socket, SocketId, contract, event};

    #[event("whoami")]
    fn whoami(socket: &Socket) -> SocketId {
        socket.id()
    }

    contract! {
        #[export(asyncapi, typescript)]
        pub(super) Ids { "/" { receives [whoami] } }
    }
}

#[test]
fn a_socket_id_is_exported_as_a_string() {
    let exported = ids::Ids::typescript();
    assert!(exported.contains("whoami: (ack: (answer: string | Failed) => void) => void;"), "{exported}");
    let document = ids::Ids::asyncapi(socketio::AsyncApiInfo::new("Ids", "1"));
    let payload = document.pointer("/channels/root/messages/receive.whoami.reply/payload/type").unwrap();
    assert_eq!(payload, "string", "{document}");
}

mod clash {
    use schemars::JsonSchema;
    use serde::Serialize;
    use socketio::{contract, event};
    use ts_rs::TS;

    #[event("one")]
    #[derive(JsonSchema, Serialize, TS)]
    pub(super) struct Same(u8);

    pub(super) mod other {
        use schemars::JsonSchema;
        use serde::Serialize;
        use socketio::event;
        use ts_rs::TS;

        #[event("two")]
        #[derive(JsonSchema, Serialize, TS)]
        pub(in super::super) struct Same(String);

        #[event("three")]
        #[derive(JsonSchema, Serialize, TS)]
        pub(in super::super) struct Failed(String);
    }

    contract! {
        #[export(typescript)]
        pub(super) Clashing { "/" { emits [Same, other::Same] } }
    }

    contract! {
        #[export(typescript)]
        pub(super) Reserved { "/" { emits [other::Failed] } }
    }
}

#[test]
#[should_panic = "`once::contract_exports::clash::Same` and `once::contract_exports::clash::other::Same` are both called `Same` in TypeScript"]
fn two_types_of_one_name_are_rejected() {
    clash::Clashing::typescript();
}

#[test]
#[should_panic = "`once::contract_exports::clash::other::Failed` is called `Failed` in TypeScript"]
fn types_named_like_generated_ones_are_rejected() {
    clash::Reserved::typescript();
}

mod blocks {
    use schemars::JsonSchema;
    use serde::Serialize;
    use socketio::{contract, event};
    use ts_rs::TS;

    pub(super) fn export() {
        trait Has {
            type Place;
        }

        struct First;
        struct Second;

        {
            #[derive(JsonSchema, Serialize, TS)]
            struct Place {
                x: f64,
            }

            impl Has for First {
                type Place = Place;
            }
        }
        {
            #[derive(JsonSchema, Serialize, TS)]
            struct Place {
                latitude: String,
            }

            impl Has for Second {
                type Place = Place;
            }
        }

        #[event("one")]
        #[derive(JsonSchema, Serialize, TS)]
        struct One {
            place: <First as Has>::Place,
        }

        #[event("two")]
        #[derive(JsonSchema, Serialize, TS)]
        struct Two {
            place: <Second as Has>::Place,
        }

        contract! {
            #[export(typescript)]
            Blocks { "/" { emits [One, Two] } }
        }
        Blocks::typescript();
    }
}

#[test]
#[should_panic = "are both called `Place` in TypeScript"]
fn two_types_of_one_name_and_path_are_rejected() {
    blocks::export();
}

mod taken {
    use socketio::{ErrorCodes, EventError, contract, event};

    /// Its codes would be named like a type in the generated file.
    #[derive(Debug)]
    pub(super) struct Framework;

    impl From<Framework> for EventError {
        fn from(_: Framework) -> Self {
            "".into()
        }
    }

    impl ErrorCodes for Framework {
        const CODES: &'static [&'static str] = &["gone", "blocked"];
    }

    #[event("call")]
    fn call() -> Result<(), Framework> {
        Err(Framework)
    }

    contract! {
        #[export(typescript)]
        pub(super) Calls { "/" { receives [call] } }
    }
}

#[test]
fn type_parameters_of_error_codes_avoid_generated_names() {
    let exported = taken::Calls::typescript();
    assert!(
        exported.contains("call: (ack?: (failed?: Failed<\"gone\" | \"blocked\">) => void) => void;"),
        "{exported}"
    );
}

mod order {
    use schemars::JsonSchema;
    use serde::Serialize;
    use socketio::{contract, event};
    use ts_rs::TS;

    macro_rules! parts {
        ($($part:ident $field:ident)*) => {
            $(
                #[derive(JsonSchema, Serialize, TS)]
                struct $part {
                    $field: u8,
                }
            )*

            #[event("whole")]
            #[derive(JsonSchema, Serialize, TS)]
            pub(super) struct Whole {
                $($field: Option<$part>,)*
            }
        };
    }

    parts! { Sixth sixth Second second Fifth fifth First first Fourth fourth Third third }

    contract! {
        #[export(typescript)]
        pub(super) Ordered { "/" { emits [Whole] } }
    }
}

/// A fixed order makes the file reproducible.
#[test]
fn types_are_exported_in_the_order_of_their_first_use() {
    let exported = order::Ordered::typescript();
    let names = exported.lines().filter_map(|line| line.strip_prefix("export type ")?.strip_suffix(" = {"));
    let expected = ["Whole", "Sixth", "Second", "Fifth", "First", "Fourth", "Third"];
    assert_eq!(names.take(expected.len()).collect::<Vec<_>>(), expected);
}
