//! [`HealthRoutes`]: tells load balancers and orchestrators whether to send clients to this server.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::engine_routes::checked_path;
use crate::hub::Hub;
use crate::hub::connections::Phase;

/// The routes `ready` and `live`, from [`Hub::health`].
///
/// | route | status | body |
/// | --- | --- | --- |
/// | `/health/live` | 200 | `{"status":"live"}` |
/// | `/health/ready` | 200 | `{"status":"ready"}`: send clients here |
/// | `/health/ready` | 503 | `{"status":"draining"}`, since [`Hub::drain`] was called |
/// | `/health/ready` | 503 | `{"status":"shutting_down"}`, since [`Hub::shutdown`] was called |
/// | `/health/ready` | 503 | `{"status":"cluster_down"}`: the cluster can't be reached, and the hub [refuses new clients][refuse] then, or the routes [require the cluster][require] |
///
/// `live` says that this process answers requests. It stays 200 in a drain and a shutdown, so that
/// an orchestrator does not kill a server that is moving its clients away.
///
/// A server whose cluster can't be reached is ready by default: it serves its own clients, and most
/// often the other servers can't reach the cluster either.
///
/// A server with [`max_connections`](crate::HubBuilder::max_connections) clients is ready, too,
/// because it goes on serving them.
///
/// [refuse]: crate::HubBuilder::while_down
/// [require]: Self::require_cluster
#[derive(Clone, Debug)]
#[must_use = "routes do nothing until they are merged into a router"]
pub struct HealthRoutes {
    hub: Hub,
    path: String,
    /// Whether the hub is of use now, apart from whether it accepts clients.
    is_useful: fn(&Hub) -> bool,
}

impl Hub {
    /// Returns routes that tell load balancers whether to send clients to this server.
    ///
    /// ```
    /// use axum::Router;
    /// use socketio::Hub;
    ///
    /// let hub = Hub::builder().build()?;
    /// let app: Router = Router::new().merge(hub.socketio()).merge(hub.health());
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn health(&self) -> HealthRoutes {
        HealthRoutes { hub: self.clone(), path: "/health".to_owned(), is_useful: |_| true }
    }
}

impl HealthRoutes {
    /// Sets the path below which `ready` and `live` are. Default: `/health`.
    ///
    /// # Panics
    ///
    /// Panics if no request can have the path: it has a query, a space or another character that
    /// clients percent-encode. Merging the routes panics if axum does not accept the path.
    #[track_caller]
    pub fn path(self, path: impl Into<String>) -> Self {
        let path = path.into();
        checked_path(&path);
        Self { path, ..self }
    }

    /// Makes `ready` answer with the status 503 while the [health](crate::Cluster::health) of the
    /// hub's cluster is not `Up`. Default: the cluster has no effect.
    ///
    /// Most often all servers lose the cluster at once. Then a load balancer finds none of them
    /// ready, and refuses all clients.
    #[cfg(feature = "cluster")]
    pub fn require_cluster(self) -> Self {
        let is_useful = |hub: &Hub| hub.cluster().is_none_or(|cluster| cluster.health().is_up());
        Self { is_useful, ..self }
    }

    fn ready(&self) -> Response {
        let (status, text) = match self.hub.connections().phase() {
            Phase::Serving if !self.hub.accepts_clients() || !(self.is_useful)(&self.hub) => {
                (StatusCode::SERVICE_UNAVAILABLE, "cluster_down")
            }
            Phase::Serving => (StatusCode::OK, "ready"),
            Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            Phase::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting_down"),
        };
        answer(status, text)
    }
}

fn answer(status: StatusCode, text: &str) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, format!(r#"{{"status":"{text}"}}"#)).into_response()
}

/// # Panics
///
/// Panics if axum does not accept the [path](HealthRoutes::path), such as `/{a}{b}`.
impl<S: Clone + Send + Sync + 'static> From<HealthRoutes> for Router<S> {
    fn from(routes: HealthRoutes) -> Self {
        let path = match routes.path.trim_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        };
        let live = || async { answer(StatusCode::OK, "live") };
        Self::new()
            .route(&format!("{path}/live"), get(live))
            .route(&format!("{path}/ready"), get(move || async move { routes.ready() }))
    }
}
