//! [`PollRequest`]: an HTTP request of a long-polling client. The task that serves the request
//! sends it to the connection's task.

use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::oneshot;

use super::request::Request;
use crate::wire::engineio::Body;

/// A received long-polling request.
#[derive(Debug)]
pub(crate) enum PollRequest {
    /// A GET. The connection's task sends the body of the response, or `None` if another GET is
    /// already waiting.
    Poll(oneshot::Sender<Option<Bytes>>),
    /// A POST.
    Post(Post),
    /// A POST that was aborted, or that arrived while another one was in progress. The text is the
    /// reason.
    Broken(&'static str),
}

/// The contents of a POST.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) body: Body,
    /// The HTTP request, which handlers can read headers from.
    pub(crate) request: Arc<Request>,
    /// Receives `true` when all packets were read, `false` if one of them was invalid.
    pub(crate) done: oneshot::Sender<bool>,
}
