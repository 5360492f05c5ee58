//! [`EmitRoutes`]: emits to clients for processes that are no servers, over HTTP.

mod auth;
mod idempotency;
mod problem;
mod request;
mod serving;

use axum::Router;
use axum::routing::{any, get};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use auth::{BearerTokens, EmitAuth, EmitDenied, InvalidToken};

use super::engine_routes::checked_path;
use crate::contract::Contract;
use crate::contract::openapi::EmittedEvents;
use crate::contract::openapi::document::{About, document};
use crate::hooks::catch::catch_future;
use crate::hub::Hub;
use idempotency::{Answers, MAX_KEY};
use problem::Problem;
use request::Limits;

/// The routes by which other processes emit over HTTP, from [`Hub::emit_routes`].
///
/// ```
/// use axum::Router;
/// use socketio::{BearerTokens, Hub, contract, event};
///
/// #[event("news")]
/// #[derive(serde::Serialize)]
/// struct News {
///     headline: String,
/// }
///
/// contract! {
///     Daily { "/" { emits [News] } }
/// }
///
/// # fn example() -> Result<Router, Box<dyn std::error::Error>> {
/// let hub = Hub::builder().contract::<Daily>().build()?;
/// let tokens = std::env::var("EMIT_TOKENS")?; // separated by commas
/// let routes = hub.emit_routes(BearerTokens::new(tokens.split(','))?).contract::<Daily>();
/// let app = Router::new().merge(hub.socketio()).merge(routes);
/// # Ok(app)
/// # }
/// ```
///
/// `guide::emitting_from_elsewhere` has the form of requests and answers.
#[derive(Clone)]
#[must_use = "merge them into a router"]
pub struct EmitRoutes {
    hub: Hub,
    auth: Arc<dyn EmitAuth>,
    path: String,
    limits: Limits,
    max_keys: usize,
    max_key_age: Duration,
    events: Option<EmittedEvents>,
    title: String,
    version: String,
}

/// Routes.
impl Hub {
    /// Returns the routes by which other processes emit over HTTP: `POST /emit`, and
    /// `GET /emit/openapi.json`, which describes it. `auth` decides who may use them, usually
    /// [`BearerTokens`].
    pub fn emit_routes(&self, auth: impl EmitAuth) -> EmitRoutes {
        EmitRoutes {
            auth: Arc::new(auth),
            path: "/emit".to_owned(),
            limits: Limits { max_body: self.config().max_payload, max_rooms: 1_000, max_room_name: 256 },
            max_keys: 10_000,
            max_key_age: Duration::from_secs(86_400),
            events: None,
            title: "Emit".to_owned(),
            version: "1".to_owned(),
            hub: self.clone(),
        }
    }
}

impl EmitRoutes {
    /// Sets the path. Default: `/emit`.
    ///
    /// # Panics
    ///
    /// Panics if no request can have the path.
    #[track_caller]
    pub fn path(self, path: impl AsRef<str>) -> Self {
        let path = checked_path(path.as_ref()).trim_end_matches('/').to_owned();
        Self { path, ..self }
    }

    /// Refuses events that the contract does not say the server emits, in every build: by their
    /// namespace, their name, and the number of arguments, which is one. Whether the argument has
    /// the form of the payload type is not checked. The [OpenAPI document](Self::openapi) lists the
    /// events. Several contracts add up.
    pub fn contract<C: Contract>(mut self) -> Self {
        self.events.get_or_insert_default().add(&C::describe());
        self
    }

    /// Limits the body of a request in bytes. Default: the hub's
    /// [`max_payload`](crate::HubBuilder::max_payload).
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.limits.max_body = bytes;
        self
    }

    /// Limits the rooms of a request, with those that are left out. Default: 1,000.
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.limits.max_rooms = rooms;
        self
    }

    /// Limits the name of a room in bytes. Default: 256.
    pub fn max_room_name(mut self, bytes: usize) -> Self {
        self.limits.max_room_name = bytes;
        self
    }

    /// Sets how many idempotency keys are remembered on this server, and for how long. A key takes
    /// about 200 bytes. If there are more, the oldest is forgotten. Default: 10,000 keys, for 24
    /// hours. At least one.
    pub fn idempotency(self, keys: usize, age: Duration) -> Self {
        Self { max_keys: keys.max(1), max_key_age: age, ..self }
    }

    /// Sets the title and the version of the OpenAPI document. Default: `Emit` and `1`.
    pub fn title(self, title: impl Into<String>, version: impl Into<String>) -> Self {
        Self { title: title.into(), version: version.into(), ..self }
    }

    /// The OpenAPI 3.1 document, which is served at `/openapi.json` below the path, for callers
    /// who may emit. With the feature `asyncapi`, it has the schemas of the payloads in contracts
    /// that have `#[export(asyncapi)]`.
    ///
    /// ```
    /// # use socketio::{BearerTokens, Hub};
    /// # let hub = Hub::builder().build()?;
    /// let routes = hub.emit_routes(BearerTokens::new(["6e1c5a2b9f0d4e7f8a31"])?);
    /// assert_eq!(routes.openapi()["openapi"], "3.1.0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn openapi(&self) -> Value {
        let about = About {
            title: &self.title,
            version: &self.version,
            path: &self.path,
            security: self.auth.security_scheme(),
            max_rooms: self.limits.max_rooms,
            max_room_name: self.limits.max_room_name,
            max_event_name: self.hub.config().max_event_name,
            max_key: MAX_KEY,
        };
        document(self.events.as_ref(), &about)
    }

    /// Authenticates a request. Returns the name of the caller.
    async fn authenticate(&self, request: &Parts) -> Result<String, Problem> {
        let authenticated = catch_future(async { self.auth.authenticate(request).await }).await;
        let denied = match authenticated {
            Ok(Ok(caller)) => return Ok(caller),
            Ok(Err(denied)) => denied,
            Err(_) => {
                tracing::error!("the authentication of a request to emit panicked");
                EmitDenied::Unavailable
            }
        };
        tracing::debug!(%denied, "refused a request to emit");
        Err(match denied {
            EmitDenied::Unauthorized => Problem {
                challenge: Some(HeaderValue::from_static("Bearer realm=\"emit\"")),
                ..Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", denied.to_string())
            },
            EmitDenied::Forbidden => Problem::new(StatusCode::FORBIDDEN, "forbidden", denied.to_string()),
            EmitDenied::Unavailable => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", denied.to_string()),
        })
    }
}

impl<S: Clone + Send + Sync + 'static> From<EmitRoutes> for Router<S> {
    fn from(routes: EmitRoutes) -> Self {
        let path = if routes.path.is_empty() { "/".to_owned() } else { routes.path.clone() };
        let document_path = format!("{}/openapi.json", routes.path);
        let document: Arc<str> = format!("{:#}", routes.openapi()).into();
        let answers = Arc::new(Answers::new(routes.max_keys, routes.max_key_age));
        let routes = Arc::new(routes);
        let described = Arc::clone(&routes);
        Router::new()
            .route(&path, any(move |request| serving::emit(Arc::clone(&routes), Arc::clone(&answers), request)))
            .route(
                &document_path,
                get(move |request| serving::describe(Arc::clone(&described), Arc::clone(&document), request)),
            )
    }
}

impl fmt::Debug for EmitRoutes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EmitRoutes")
            .field("path", &self.path)
            .field("auth", &self.auth)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
