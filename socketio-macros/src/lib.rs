//! The macros of the [`socketio`](https://docs.rs/socketio) crate. Use that crate, which re-exports
//! them.
//!
//! Each macro has three steps. `attribute` and `signature` parse the user's code. Checks collect
//! all errors in it. `handler`, `handlers`, `payload`, `events` and other modules render the
//! output. Even with errors, the macros emit the user's item and its companion, so that one mistake
//! causes no errors elsewhere.

mod ack;
mod attribute;
mod call;
mod checks;
mod conditional;
mod contract;
mod error_codes;
mod errors;
mod events;
mod extent;
mod handler;
mod handlers;
mod krate;
mod latest;
mod payload;
mod signature;
mod timeout;

use proc_macro::TokenStream;

/// Marks a function as the handler of an event, or a type as the payload of one.
///
/// | attribute | item | meaning |
/// | --- | --- | --- |
/// | `#[event("name")]` | a function | the handler of the event `name` |
/// | `#[event]` | a function | a handler of its last parameter's payload type |
/// | `#[event(connect)]` | a function | the handler of a lifecycle event (see below) |
/// | `#[event(reauthenticate)]` | a function | the handler of the event with which clients prove their identity again. It takes a payload and answers like that of `#[event("name")]` |
/// | `#[event(fallback)]` | a function | the handler of all events without a handler of their own |
/// | `#[event("name", concurrent)]` | an async function | a handler that does not delay later events |
/// | `#[event("name", blocking)]` | a sync function | a handler that may block its thread |
/// | `#[event("name", timeout = "5s")]` | an async function | a handler that is dropped when the time is up. Units are `ms`, `s`, `m` and `h`; `"none"` is no limit |
/// | `#[event("name")]` | a struct or enum | a payload type: an event that the server can emit |
/// | `#[event("name", ack = Answer)]` | a struct or enum | a payload type that requests an answer of the type `Answer` |
/// | `#[event("name", latest)]` | a struct or enum | a payload type of which only the latest value waits for a slow client |
/// | `#[event("name", latest(key = "field"))]` | a struct | the same for each value of the field, which implements `Display` |
///
/// The lifecycle events are `connect`, `message`, `ping`, `pong`, `close`, `disconnecting`,
/// `disconnect` and `error`.
///
/// The item itself is unchanged. [`events!`] registers handlers by name. The parameters may be in
/// any order. The `Argument` trait of the `socketio` crate lists their types. The return value
/// answers the event.
///
/// The macro generates a hidden type with the function's name, which [`events!`] uses to find the
/// handler. No other type or module in the same scope may have this name. Functions in an `impl`
/// need [`macro@handlers`] above the `impl`.
#[proc_macro_attribute]
pub fn event(attribute: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(attribute.into(), item.into()).into()
}

/// Turns the methods with `#[event(…)]` of an `impl` into handlers that share `self`.
///
/// ```ignore
/// #[handlers]
/// impl Chat {
///     #[event("typing")]
///     fn typing(&self, socket: &Socket, room: String) {}
/// }
///
/// Hub::builder().events(Chat::new())
/// ```
///
/// The `impl` may have generic parameters. A type can have only one such `impl`; its handlers may
/// call methods from others.
#[proc_macro_attribute]
pub fn handlers(attribute: TokenStream, item: TokenStream) -> TokenStream {
    handlers::expand(attribute.into(), item.into()).into()
}

/// Collects handlers into one table at compile time:
/// `events![joined, chat::message, ..admin::EVENTS]`.
///
/// An item is the path of a function with `#[event]`, or `..` and a constant of the type `Events`.
/// Two handlers for the same event are a compile error.
#[proc_macro]
pub fn events(items: TokenStream) -> TokenStream {
    events::expand(items.into()).into()
}

/// Describes the events of a server by namespace:
/// `contract! { pub Chat { "/" { receives […] emits […] } } }`.
///
/// `receives` lists functions with `#[event("name")]`, and methods of types with
/// [`macro@handlers`]. A method is written `Type::method`, or `<Type>::method` if the type's name
/// has no capital letter. `emits` lists payload types. A namespace has the same path as in the hub.
/// The path of a dynamic namespace has parameters in braces.
///
/// The macro generates a type of this name that implements `Contract`. It infers arguments and
/// replies from the functions. `#[export(typescript)]` and `#[export(asyncapi)]` above the name add
/// functions that export the contract. An export requires the feature of the same name and puts
/// bounds on the contract's types. The guide of the `socketio` crate has a page on contracts.
///
/// ```ignore
/// contract! {
///     /// A chat with rooms.
///     #[export(typescript)]
///     pub Chat {
///         "/" {
///             receives [message, rooms::join, Person::typing]
///             emits [Delivered, UserList]
///         }
///         "/admin" { receives [restart] }
///     }
/// }
/// ```
#[proc_macro]
pub fn contract(tokens: TokenStream) -> TokenStream {
    contract::expand(tokens.into()).into()
}

/// Gives each variant of an error a code for clients. Implements `ErrorCodes` and converts the
/// error into an `EventError`.
///
/// A variant's code is its name in `snake_case`, or the text in `#[code("…")]`. A struct has one
/// code, which is derived from its name in the same way. The framework's own codes, such as
/// `internal` and `timeout`, do not compile. The error must implement `Display`, which
/// gives the message. Clients receive the fields only as part of the message. To send more data,
/// implement `From<…> for EventError` and `ErrorCodes` by hand.
///
/// ```ignore
/// #[derive(Debug, thiserror::Error, ErrorCodes)]
/// enum ChatError {
///     #[error("nobody is called {0}")]
///     NoSuchUser(String), // "no_such_user"
///     #[error("you are muted")]
///     #[code("silenced")]
///     Muted,
/// }
/// ```
#[proc_macro_derive(ErrorCodes, attributes(code))]
pub fn error_codes(item: TokenStream) -> TokenStream {
    error_codes::expand(item.into()).into()
}

/// The error codes of the framework, as an array, for a test of the runtime.
#[doc(hidden)]
#[proc_macro]
pub fn __framework_codes(_: TokenStream) -> TokenStream {
    let codes = error_codes::FRAMEWORK_CODES;
    quote::quote!([#(#codes),*]).into()
}

/// The event names that clients cannot send, as an array. The runtime and the macros share this
/// list.
#[doc(hidden)]
#[proc_macro]
pub fn __reserved_names(_: TokenStream) -> TokenStream {
    let names = attribute::RESERVED;
    quote::quote!([#(#names),*]).into()
}
