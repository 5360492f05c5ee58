//! [`DocsRoutes`]: serves the page that shows a contract and sends its events.
//!
//! The page finds its files and the routes that it connects to relative to its own address, because
//! nobody but the browser knows where a nested router or a proxy has put it.

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::document::document;
use super::info::AsyncApiInfo;
use super::markdown;
use crate::contract::AsyncApiContract;
use crate::hub::Hub;

const PAGE: &str = include_str!("page/page.html");

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page's files: names, content types and contents.
const FILES: [(&str, &str, &str); 7] = [
    ("page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("page.js", SCRIPT, include_str!("page/page.js")),
    ("check.js", SCRIPT, include_str!("page/check.js")),
    ("connection.js", SCRIPT, include_str!("page/connection.js")),
    ("element.js", SCRIPT, include_str!("page/element.js")),
    ("prose.js", SCRIPT, include_str!("page/prose.js")),
    ("schema.js", SCRIPT, include_str!("page/schema.js")),
];

/// The content security policy: the page may contact only this server.
const POLICY: &str = "default-src 'none'; img-src data:; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The routes of the documentation page of a contract ([`Hub::docs`]) and of its AsyncAPI document.
///
/// ```
/// use axum::{Router, routing::get};
/// use socketio::{AsyncApiInfo, Hub, contract, event, events};
///
/// /// Greets.
/// #[event("hello")]
/// fn hello(name: String) -> String {
///     format!("hello {name}")
/// }
///
/// contract! {
///     #[export(asyncapi)]
///     pub Greetings { "/" { receives [hello] } }
/// }
///
/// let hub = Hub::builder().events(events![hello]).contract::<Greetings>().build()?;
/// let info = AsyncApiInfo::new("Greetings", env!("CARGO_PKG_VERSION"));
/// let app: Router = Router::new()
///     .route("/ws", get(hub.websocket()))
///     .merge(hub.socketio())
///     .merge(hub.docs::<Greetings>(info).websocket("/", "/ws")); // open /docs/ in a browser
/// # Ok::<(), socketio::BuildError>(())
/// ```
///
/// Everyone who can open the page can read the whole contract. If the contract is not public, mount
/// the routes behind an authorization layer, or only in debug builds.
#[derive(Clone, Debug)]
#[must_use = "merge them into a router"]
pub struct DocsRoutes {
    document: Value,
    path: String,
    socketio: String,
    /// The WebSocket route of each namespace.
    websockets: BTreeMap<String, String>,
}

impl Hub {
    /// Returns the routes of the documentation page at `/docs/`. The page shows the contract and
    /// can send its events to this server. The AsyncAPI document is at `/docs/asyncapi.json`.
    pub fn docs<C: AsyncApiContract>(&self, info: AsyncApiInfo) -> DocsRoutes {
        let rate_limited = (!self.has_rate_limits()).then_some("rate_limited");
        let timeout = self.config().handler_timeout.is_none().then_some("timeout");
        let never: Vec<_> = rate_limited.into_iter().chain(timeout).collect();
        DocsRoutes {
            document: document(&C::describe(), info, &never),
            path: "/docs".to_owned(),
            socketio: "/socket.io/".to_owned(),
            websockets: BTreeMap::new(),
        }
    }
}

impl DocsRoutes {
    /// Sets the path of the page. Default: `/docs`.
    pub fn path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// Sets the path of the [Socket.IO](Hub::socketio) routes in the router that the page is merged
    /// into. `nest` and proxies may move both. Routes outside of a nested router have a path such
    /// as `../socket.io/`. Default: `/socket.io/`.
    pub fn socketio(self, path: impl Into<String>) -> Self {
        Self { socketio: path.into(), ..self }
    }

    /// Sets the path of a namespace's [plain WebSocket](crate::Namespace::websocket) route, in the
    /// same router as that of [`socketio`](Self::socketio). The page then suggests this route for
    /// the namespace; otherwise it suggests Socket.IO.
    pub fn websocket(mut self, namespace: impl Into<String>, path: impl Into<String>) -> Self {
        self.websockets.insert(namespace.into(), path.into());
        self
    }

    /// The page's HTML with its configuration.
    fn page(&self) -> String {
        let depth = self.path.split('/').filter(|segment| !segment.is_empty()).count();
        let root = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
        let relative = |path: &str| format!("{root}{}", path.trim_start_matches('/'));
        let websockets: Map<_, _> =
            self.websockets.iter().map(|(namespace, path)| (namespace.clone(), relative(path).into())).collect();
        let config = json!({ "socketio": relative(&self.socketio), "websockets": websockets });
        PAGE.replace("{config}", &escaped(&config.to_string()))
    }
}

/// Escapes text for an HTML attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('\'', "&#39;").replace('<', "&lt;").replace('>', "&gt;")
}

fn answer(content_type: &'static str, body: impl Into<String>) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, body.into()).into_response()
}

impl<S: Clone + Send + Sync + 'static> From<DocsRoutes> for Router<S> {
    fn from(routes: DocsRoutes) -> Self {
        let base = routes.path.trim_end_matches('/');
        let own = [
            ("", "text/html; charset=utf-8", routes.page()),
            ("asyncapi.json", "application/json", format!("{:#}", routes.document)),
            ("prose.json", "application/json", Value::from(markdown::rendered(&routes.document)).to_string()),
        ];
        let files = FILES.map(|(name, content_type, body)| (name, content_type, body.to_owned()));
        let mut router = Router::new();
        for (name, content_type, body) in own.into_iter().chain(files) {
            router = router.route(&format!("{base}/{name}"), get(async move || answer(content_type, body)));
        }
        // The page's links are relative, so its path must end with a slash, wherever the router is
        // nested.
        if let Some((_, last)) = base.rsplit_once('/') {
            let page = format!("{last}/");
            router = router.route(base, get(async move || Redirect::temporary(&page)));
        }
        router
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Contract, Description};
    use axum::body::{Body, to_bytes};
    use http::{Request, StatusCode};
    use tower_service::Service;

    struct Quiet;

    impl Contract for Quiet {
        fn describe() -> Description {
            Description::new("Quiet", "")
        }
    }

    impl AsyncApiContract for Quiet {}

    async fn get(router: &mut Router, path: &str) -> Result<(StatusCode, Response), Box<dyn std::error::Error>> {
        let response = router.call(Request::get(path).body(Body::empty())?).await?;
        Ok((response.status(), response))
    }

    #[tokio::test]
    async fn the_page_is_served_under_nested_routers() -> Result<(), Box<dyn std::error::Error>> {
        let hub = Hub::builder().build()?;
        let docs =
            hub.docs::<Quiet>(AsyncApiInfo::new("Quiet", "1")).path("/reference/").websocket("/", "/ws?a='\"<&>");
        let mut router: Router = Router::new().nest("/api", docs.into());
        let (status, response) = get(&mut router, "/api/reference").await?;
        assert_eq!((status, &response.headers()["location"]), (StatusCode::TEMPORARY_REDIRECT, &"reference/".parse()?));
        for (name, content_type, _) in FILES {
            let (status, response) = get(&mut router, &format!("/api/reference/{name}")).await?;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(response.headers()["content-type"], content_type);
        }
        let (_, response) = get(&mut router, "/api/reference/").await?;
        assert_eq!(response.headers()["content-security-policy"], POLICY);
        let page = String::from_utf8(to_bytes(response.into_body(), 1 << 20).await?.to_vec())?;
        assert!(page.contains("&quot;../ws?a=&#39;\\&quot;&lt;&amp;&gt;"), "{page}");
        let (_, response) = get(&mut router, "/api/reference/asyncapi.json").await?;
        let document: Value = serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await?)?;
        assert_eq!(document["info"]["title"], "Quiet");
        Ok(())
    }
}
