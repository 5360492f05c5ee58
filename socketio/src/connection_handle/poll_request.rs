//! [`PollRequest`]: an HTTP request of a client that polls, on its way from the task that answers
//! it to the connection's.

use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::oneshot;

use super::request::Request;
use crate::wire::engineio::Body;

/// A request that has come in.
#[derive(Debug)]
pub(crate) enum PollRequest {
    /// A GET. The body of its answer; `None` if it is one too many.
    Poll(oneshot::Sender<Option<Bytes>>),
    /// A POST. Whether all of it was understood.
    Post(Post),
    /// One that was cut, or came while another of its kind was under way.
    Broken(&'static str),
}

/// What a POST brings.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) body: Body,
    /// The request itself, for handlers that want to know its headers.
    pub(crate) request: Arc<Request>,
    pub(crate) done: oneshot::Sender<bool>,
}
