//! Contracts checked against hubs: their handlers, emits and acks.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio::{BuildProblem, ContractViolation, Hub, HubBuilder, Socket, Text, contract, event, events, handlers};
use socketio_tests::serve;
use std::marker::PhantomData;
use ts_rs::TS;

#[event("greet")]
fn greet(name: String) -> String {
    name
}

mod other {
    use socketio::event;

    #[event("greet")]
    pub(super) fn greet(_name: String) {}
}

#[event("leave")]
fn leave() {}

#[event(connect)]
fn joined() {}

#[event("greeted")]
#[derive(JsonSchema, Serialize, TS)]
struct Greeted {
    name: String,
}

#[event("greeted")]
#[derive(Serialize)]
struct OtherGreeted;

#[event("asked", ack = bool)]
#[derive(JsonSchema, Serialize, TS)]
struct Asked;

contract! {
    Greetings {
        "/" { receives [greet] emits [Greeted, Asked] }
        "/room-{id}" { emits [Greeted] }
    }
}

contract! {
    Leaving { "/" { receives [leave] } }
}

struct Shelf<T>(PhantomData<T>);

#[handlers]
impl<T: DeserializeOwned + Serialize + Send + Sync + 'static> Shelf<T> {
    #[event("put")]
    fn put(&self, item: T) -> T {
        item
    }
}

contract! {
    Texts { "/" { receives [Shelf::<String>::put] } }
}

mod another {
    use super::other;
    use socketio::contract;

    contract! {
        pub(super) Greetings { "/" { receives [other::greet] } }
    }
}

mod rooms {
    use super::Greeted;
    use serde::Serialize;
    use socketio::{contract, event};

    #[event("moved")]
    #[derive(schemars::JsonSchema, Serialize, ts_rs::TS)]
    pub(super) struct Moved;

    #[event("moved", ack = bool)]
    #[derive(schemars::JsonSchema, Serialize, ts_rs::TS)]
    pub(super) struct MovedAsking;

    contract! {
        pub(super) Rooms {
            "/room-1" { emits [Moved] }
            "/room-{id}" { emits [Greeted] }
        }
    }

    contract! {
        pub(super) First { "/" { emits [Moved] } }
    }

    contract! {
        pub(super) Second { "/" { emits [MovedAsking] } }
    }
}

/// Each payload follows its own contract, in either order of registration.
#[cfg(debug_assertions)]
#[tokio::test]
async fn contracts_with_different_payloads_of_one_event_are_combined() {
    use rooms::{First, Moved, MovedAsking, Second};

    let first = Hub::builder().contract::<First>().contract::<Second>().build().unwrap();
    let second = Hub::builder().contract::<Second>().contract::<First>().build().unwrap();
    for hub in [first, second] {
        let server = serve(hub.clone()).await;
        let mut asked = server.connect("1").await;
        asked.settle().await;
        drop(hub.emit_with_ack::<bool>(&MovedAsking));
        assert_eq!(hub.contract_violations(), []);
        drop(hub.emit_with_ack::<bool>(&Moved));
        let expected = ContractViolation::NoAnswer { event: "moved".into(), namespace: "/".into() };
        assert_eq!(hub.contract_violations(), [expected]);
    }
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn an_emit_with_ack_of_an_event_without_an_ack_is_a_violation() {
    let hub = Hub::builder().events(events![greet]).contract::<Greetings>().build().unwrap();
    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    hub.on("ask", move |payload: socketio::EventPayload| {
        let sender = sender.clone();
        async move {
            let socket: Socket = payload.socket.clone();
            let question = Asked;
            drop(socket.emit_with_ack::<bool>(&question));
            drop(socket.emit_with_ack::<bool>(&Greeted { name: String::new() }));
            let _ = sender.send(());
        }
    });
    let server = serve(hub.clone()).await;
    let mut client = server.connect("1").await;
    client.emit("ask", ()).await;
    asked.recv().await.unwrap();
    let expected = ContractViolation::NoAnswer { event: "greeted".into(), namespace: "/".into() };
    assert_eq!(hub.contract_violations(), [expected]);
}

mod undeclared {
    use socketio::{Argument, Arguments, DescribedArguments, ErrorCodes, EventError, contract, event};

    pub(super) struct Failure(String);

    impl ErrorCodes for Failure {
        const CODES: &'static [&'static str] = &["declared"];
    }

    impl From<Failure> for EventError {
        fn from(Failure(code): Failure) -> Self {
            Self::new(code, "")
        }
    }

    pub(super) struct SignedIn;

    impl<'a> Argument<'a> for SignedIn {
        fn from_event(_: &mut Arguments<'a>) -> Result<Self, EventError> {
            Err(EventError::new("signed_out", ""))
        }

        fn describe(payload: &mut DescribedArguments) {
            payload.error_code("signed_out");
        }
    }

    #[event("fail_with")]
    pub(super) fn fail_with(code: String) -> Result<(), Failure> {
        Err(Failure(code))
    }

    #[event("enter")]
    pub(super) fn enter(_user: SignedIn) {}

    contract! {
        pub(super) Failing { "/" { receives [fail_with, enter] } }
    }
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn an_error_code_missing_in_the_contract_is_a_violation() {
    let events = events![undeclared::fail_with, undeclared::enter];
    let hub = Hub::builder().events(events).contract::<undeclared::Failing>().build().unwrap();
    let server = serve(hub.clone()).await;
    let mut client = server.connect("1").await;
    client.ask("fail_with", "declared").await;
    client.ask("fail_with", 1).await;
    client.ask("enter", ()).await;
    client.ask("nothing", ()).await;
    assert_eq!(hub.contract_violations(), []);
    for code in ["undeclared", "undeclared", "undeclared too"] {
        client.ask("fail_with", code).await;
    }
    let expected = ["undeclared", "undeclared too"].map(|code| ContractViolation::UnknownCode {
        event: "fail_with".into(),
        namespace: "/".into(),
        code: code.into(),
    });
    assert_eq!(hub.contract_violations(), expected);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn each_violation_of_an_event_is_reported() {
    let hub = Hub::builder().events(events![greet]).contract::<Greetings>().build().unwrap();
    let server = serve(hub.clone()).await;
    let mut asked = server.connect("1").await;
    asked.settle().await;
    hub.broadcast(&OtherGreeted).unwrap();
    drop(hub.emit_with_ack::<bool>(("greeted", 1)));
    let found = hub.contract_violations();
    assert!(
        matches!(&found[..], [ContractViolation::OtherPayload { .. }, ContractViolation::NoAnswer { .. }]),
        "{found:?}"
    );
}

mod no_clients {
    use super::*;

    fn problems(builder: HubBuilder) -> Vec<BuildProblem> {
        builder.build().err().map(|error| error.problems().to_vec()).unwrap_or_default()
    }

    /// The path of a function in this file.
    fn path(function: &str) -> String {
        format!("end_to_end::contracts::{function}")
    }

    #[test]
    fn build_fails_when_handlers_and_contract_differ() {
        let build = |events| problems(Hub::builder().events(events).contract::<Greetings>());
        assert_eq!(build(events![greet, joined]), [], "contracts do not list lifecycle events");
        let not_in_contract =
            BuildProblem::NotInContract { event: "leave", namespace: "/".into(), handler: path("leave") };
        let not_handled = BuildProblem::NotHandled { event: "greet", namespace: "/".into() };
        assert_eq!(build(events![leave]), [not_in_contract.clone(), not_handled.clone()]);
        assert_eq!((build(events![greet, leave]), build(events![])), (vec![not_in_contract], vec![not_handled]));
        assert_eq!(
            build(events![other::greet]),
            [BuildProblem::OtherHandler {
                event: "greet",
                namespace: "/".into(),
                handler: path("other::greet"),
                described: path("greet"),
            }]
        );
        let elsewhere = Hub::builder().events(events![greet]).namespace("/x", |x| x.events(events![leave]));
        let found = problems(elsewhere.contract::<Greetings>());
        let [BuildProblem::NotInContract { event: "leave", namespace, .. }] = &found[..] else { panic!("{found:?}") };
        assert_eq!(namespace, "/x");
    }

    #[test]
    fn the_events_of_several_contracts_are_combined() {
        let hub = Hub::builder().events(events![greet, leave]);
        assert!(hub.contract::<Greetings>().contract::<Leaving>().build().is_ok());
    }

    #[test]
    fn methods_of_a_type_with_different_type_arguments_are_different_handlers() {
        assert!(Hub::builder().events(Shelf::<String>(PhantomData)).contract::<Texts>().build().is_ok());
        let found = problems(Hub::builder().events(Shelf::<u32>(PhantomData)).contract::<Texts>());
        let [BuildProblem::OtherHandler { handler, described, .. }] = &found[..] else { panic!("{found:?}") };
        let path = path("Shelf");
        assert_eq!(
            (handler, described),
            (&format!("{path}<u32>::put"), &format!("{path}<alloc::string::String>::put"))
        );
    }

    #[test]
    fn functions_of_one_name_in_different_scopes_are_different_handlers() {
        fn contracted(builder: HubBuilder) -> HubBuilder {
            #[event("same")]
            fn same(_text: String) {}

            contract! { Same { "/" { receives [same] } } }
            builder.contract::<Same>()
        }

        #[event("same")]
        fn same(_text: u32) {}

        let found = problems(contracted(Hub::builder().events(events![same])));
        assert!(matches!(found[..], [BuildProblem::OtherHandler { .. }]), "{found:?}");
    }

    #[test]
    fn each_of_two_contracts_with_one_event_is_checked() {
        let build = |events| {
            let hub = || Hub::builder().events(events);
            let first = problems(hub().contract::<Greetings>().contract::<another::Greetings>());
            let second = problems(hub().contract::<another::Greetings>().contract::<Greetings>());
            assert_eq!(first, second);
            first
        };
        let error = |handler: &str, described: &str| BuildProblem::OtherHandler {
            event: "greet",
            namespace: "/".into(),
            handler: handler.to_owned(),
            described: described.to_owned(),
        };
        assert_eq!(build(events![greet]), [error(&path("greet"), &path("other::greet"))]);
        assert_eq!(build(events![other::greet]), [error(&path("other::greet"), &path("greet"))]);
        let agreed = Hub::builder().events(events![greet]).contract::<Greetings>().contract::<Greetings>().build();
        assert!(agreed.is_ok());
    }

    #[test]
    fn a_hub_without_a_contract_has_no_violations() {
        let hub = Hub::builder().events(events![leave]).build().unwrap();
        hub.broadcast(("anything", 1)).unwrap();
        assert_eq!(hub.contract_violations(), []);
    }

    /// Violations are recorded in debug builds only.
    #[cfg(debug_assertions)]
    #[tokio::test]
    async fn an_emit_missing_in_the_contract_is_recorded_once() {
        let hub = Hub::builder().events(events![greet]).contract::<Greetings>().build().unwrap();
        let greeted = Greeted { name: "ann".into() };
        hub.broadcast(&greeted).unwrap();
        hub.broadcast(("greeted", 1)).unwrap();
        hub.broadcast(Text("a text")).unwrap();
        hub.of("/room-1").broadcast(&greeted).unwrap();
        assert_eq!(hub.contract_violations(), []);

        for _ in 0..2 {
            hub.broadcast(&OtherGreeted).unwrap();
            let _ = hub.emit_to_list(["nobody"], ("left", 1));
            hub.of("/news").to("readers").emit(&greeted).unwrap();
            hub.of("/room-1").broadcast(&Asked).unwrap();
        }
        let found = hub.contract_violations();
        let found: Vec<_> = found.iter().map(|violation| (violation.event(), violation.namespace())).collect();
        assert_eq!(found, [("greeted", "/"), ("left", "/"), ("greeted", "/news"), ("asked", "/room-{id}")]);
        assert!(matches!(
            &hub.contract_violations()[0],
            ContractViolation::OtherPayload {
                emitted: "end_to_end::contracts::OtherGreeted",
                described: "end_to_end::contracts::Greeted",
                ..
            }
        ));
    }

    /// Clients choose the paths, so violations are recorded per pattern to bound memory.
    #[cfg(debug_assertions)]
    #[tokio::test]
    async fn violations_in_namespaces_of_one_pattern_are_recorded_once() {
        let hub = Hub::builder().contract::<rooms::Rooms>().build().unwrap();
        for room in ["/room-2", "/room-3"] {
            hub.of(room).broadcast(&Asked).unwrap();
        }
        let expected = ContractViolation::UnknownEvent { event: "asked".into(), namespace: "/room-{id}".into() };
        assert_eq!(hub.contract_violations(), [expected]);
    }

    #[cfg(debug_assertions)]
    #[tokio::test]
    async fn a_namespace_declared_by_path_is_checked_apart_from_the_pattern() {
        let hub = Hub::builder().contract::<rooms::Rooms>().build().unwrap();
        hub.of("/room-1").broadcast(&rooms::Moved).unwrap();
        assert_eq!(hub.contract_violations(), []);
        hub.of("/room-1").broadcast(&Greeted { name: String::new() }).unwrap();
        let expected = ContractViolation::UnknownEvent { event: "greeted".into(), namespace: "/room-1".into() };
        assert_eq!(hub.contract_violations(), [expected]);
    }

    /// A generated client calls the ack function that its types promise, but received none.
    #[cfg(debug_assertions)]
    #[tokio::test]
    async fn an_emit_without_an_ack_of_an_event_with_an_ack_is_a_violation() {
        let hub = Hub::builder().events(events![greet]).contract::<Greetings>().build().unwrap();
        hub.broadcast(&Asked).unwrap();
        hub.broadcast(("asked", 1)).unwrap();
        let expected = ContractViolation::NotAsked { event: "asked".into(), namespace: "/".into() };
        assert_eq!(hub.contract_violations(), [expected]);
    }

    /// Event names can be made at run time, even from client input.
    #[cfg(debug_assertions)]
    #[tokio::test]
    async fn the_number_of_recorded_violations_is_bounded() {
        let hub = Hub::builder().contract::<rooms::Rooms>().build().unwrap();
        for number in 0..1_001 {
            hub.broadcast((format!("made {number}"), 1)).unwrap();
        }
        assert_eq!(hub.contract_violations().len(), 1_000);
    }
}
