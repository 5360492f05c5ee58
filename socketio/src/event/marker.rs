//! Types without values that say which kind of parameter, reply, listener or export something is.
//!
//! The compiler infers them, so nobody writes them down; they are public because its messages name them.

/// A parameter that is decoded from the payload. See [`Argument`](crate::Argument).
#[derive(Debug)]
pub enum Payload {}

/// A parameter that is a `Result<T, PayloadError>`. See [`Argument`](crate::Argument).
#[derive(Debug)]
pub enum Checked {}

/// A parameter that is decoded from the payload and then checked: `Valid<T>`. See [`Argument`](crate::Argument).
#[derive(Debug)]
pub enum Validated {}

/// A parameter that tells where an event came from. See [`Argument`](crate::Argument).
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

/// An answer of the kind `K`, or an error. See [`Reply`](crate::bounds::Reply).
#[derive(Debug)]
pub struct Fallible<K>(std::marker::PhantomData<K>);

/// A listener that is done when it returns. See [`ListenerOutput`](crate::bounds::ListenerOutput).
#[derive(Debug)]
pub enum Now {}

/// A listener that returns a future. See [`ListenerOutput`](crate::bounds::ListenerOutput).
#[derive(Debug)]
pub enum Later {}
