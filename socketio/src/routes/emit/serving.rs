//! Serves requests to emit: [`emit`], and [`describe`] for the OpenAPI document.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use serde_json::json;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::EmitRoutes;
use super::idempotency::{Answers, Found, MAX_KEY, key_of};
use super::problem::Problem;
use super::request::EmitRequest;
use crate::session::time::after;
use crate::wire::shown::shown;

/// Tells that an earlier request has emitted the event.
const REPLAYED: &str = "idempotency-replayed";

/// Serves a request to the route itself.
pub(super) async fn emit(routes: Arc<EmitRoutes>, answers: Arc<Answers>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    match handle(&routes, &answers, &parts, body).await {
        Ok(response) => response,
        Err(problem) => {
            tracing::debug!(status = problem.status.as_u16(), code = problem.code, "a request emitted nothing");
            problem.into_response()
        }
    }
}

/// Serves the OpenAPI document, to callers who may emit.
pub(super) async fn describe(routes: Arc<EmitRoutes>, document: Arc<str>, request: Request<Body>) -> Response {
    match routes.authenticate(&request.into_parts().0).await {
        Ok(_) => {
            let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
            (headers, document.to_string()).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn handle(routes: &EmitRoutes, answers: &Answers, parts: &Parts, body: Body) -> Result<Response, Problem> {
    let caller = routes.authenticate(parts).await?;
    if parts.method != Method::POST {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "events are emitted with POST"));
    }
    if !is_json(parts.headers.get(CONTENT_TYPE)) {
        let detail = "the body is `application/json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    let key = key_of(&parts.headers).map_err(|_| {
        let detail = format!("`Idempotency-Key` is one string of 1 to {MAX_KEY} visible ASCII characters");
        Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", detail)
    })?;
    let body = read(routes, parts, body).await?;
    let request = EmitRequest::read(&body, &routes.hub, &routes.limits, routes.events.as_ref())?;
    if routes.hub.connections().is_shutting_down() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the server shuts down"));
    }
    let in_progress = match key.map(|key| answers.begin(&caller, key, &body)) {
        None => None,
        Some(Found::New(request)) => Some(request),
        Some(Found::Answered(id)) => return Ok(answer(id, true)),
        Some(Found::InProgress) => {
            let detail = "a request with this `Idempotency-Key` is in progress";
            return Err(Problem::new(StatusCode::CONFLICT, "in_progress", detail));
        }
        Some(Found::OtherBody) => {
            let detail = "this `Idempotency-Key` was used with another body";
            return Err(Problem::unprocessable("idempotency_key_reused", detail));
        }
        Some(Found::Full) => {
            let detail = "too many requests with idempotency keys are in progress";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_keys", detail));
        }
    };
    // Nothing waits from here on, so that a caller who goes away can't leave it half done.
    request.emit()?;
    let id = Uuid::new_v4();
    if let Some(request) = in_progress {
        request.finish(id);
    }
    let (namespace, event) = (shown(request.namespace()), shown(request.event()));
    tracing::debug!(%id, caller, namespace = &*namespace, event = &*event, "emitted for a request");
    Ok(answer(id, false))
}

fn answer(id: Uuid, is_replayed: bool) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    let mut response = (StatusCode::ACCEPTED, headers, json!({ "id": id.to_string() }).to_string()).into_response();
    if is_replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Whether the type is JSON, with or without parameters.
fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let Some(value) = content_type.and_then(|value| value.to_str().ok()) else { return false };
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Reads the whole body, within its limits of size and time.
async fn read(routes: &EmitRoutes, parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    let max = routes.limits.max_body;
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("a body has at most {max} bytes"));
    let told = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max)) {
        return Err(too_large());
    }
    let deadline = after(Instant::now(), routes.hub.config().message_timeout);
    let mut collected = BytesMut::new();
    let mut body = body.into_data_stream();
    loop {
        match timeout_at(deadline, body.next()).await {
            Ok(None) => return Ok(collected.freeze()),
            Ok(Some(Ok(chunk))) if chunk.len() > max - collected.len() => return Err(too_large()),
            Ok(Some(Ok(chunk))) => collected.extend_from_slice(&chunk),
            Ok(Some(Err(_))) => {
                let detail = "the body did not arrive completely";
                return Err(Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", detail));
            }
            Err(_) => {
                let detail = "the body did not arrive in time";
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail));
            }
        }
    }
}
