//! Origin checks: which web pages may connect, with handshakes as browsers and proxies send them.

use axum::Router;
use axum::routing::get;
use socketio::{Hub, HubBuilder};
use socketio_tests::{Server, plain_only, serve_router, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const OPENS: u16 = 101;
const FORBIDDEN: u16 = 403;
const BAD_REQUEST: u16 = 400;

/// A server whose routes are for all kinds of clients. It has the settings of a release build.
async fn server(set: impl FnOnce(HubBuilder) -> HubBuilder) -> Server {
    plain_only();
    let hub = set(Hub::builder().allow_localhost(false)).build().expect("a hub");
    let app = Router::new().route("/ws/{id}", get(hub.websocket())).merge(hub.socketio());
    serve_router(hub, app).await
}

/// The status code of the response to a handshake with these headers.
async fn status(server: &Server, host: &str, origin: Option<&str>, more: &str) -> u16 {
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /ws/ann HTTP/1.1\r\nHost: {host}\r\n{origin}{more}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut stream = server.open().await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = [0; 12];
    soon("answer", stream.read_exact(&mut answer)).await.expect("an answer");
    String::from_utf8_lossy(&answer[9..]).parse().expect("a status")
}

#[tokio::test]
async fn pages_of_the_same_host_and_port_may_connect() {
    let server = server(|builder| builder).await;
    let own = server.host();
    let own_origin = format!("http://{own}");
    for (host, origin, expected) in [
        // A page of this server, at the port that it listens on.
        (own.as_str(), Some(own_origin.as_str()), OPENS),
        ("chat.example.org", Some("http://chat.example.org"), OPENS),
        ("Chat.Example.org", Some("http://chat.example.org"), OPENS),
        ("chat.example.org:3000", Some("http://chat.example.org:3000"), OPENS),
        ("[::1]:3000", Some("http://[::1]:3000"), OPENS),
        // A proxy terminates TLS, so this server can't know the scheme.
        ("chat.example.org", Some("https://chat.example.org"), OPENS),
        // A missing port is the default port of the scheme.
        ("chat.example.org:443", Some("https://chat.example.org"), OPENS),
        ("chat.example.org:80", Some("http://chat.example.org"), OPENS),
        ("chat.example.org:443", Some("http://chat.example.org"), FORBIDDEN),
        // Old browsers and other clients send no `Origin` header.
        (own.as_str(), None, OPENS),
        // Other hosts, other ports, and similar names.
        (own.as_str(), Some("http://evil.example"), FORBIDDEN),
        (own.as_str(), Some("http://127.0.0.1"), FORBIDDEN),
        ("chat.example.org", Some("http://chat.example.org:3000"), FORBIDDEN),
        ("chat.example.org:3000", Some("http://chat.example.org"), FORBIDDEN),
        ("chat.example.org:3000", Some("http://chat.example.org:3001"), FORBIDDEN),
        ("chat.example.org", Some("http://chat.example.org.evil.example"), FORBIDDEN),
        ("chat.example.org", Some("http://evil.example/chat.example.org"), FORBIDDEN),
        ("chat.example.org", Some("http://chat.example.org@evil.example"), FORBIDDEN),
        ("chat.example.org", Some("http://example.org"), FORBIDDEN),
        ("example.org", Some("http://chat.example.org"), FORBIDDEN),
        // A sandboxed frame, a local file, an extension, and an empty header.
        (own.as_str(), Some("null"), FORBIDDEN),
        (own.as_str(), Some("file://"), FORBIDDEN),
        ("abcdef", Some("chrome-extension://abcdef"), FORBIDDEN),
        (own.as_str(), Some(""), FORBIDDEN),
        (own.as_str(), Some("chat.example.org"), FORBIDDEN),
        ("null", Some("null"), FORBIDDEN),
        // What is more than a scheme, a host and a port is no origin.
        ("chat.example.org", Some("http://evil@chat.example.org"), FORBIDDEN),
        ("chat.example.org", Some("http://chat.example.org:99999"), FORBIDDEN),
        ("chat.example.org", Some("http://chat.example.org/"), FORBIDDEN),
        ("chat.example.org", Some("http://chat.example.org?query"), FORBIDDEN),
        ("chat.example.org", Some("http://chat.example.org, http://chat.example.org"), FORBIDDEN),
        // A `Host` that is none.
        ("evil@chat.example.org", Some("http://chat.example.org"), BAD_REQUEST),
        ("chat.example.org:80:80", Some("http://chat.example.org"), BAD_REQUEST),
    ] {
        assert_eq!(status(&server, host, origin, "").await, expected, "{origin:?} at {host}");
    }
}

#[tokio::test]
async fn of_two_origins_neither_is_trusted() {
    let server = server(|builder| builder.allow_origins(["https://app.example.org"])).await;
    for (first, second) in [
        ("http://chat.example.org", "http://chat.example.org"),
        ("http://chat.example.org", "http://evil.example"),
        ("http://evil.example", "http://chat.example.org"),
        ("https://app.example.org", "https://app.example.org"),
    ] {
        let second = format!("Origin: {second}\r\n");
        assert_eq!(status(&server, "chat.example.org", Some(first), &second).await, FORBIDDEN, "{first}, {second}");
    }
}

/// The head of the response to a polling handshake with these headers, in lower case.
async fn polled(server: &Server, method: &str, host: &str, headers: &str) -> String {
    let request = format!(
        "{method} /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n"
    );
    let mut stream = server.open().await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // Over TLS, the end of the stream may be an error.
    let _ = soon("answer", stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    answer.split("\r\n\r\n").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn polling_and_its_cors_headers_follow_the_same_rules() {
    let server = server(|builder| {
        builder
            .allow_origins(["https://*.example.org", "http://default.example:80"])
            .public_hosts(["public.example"])
            .allow_localhost(true)
    })
    .await;
    for (host, origin, opens, has_cors) in [
        ("api.example", "https://app.example.org", true, true),
        ("api.example", "http://default.example", true, true),
        ("api.example", "https://public.example", true, true),
        ("localhost:3000", "http://localhost:5173", true, true),
        // A browser asks for no permission on the same origin.
        ("api.example", "https://api.example", true, false),
        ("api.example", "https://example.org", false, false),
        ("api.example", "http://localhost:5173", false, false),
        ("api.example", "http://evil@api.example", false, false),
        ("api.example", "null", false, false),
    ] {
        let allowed = format!("\r\naccess-control-allow-origin: {origin}\r\n");
        let header = format!("Origin: {origin}\r\n");
        let upgraded = status(&server, host, Some(origin), "").await;
        assert_eq!(upgraded, if opens { OPENS } else { FORBIDDEN }, "{origin}");
        let head = polled(&server, "GET", host, &header).await;
        assert_eq!(&head[9..12], if opens { "200" } else { "403" }, "{origin}: {head}");
        assert_eq!(head.contains(&allowed), has_cors, "{origin}: {head}");
        assert_eq!(head.contains("access-control-allow-credentials: true"), has_cors, "{origin}: {head}");
        let preflight = format!("{header}Access-Control-Request-Method: POST\r\n");
        let head = polled(&server, "OPTIONS", host, &preflight).await;
        assert_eq!(head.contains(&allowed), has_cors, "{origin}: {head}");
        assert_eq!(&head[9..12] == "403", !opens, "{origin}: {head}");
    }
    // Neither of two origins is trusted.
    let two = "Origin: https://app.example.org\r\nOrigin: https://app.example.org\r\n";
    for method in ["GET", "OPTIONS"] {
        let head = polled(&server, method, "api.example", two).await;
        assert!(head.starts_with("http/1.1 403 ") && !head.contains("access-control"), "{head}");
    }
}

#[tokio::test]
async fn pages_of_localhost_may_connect_to_a_debug_build() {
    let open = server(|builder| builder.allow_localhost(true)).await;
    let closed = server(|builder| builder).await;
    for (host, origin, expected) in [
        ("localhost:3000", "http://localhost:5173", OPENS),
        ("127.0.0.1:3000", "http://localhost:5173", OPENS),
        ("localhost:3000", "http://[::1]:5173", OPENS),
        // Another site may resolve its own name to this machine.
        ("evil.example:3000", "http://localhost:5173", FORBIDDEN),
        ("localhost:3000", "http://evil.example", FORBIDDEN),
    ] {
        assert_eq!(status(&open, host, Some(origin), "").await, expected, "{origin} at {host}");
        assert_eq!(status(&closed, host, Some(origin), "").await, FORBIDDEN, "{origin} at {host}");
    }
}

#[tokio::test]
async fn allowed_origins_may_connect_too() {
    let allowed = [
        "https://app.example.org",
        "http://localhost:5173/",
        "HTTPS://Upper.Example.org",
        "http://default.example.org:80",
        "https://*.example.net",
    ];
    let server = server(|builder| builder.allow_origins(allowed)).await;
    for (origin, expected) in [
        ("https://app.example.org", OPENS),
        ("http://localhost:5173", OPENS),
        ("https://upper.example.org", OPENS),
        // Browsers omit the default port of the scheme.
        ("http://default.example.org", OPENS),
        ("https://app.example.net", OPENS),
        ("https://a.b.example.net", OPENS),
        ("https://example.net", FORBIDDEN),
        ("http://app.example.net", FORBIDDEN),
        ("https://appexample.net", FORBIDDEN),
        // Pages of the same host may still connect.
        ("https://api.example.org", OPENS),
        // For an allowed origin, scheme and port must match.
        ("http://app.example.org", FORBIDDEN),
        ("https://app.example.org:8443", FORBIDDEN),
        ("http://localhost:5174", FORBIDDEN),
        ("http://localhost", FORBIDDEN),
        ("https://evil.example", FORBIDDEN),
        ("null", FORBIDDEN),
    ] {
        assert_eq!(status(&server, "api.example.org", Some(origin), "").await, expected, "{origin}");
    }
    assert_eq!(status(&server, "api.example.org", None, "").await, OPENS);
}

#[tokio::test]
async fn allowed_origins_accumulate_and_a_star_allows_all() {
    let server =
        server(|builder| builder.allow_origins(["https://a.example"]).allow_origins(["https://b.example"])).await;
    for (origin, expected) in
        [("https://a.example", OPENS), ("https://b.example", OPENS), ("https://c.example", FORBIDDEN)]
    {
        assert_eq!(status(&server, "api.example.org", Some(origin), "").await, expected, "{origin}");
    }
    let server = self::server(|builder| builder.allow_origins(["*"])).await;
    for origin in ["https://evil.example", "null", "", "file://"] {
        assert_eq!(status(&server, "api.example.org", Some(origin), "").await, OPENS, "{origin}");
    }
}

/// Forwards a handshake like a reverse proxy, and returns the status code of the response.
async fn through_proxy(server: &Server, public: &str, keeps_host: bool) -> u16 {
    let inside = server.host();
    let host = if keeps_host { public } else { &inside };
    // The server ignores forwarded headers, because any client can send them.
    let forwarded = format!("X-Forwarded-Host: {public}\r\nX-Forwarded-Proto: https\r\nForwarded: host={public}\r\n");
    status(server, host, Some(&format!("https://{public}")), &forwarded).await
}

#[tokio::test]
async fn behind_a_proxy_a_page_needs_the_forwarded_host_or_a_setting() {
    let plain = server(|builder| builder).await;
    assert_eq!(through_proxy(&plain, "chat.example.org", true).await, OPENS);
    assert_eq!(through_proxy(&plain, "chat.example.org", false).await, FORBIDDEN);
    let allowed = server(|builder| builder.allow_origins(["https://chat.example.org"])).await;
    let public = server(|builder| builder.public_hosts(["chat.example.org"])).await;
    for told in [allowed, public] {
        for keeps_host in [true, false] {
            assert_eq!(through_proxy(&told, "chat.example.org", keeps_host).await, OPENS);
        }
        assert_eq!(through_proxy(&told, "evil.example", false).await, FORBIDDEN);
        assert_eq!(through_proxy(&told, "chat.example.org:8443", false).await, FORBIDDEN);
    }
}

#[tokio::test]
async fn a_refused_page_does_not_count_as_a_connection() {
    let server = server(|builder| builder.max_connections(1)).await;
    for _ in 0..3 {
        assert_eq!(status(&server, "chat.example.org", Some("http://evil.example"), "").await, FORBIDDEN);
    }
    assert_eq!(server.hub.stats().connections, 0);
    server.connect("ann").await.settle().await;
}
