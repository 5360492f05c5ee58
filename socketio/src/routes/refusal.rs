//! [`Refusal`]: why a request is refused, and the response that says so.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::request::Parts;
use std::borrow::Cow;
use std::sync::Arc;

use super::head::HeadError;
use super::{UNAVAILABLE, unavailable};
use crate::hub::Hub;
use crate::hub::connections::Unavailable;
use crate::wire::shown::Shown;

pub(super) type OnRefused = Arc<dyn Fn(Refused<'_>) + Send + Sync>;

/// A refused request. See [`EngineRoutes::on_refused`](crate::EngineRoutes::on_refused) and
/// [`WebSocketRoute::on_refused`](crate::WebSocketRoute::on_refused).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Refused<'a> {
    /// The request.
    pub request: &'a Parts,
    /// The status of the response.
    pub status: StatusCode,
    /// The Engine.IO error code, from 0 to 5, as sent to the client. `None` where Engine.IO has no
    /// code for the refusal, and for plain WebSocket clients.
    pub code: Option<u8>,
    /// Why the request is refused. With a `code`, it is the message that is sent to the client.
    pub message: &'a str,
}

/// Why a request of an Engine.IO client is refused. Where there is a code, it and the message are
/// those of the reference server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownTransport,
    UnknownSession,
    HandshakeMethod,
    BadRequest,
    Forbidden(String),
    Version,
    /// The head of the request is invalid or too large.
    Head(HeadError),
    /// A poll or a POST of a session is invalid.
    InvalidRequest(&'static str),
    /// The body of a POST is too large.
    BodyTooLarge,
    /// The hub has too many connections, drains or shuts down.
    Unavailable(Unavailable),
}

impl Refusal {
    pub(super) fn code(&self) -> Option<u8> {
        match self {
            Self::UnknownTransport => Some(0),
            Self::UnknownSession => Some(1),
            Self::HandshakeMethod => Some(2),
            Self::BadRequest => Some(3),
            Self::Forbidden(_) => Some(4),
            Self::Version => Some(5),
            Self::Head(_) | Self::InvalidRequest(_) | Self::BodyTooLarge | Self::Unavailable(_) => None,
        }
    }

    pub(super) fn message(&self) -> Cow<'_, str> {
        match self {
            Self::UnknownTransport => "Transport unknown".into(),
            Self::UnknownSession => "Session ID unknown".into(),
            Self::HandshakeMethod => "Bad handshake method".into(),
            Self::BadRequest => "Bad request".into(),
            Self::Forbidden(message) => message.into(),
            Self::Version => "Unsupported protocol version".into(),
            Self::Head(error) => error.to_string().into(),
            Self::InvalidRequest(message) => (*message).into(),
            Self::BodyTooLarge => "the body is too large".into(),
            Self::Unavailable(_) => UNAVAILABLE.into(),
        }
    }

    /// Returns the response. `is_upgrade`: the request is a WebSocket handshake.
    pub(super) fn into_response(self, is_upgrade: bool) -> Response {
        match self {
            Self::Head(error) => error.into_response(),
            Self::InvalidRequest(_) => StatusCode::BAD_REQUEST.into_response(),
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Self::Unavailable(why) => unavailable(why),
            _ => {
                let status = match self {
                    Self::Forbidden(_) => StatusCode::FORBIDDEN,
                    _ => StatusCode::BAD_REQUEST,
                };
                if is_upgrade {
                    return (status, [(CONNECTION, "close")], self.message().into_owned()).into_response();
                }
                let body = serde_json::json!({ "code": self.code(), "message": self.message() });
                (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
            }
        }
    }
}

/// Counts and logs a refusal, and calls the application's listener.
pub(super) fn report(hub: &Hub, listener: Option<&OnRefused>, refused: Refused<'_>) {
    hub.counters().refused();
    tracing::debug!(status = refused.status.as_u16(), refusal = %Shown(refused.message), "refused a request");
    if let Some(listener) = listener {
        listener(refused);
    }
}
