#![doc = include_str!("docs/lib.md")]
#![cfg_attr(feature = "testing", doc = "\n# Tests\n")]
#![cfg_attr(feature = "testing", doc = "A test talks to a hub [in its own process](guide::tests_in_process).")]

// The macros refer to the crate as `socketio`, also when its own unit tests use them.
#[allow(unused_extern_crates)]
extern crate self as socketio;

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "cluster")]
pub mod cluster;
mod connection;
mod connection_handle;
mod contract;
mod event;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hooks;
mod hub;
mod routes;
mod session;
#[cfg(test)]
mod small_stack;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

pub use connection_handle::OverflowPolicy;
pub use connection_handle::engine_session::Transport;
#[cfg(feature = "typescript")]
pub use contract::TypeScriptContract;
pub use contract::{ArgumentDescription, Contract, DescribedArguments, Description, ErrorCodes};
#[cfg(feature = "asyncapi")]
pub use contract::{AsyncApiContract, AsyncApiInfo, DocsRoutes};
pub use event::ack::{Ack, Args};
pub use event::argument::{Argument, Arguments};
pub use event::context::{Carrier, EventName, Frame, RawArgs};
pub use event::error::{EventError, PayloadError, Refusal};
pub use event::extension::Extension;
pub use event::listener::{EventPayload, ListenerHandle};
pub use event::marker;
pub use event::message::{Event, IntoEvent, IntoMessage, Request};
pub use event::middleware::{IncomingEvent, Next};
pub use event::rate_limit::RateLimit;
pub use event::raw_message::{IntoRawMessage, Text};
pub use event::state::State;
pub use event::table::Events;
pub use event::unscanned::from_json;
#[cfg(feature = "garde")]
pub use event::valid::Valid;
pub use hub::Hub;
pub use hub::adapter;
pub use hub::adapter::{Audience, RequestError};
#[cfg(feature = "admin")]
pub use hub::admin::Admin;
pub use hub::agreement::watch::ContractViolation;
pub use hub::build_error::{BuildError, BuildProblem};
#[cfg(feature = "cluster")]
pub use hub::cluster::emitter::{Emitter, EmitterError, EmitterSelection, Published};
#[cfg(feature = "cluster")]
pub use hub::cluster::{Cluster, NotReady};
pub use hub::drain::Drain;
pub use hub::hub_builder::HubBuilder;
pub use hub::listing::{
    FetchedPage, FetchedRooms, FetchedStats, Listed, NamespaceStats, Page, Room, RoomEntry, ServerStats,
};
pub use hub::namespace::Namespace;
pub use hub::namespace_builder::NamespaceBuilder;
#[cfg(feature = "metrics")]
pub use hub::observed::facade::HubMetrics;
pub use hub::reauthentication::{AfterExpiry, Reauthentication};
pub use hub::recovery::{Persist, Recovery, RecoveryFailure, RecoveryState};
pub use hub::revoking::{DisconnectWhere, Disconnected};
pub use hub::selection::{EmitError, Selection};
pub use hub::server_events::{ServerAck, ServerEvent};
pub use hub::server_request::{ServerAnswers, ServerRequest};
pub use hub::socket::ack_future::{AckError, AckFuture, Timed};
pub use hub::socket::ack_stream::{AckStream, AllAnswers, Answerer, Answers, Missing};
pub use hub::socket::attributes::SocketAttributes;
pub use hub::socket::from_answer::FromAnswer;
pub use hub::socket::handshake::Handshake;
pub use hub::socket::reliable::Reliable;
pub use hub::socket::reliable::delivery::{Delivery, DeliveryError};
pub use hub::socket::remote::{Fetched, RemoteHandshake, RemoteSocket, ServerId};
pub use hub::socket::rooms::JoinError;
pub use hub::socket::{SetIdError, Socket, SocketId};
pub use hub::source::EventSource;
pub use hub::stats::{ClosedConnections, HubStats, Recoveries, Traffic};
#[cfg(feature = "http-emit")]
pub use routes::emit::{BearerTokens, EmitAuth, EmitDenied, EmitRoutes, InvalidToken};
pub use routes::engine_routes::{EngineIo, EngineRoutes, SocketIo};
pub use routes::health::HealthRoutes;
pub use routes::refusal::Refused;
pub use routes::secure::SecureConnection;
pub use routes::serve::{Serve, serve};
pub use routes::session_request::SessionRequest;
pub use routes::upgrade::{Upgrade, UpgradeRejection};
pub use routes::websocket::WebSocketRoute;
pub use session::disconnect::{Disconnect, DisconnectReason};
pub use socketio_macros::{ErrorCodes, contract, event, events, handlers};
pub use wire::any_value::AnyValue;
pub use wire::binary::Binary;
pub use wire::delivery_id::{DeliveryId, InvalidDeliveryId};
pub use wire::msgpack::MsgpackParser;
pub use wire::parser::{InvalidPacket, Parser, ParserMessage, ParserPacket};
pub use wire::trace_context::{InvalidTraceContext, TraceContext};

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
        Asked, DescribeAnswers, DescribeReplies, DescribedFunction, Emits, FallibleReply, Parameter, Parameters,
        Receiver, Returned, ValueAnswer, ValueReply,
    };
    pub use crate::event::argument::LifecycleArgument;
    pub use crate::event::listener::ListenerOutput;
    #[doc(hidden)]
    pub use crate::event::message::LatestKey;
    pub use crate::event::reply::{Encode, Reply, ReplyError};
    #[doc(hidden)]
    pub use crate::event::reply::{HandlerFuture, ReturnedAnswer};
    #[doc(hidden)]
    pub use crate::hub::source::HandlersInOneImpl;
}

/// The guide: one page per topic.
#[cfg(any(doc, doctest))]
pub mod guide {
    #[doc = include_str!("docs/handlers.md")]
    pub mod why_does_my_handler_not_compile {}
    #[cfg(feature = "cluster")]
    #[doc = include_str!("docs/cluster.md")]
    pub mod clusters {}
    #[doc = include_str!("docs/contract.md")]
    pub mod contract {}
    #[cfg(feature = "asyncapi")]
    #[doc = include_str!("docs/asyncapi.md")]
    pub mod asyncapi {}
    #[cfg(feature = "admin")]
    #[doc = include_str!("docs/admin.md")]
    pub mod admin_ui {}
    #[doc = include_str!("docs/authentication.md")]
    pub mod authentication {}
    #[cfg(all(feature = "cluster", feature = "http-emit"))]
    #[doc = include_str!("docs/emitting.md")]
    pub mod emitting_from_elsewhere {}
    #[doc = include_str!("docs/blocking.md")]
    pub mod blocking_work {}
    #[doc = include_str!("docs/delivery.md")]
    pub mod delivery_order_and_limits {}
    #[doc = include_str!("docs/logging.md")]
    pub mod logs_and_counters {}
    #[cfg(any(feature = "metrics", feature = "opentelemetry"))]
    #[cfg_attr(all(feature = "metrics", feature = "opentelemetry"), doc = include_str!("docs/metrics.md"))]
    #[cfg_attr(
        not(all(feature = "metrics", feature = "opentelemetry")),
        doc = "Metrics. With the features `metrics` and `opentelemetry`, this page is here."
    )]
    pub mod metrics {}
    #[doc = include_str!("docs/hooks.md")]
    pub mod hooks_that_call_back {}
    #[doc = include_str!("docs/socketio.md")]
    pub mod socketio_clients {}
    #[doc = include_str!("docs/operations.md")]
    pub mod operations {}
    #[doc = include_str!("docs/recipes.md")]
    pub mod recipes {}
    #[doc = include_str!("docs/recovery.md")]
    pub mod recovery {}
    #[doc = include_str!("docs/requests.md")]
    pub mod requests_to_clients {}
    #[doc = include_str!("docs/tracing.md")]
    pub mod traces {}
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
