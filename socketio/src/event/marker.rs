//! Marker types that tell apart kinds of parameters, replies, listeners and exports.
//!
//! The compiler infers them. They are public because its error messages name them.

/// A parameter that is decoded from the payload. See [`Argument`](crate::Argument).
#[derive(Debug)]
pub enum Payload {}

/// A parameter that is a `Result<T, PayloadError>`. See [`Argument`](crate::Argument).
#[derive(Debug)]
pub enum Checked {}

/// A parameter that is decoded from the payload and then validated: `Valid<T>`. See
/// [`Argument`](crate::Argument).
#[derive(Debug)]
pub enum Validated {}

/// A parameter that describes the context of the event. See [`Argument`](crate::Argument).
#[derive(Debug)]
pub enum Context {}

/// A lifecycle event. See [`LifecycleArgument`](crate::bounds::LifecycleArgument).
pub trait Lifecycle {}

macro_rules! lifecycles {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl Lifecycle for $name {}
    )*};
}

lifecycles! {
    /// `#[event(connect)]`
    Connect
    /// `#[event(message)]`
    Message
    /// `#[event(ping)]`
    Ping
    /// `#[event(pong)]`
    Pong
    /// `#[event(close)]`
    Close
    /// `#[event(disconnecting)]`
    Disconnecting
    /// `#[event(disconnect)]`
    Disconnect
    /// `#[event(error)]`
    Error
}

/// A contract with `#[export(typescript)]`.
#[derive(Debug)]
pub enum TypeScript {}

/// A contract with `#[export(asyncapi)]`.
#[derive(Debug)]
pub enum AsyncApi {}

/// An answer without arguments. See [`Reply`](crate::bounds::Reply).
#[derive(Debug)]
pub enum Nothing {}

/// An answer of one argument. See [`Reply`](crate::bounds::Reply).
#[derive(Debug)]
pub enum Value {}

/// An answer of several arguments. See [`Reply`](crate::bounds::Reply).
#[derive(Debug)]
pub enum Several {}

/// An answer of kind `K`, or an error. See [`Reply`](crate::bounds::Reply).
#[derive(Debug)]
pub struct Fallible<K>(std::marker::PhantomData<K>);

/// A listener that is finished when it returns. See
/// [`ListenerOutput`](crate::bounds::ListenerOutput).
#[derive(Debug)]
pub enum Now {}

/// A listener that returns a future. See [`ListenerOutput`](crate::bounds::ListenerOutput).
#[derive(Debug)]
pub enum Later {}
