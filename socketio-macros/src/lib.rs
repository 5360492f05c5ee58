//! The macros of the [`socketio`](https://docs.rs/socketio) crate, which re-exports them: use that one.
//!
//! Each macro goes three steps: `attribute` and `signature` parse what the user wrote, checks collect everything that
//! is wrong with it, and `handler`, `handlers`, `payload`, `events` and others render. Whatever is wrong, the user's item is
//! emitted unchanged and with its companion, so that one mistake does not cause errors elsewhere.

mod ack;
mod attribute;
mod call;
mod checks;
mod contract;
mod error_codes;
mod errors;
mod events;
mod extent;
mod handler;
mod handlers;
mod krate;
mod payload;
mod signature;

use proc_macro::TokenStream;

/// Marks a function as the handler of an event, or a type as the payload of one.
///
/// | written | on | is |
/// | --- | --- | --- |
/// | `#[event("name")]` | a function | the handler of the events of that name |
/// | `#[event]` | a function | the same, with the name of its last parameter's payload type |
/// | `#[event(connect)]` | a function | the handler of a lifecycle event: `connect`, `message`, `ping`, `pong`, `close`, `disconnecting`, `disconnect` or `error` |
/// | `#[event(fallback)]` | a function | the handler of events that nobody else handles |
/// | `#[event("name", concurrent)]` | an async function | a handler that later events do not wait for |
/// | `#[event("name")]` | a struct or enum | a payload type: an event that can be emitted |
/// | `#[event("name", ack = Answer)]` | a struct or enum | a payload type that asks for an answer of that type |
///
/// The item stays as it is. A handler is registered by naming it in [`events!`]. Its parameters, in any order, are
/// what the `Argument` trait of the `socketio` crate lists; what it returns answers the event.
///
/// Beside a function stands a hidden type of the same name, by which [`events!`] finds the handler. So no type and no
/// module can have that name in the same place, and a function in an `impl` needs [`macro@handlers`] above the `impl`.
#[proc_macro_attribute]
pub fn event(attribute: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(attribute.into(), item.into()).into()
}

/// Makes the methods of an `impl` that have `#[event(…)]` handlers that share `self`.
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
/// The `impl` may have parameters. A type has one such `impl`: methods of others can be called from there.
#[proc_macro_attribute]
pub fn handlers(attribute: TokenStream, item: TokenStream) -> TokenStream {
    handlers::expand(attribute.into(), item.into()).into()
}

/// Gathers handlers into one table, at compile time: `events![joined, chat::message, ..admin::EVENTS]`.
///
/// An item is the path of a function with `#[event]`, or `..` and a constant of the type `Events`. Two handlers of the same
/// event do not compile.
#[proc_macro]
pub fn events(items: TokenStream) -> TokenStream {
    events::expand(items.into()).into()
}

/// Gathers what a server receives and emits, per namespace: `contract! { pub Chat { "/" { receives […] emits […] } } }`.
///
/// `receives` names functions with `#[event("name")]`, and methods of types with [`macro@handlers`] as `Type::method`, or
/// `<Type>::method` where the type's name has no capital letter. `emits` names payload types. A namespace's path is that of the
/// hub, the parameters in braces of one that comes and goes included.
///
/// It makes a type of that name, a `Contract`. What handlers take and return is inferred from the functions. With
/// `#[export(typescript)]` and `#[export(asyncapi)]` above its name the type has functions that export it; these need the features of
/// that name, and ask of the contract's types what the exports are made from. The guide of the `socketio` crate has a page on
/// contracts.
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

/// Gives each variant of an error a code that clients know: implements `ErrorCodes`, and converts the error into an `EventError`.
///
/// A variant's code is its name in `snake_case`, or what `#[code("…")]` says; a struct has one code, made of its name in the same way. The
/// message is what the error displays as, so it has to implement `Display`; the fields do not leave the server otherwise. An error that
/// tells clients more has an `impl From<…> for EventError` of its own, and an `impl ErrorCodes`.
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

/// The names that clients can't send, as an array: so the runtime and the macros have one list.
#[doc(hidden)]
#[proc_macro]
pub fn __reserved_names(_: TokenStream) -> TokenStream {
    let names = attribute::RESERVED;
    quote::quote!([#(#names),*]).into()
}
