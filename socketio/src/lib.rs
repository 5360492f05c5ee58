#![doc = include_str!("docs/lib.md")]
#![cfg_attr(feature = "testing", doc = "\n# Tests\n")]
#![cfg_attr(feature = "testing", doc = "A test talks to a hub [in its own process](guide::tests_in_process).")]

// The macros refer to the crate as `socketio`, also when its own unit tests use them.
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

#[cfg(feature = "typescript")]
pub use contract::TypeScriptContract;
pub use contract::{ArgumentDescription, Contract, DescribedArguments, Description, ErrorCodes};
#[cfg(feature = "asyncapi")]
pub use contract::{AsyncApiContract, AsyncApiInfo, DocsRoutes};
pub use event::ack::{Ack, Args};
pub use event::argument::{Argument, Arguments};
pub use event::context::{Carrier, EventName, Frame, RawArgs};
pub use event::depth::from_json;
pub use event::error::{EventError, PayloadError, Refusal};
pub use event::extension::Extension;
pub use event::listener::{EventPayload, ListenerHandle};
pub use event::marker;
pub use event::message::{Event, IntoMessage, Request};
pub use event::middleware::{IncomingEvent, Next};
pub use event::rate::RateLimit;
pub use event::state::State;
pub use event::table::Events;
#[cfg(feature = "garde")]
pub use event::valid::Valid;
pub use handle::OverflowPolicy;
pub use handle::engine_session::Transport;
pub use hub::Hub;
pub use hub::adapter;
pub use hub::adapter::{Audience, RequestError};
pub use hub::agreement::watch::ContractViolation;
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
pub use transport::secure::SecureConnection;
pub use transport::serve::{Serve, serve};
pub use transport::session_request::SessionRequest;
pub use transport::upgrade::{Upgrade, UpgradeRejection};
pub use transport::websocket::WebSocketRoute;
pub use wire::any_value::AnyValue;
pub use wire::binary::Binary;
pub use wire::msgpack::MsgpackParser;
pub use wire::parser::{InvalidPacket, Parser, ParserMessage, ParserPacket};

/// Traits that handlers, listeners and contracts require of types.
///
/// Compile errors name these traits when a type does not fit. Most code never names them itself.
/// Generic code needs [`ListenerOutput`](bounds::ListenerOutput) for listeners, and
/// [`Encode`](bounds::Encode) for answers of several arguments.
pub mod bounds {
    #[doc(hidden)]
    pub use crate::contract::describe::Describe;
    #[doc(hidden)]
    pub use crate::contract::description::Emitted;
    #[doc(hidden)]
    pub use crate::contract::infer::{
        DescribeReplies, DescribedFunction, Emits, FallibleReply, Parameter, Parameters, Receiver, Returned, ValueReply,
    };
    pub use crate::event::argument::LifecycleArgument;
    pub use crate::event::listener::ListenerOutput;
    pub use crate::event::reply::{Encode, Reply, ReplyError};
    #[doc(hidden)]
    pub use crate::event::reply::{HandlerFuture, ReturnedAnswer};
}

/// The guide: one page per topic.
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

/// Compiles the README's code and runs its test.
#[cfg(all(doctest, feature = "testing", feature = "typescript"))]
#[doc = include_str!("../../README.md")]
struct Readme;
