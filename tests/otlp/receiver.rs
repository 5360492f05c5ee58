//! [`Receiver`]: an OTLP receiver over HTTP, with the official definitions of the protocol.
//!
//! GET `/spans/{count}` waits until it has received as many spans, and responds with all of them,
//! in the form of OTLP/JSON.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use flate2::read::GzDecoder;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::io::Read;
use tokio::sync::watch;

/// The received spans.
#[derive(Clone)]
pub(crate) struct Receiver(watch::Sender<Vec<Span>>);

impl Default for Receiver {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl Receiver {
    pub(crate) fn routes(self) -> Router {
        Router::new().route("/v1/traces", post(receive)).route("/spans/{count}", get(spans)).with_state(self)
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Result<Vec<u8>, StatusCode> {
    let mut plain = Vec::new();
    let bytes = match headers.get("content-encoding") {
        Some(encoding) if encoding == "gzip" => {
            GzDecoder::new(&*body).read_to_end(&mut plain).map_err(|_| StatusCode::BAD_REQUEST)?;
            &plain
        }
        _ => &*body,
    };
    let request = ExportTraceServiceRequest::decode(bytes).map_err(|_| StatusCode::BAD_REQUEST)?;
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    receiver.0.send_modify(|received| received.extend(spans));
    // The empty message: nothing was refused.
    Ok(Vec::new())
}

async fn spans(State(receiver): State<Receiver>, Path(count): Path<usize>) -> Result<String, StatusCode> {
    let mut received = receiver.0.subscribe();
    let spans = received.wait_for(|spans| spans.len() >= count).await.map(|spans| spans.clone());
    serde_json::to_string(&spans.unwrap_or_default()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
