#![doc = include_str!("docs/lib.md")]
#![cfg_attr(feature = "testing", doc = "\n# Tests\n")]
#![cfg_attr(feature = "testing", doc = "A test talks to a hub [in its own process](guide::tests_in_process).")]

// The macros name the crate from outside, also where they are used inside it: in its doctests and unit tests.
#[allow(unused_extern_crates)]
extern crate self as socketio;

#[doc(hidden)]
pub mod __private;
mod connection;
mod contract;
mod event;
#[cfg(fuzzing)]
pub mod fuzzing;
mod handle;
mod hub;
mod session;
#[cfg(test)]
mod small_stack;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;
mod wire;

#[cfg(feature = "asyncapi")]
pub use contract::{AsyncApiInfo, DocsRoutes};
pub use contract::{Contract, ContractViolation, Describe, DescribedArguments, Description, ErrorCodes};
#[doc(hidden)]
pub use contract::{
    DescribeReplies, DescribedFunction, Emits, Emitted, FallibleReply, Parameter, Parameters, Receiver, Returned,
    ValueReply,
};
pub use event::ack::{Ack, Args};
pub use event::argument::{Argument, Arguments, LifecycleArgument};
pub use event::context::{Carrier, EventName, Frame, RawArgs};
pub use event::depth::from_json;
pub use event::error::{EventError, PayloadError, Refusal};
pub use event::listener::{EventPayload, ListenerHandle, ListenerOutput};
pub use event::marker;
pub use event::message::{Event, IntoMessage, Request};
pub use event::middleware::{IncomingEvent, Next};
pub use event::rate::RateLimit;
pub use event::reply::{Encode, HandlerFuture, Reply, ReplyError, ReturnedAnswer};
pub use event::state::State;
pub use event::table::Events;
#[cfg(feature = "garde")]
pub use event::valid::Valid;
pub use handle::OverflowPolicy;
pub use handle::engine_session::Transport;
pub use hub::Hub;
pub use hub::adapter;
pub use hub::adapter::{Audience, RequestError};
pub use hub::build_error::{BuildError, BuildProblem};
pub use hub::hub_builder::HubBuilder;
pub use hub::namespace::Namespace;
pub use hub::namespace_builder::NamespaceBuilder;
pub use hub::selection::{EmitError, Selection};
pub use hub::server_events::ServerEvent;
pub use hub::socket::answer::FromAnswer;
pub use hub::socket::answers::{AckStream, AllAnswers, Answerer, Answers, Missing};
pub use hub::socket::attributes::SocketAttributes;
pub use hub::socket::handshake::Handshake;
pub use hub::socket::remote::{Fetched, RemoteHandshake, RemoteSocket, ServerId};
pub use hub::socket::requests::{AckError, AckFuture, Timed};
pub use hub::socket::rooms::JoinError;
pub use hub::socket::{SetIdError, Socket, SocketId};
pub use hub::source::EventSource;
pub use hub::stats::HubStats;
pub use session::disconnect::{Disconnect, DisconnectReason};
pub use socketio_macros::{ErrorCodes, contract, event, events, handlers};
pub use transport::engine_routes::{EngineIo, EngineRoutes, Refused, SocketIo};
pub use transport::serve::{Serve, serve};
pub use transport::upgrade::{Upgrade, UpgradeRejection};
pub use transport::websocket::WebSocketRoute;
pub use wire::binary::Binary;
pub use wire::msgpack::MsgpackParser;
pub use wire::parser::{InvalidPacket, Parser, ParserMessage, ParserPacket};

/// Pages on particular matters.
#[cfg(any(doc, doctest))]
pub mod guide {
    #[doc = include_str!("docs/handlers.md")]
    pub mod why_does_my_handler_not_compile {}
    #[doc = include_str!("docs/contract.md")]
    pub mod contract {}
    #[cfg(feature = "asyncapi")]
    #[doc = include_str!("docs/asyncapi.md")]
    pub mod asyncapi {}
    #[doc = include_str!("docs/blocking.md")]
    pub mod blocking_work {}
    #[doc = include_str!("docs/delivery.md")]
    pub mod delivery_order_and_limits {}
    #[doc = include_str!("docs/socketio.md")]
    pub mod socketio_clients {}
    #[doc = include_str!("docs/requests.md")]
    pub mod requests_to_clients {}
    #[cfg(feature = "garde")]
    #[doc = include_str!("docs/validation.md")]
    pub mod validated_payloads {}
    #[cfg(feature = "testing")]
    #[doc = include_str!("docs/testing.md")]
    pub mod tests_in_process {}
}

/// The README's code is compiled, too, and its test is run. As it stands there it has no need of the feature `asyncapi`, which asks more of
/// its types.
#[cfg(all(doctest, feature = "testing", not(feature = "asyncapi")))]
#[doc = include_str!("../../README.md")]
struct Readme;
