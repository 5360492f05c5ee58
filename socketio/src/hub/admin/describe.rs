//! Describes sockets to admins.

use serde_json::{Map, Value, json};

use super::AdminCore;
use crate::connection_handle::engine_session::Transport;
use crate::hub::socket::Socket;
use crate::hub::socket::remote::{RemoteHandshake, RemoteSocket};
use crate::wire::msgpack::iso_date;

/// The attribute under which servers tell each other what admins need to know of a socket.
pub(crate) const ATTRIBUTE: &str = "_admin";
/// Headers with which somebody could act as the client. Admins don't see them.
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "x-api-key"];

/// Describes a socket of this server.
pub(super) fn of(core: &AdminCore, socket: &Socket) -> Value {
    let remote = RemoteSocket::of(socket);
    description(&remote, socket.namespace(), &core.client_id(socket), socket.transport().as_str())
}

/// Describes a socket of another server.
pub(super) fn of_remote(socket: &RemoteSocket, namespace: &str) -> Value {
    let told = socket.attributes.get(ATTRIBUTE);
    let text = |name: &str| told.and_then(|told| told.get(name)).and_then(Value::as_str);
    // A member in production mode tells nothing.
    let id: String = socket.id.chars().take(12).collect();
    let transport = text("transport").unwrap_or(Transport::WebSocket.as_str());
    description(socket, namespace, text("clientId").unwrap_or(&id), transport)
}

/// What other servers are told of a socket of this one.
#[cfg(feature = "cluster")]
pub(super) fn told(core: &AdminCore, socket: &Socket) -> Value {
    json!({ "clientId": core.client_id(socket), "transport": socket.transport().as_str() })
}

fn description(socket: &RemoteSocket, namespace: &str, client_id: &str, transport: &str) -> Value {
    json!({
        "id": socket.id,
        "clientId": client_id,
        "transport": transport,
        "nsp": namespace,
        "data": data(socket.attributes.iter()),
        "handshake": handshake(&socket.handshake),
        "rooms": socket.rooms,
    })
}

/// The attributes of a socket, without what is only meant for servers.
pub(super) fn data<'a>(attributes: impl Iterator<Item = (&'a str, &'a Value)>) -> Map<String, Value> {
    attributes.filter(|(name, _)| *name != ATTRIBUTE).map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// Not the `auth` payload, which is a secret.
fn handshake(handshake: &RemoteHandshake) -> Value {
    let mut headers = Map::new();
    for name in handshake.headers.keys().filter(|name| !SECRET_HEADERS.contains(&name.as_str())) {
        let values = handshake.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        headers.insert(name.as_str().to_owned(), values.collect::<Vec<_>>().join(", ").into());
    }
    let of_proxy = ["cf-connecting-ip", "x-forwarded-for"].into_iter().find_map(|name| headers.get(name));
    let issued = handshake.issued.unwrap_or_default();
    json!({
        "address": of_proxy.and_then(Value::as_str).or(handshake.address.as_deref()).unwrap_or_default(),
        "headers": headers,
        "query": handshake.query,
        "issued": issued,
        "secure": handshake.secure.unwrap_or_default(),
        "time": i64::try_from(issued).ok().and_then(iso_date),
        "url": handshake.url,
        "xdomain": handshake.xdomain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_socket_of_another_server_has_what_that_server_tells() {
        let mut socket = RemoteSocket::new("0123456789abcdefghij");
        let told = json!({ "clientId": "client", "transport": "polling" });
        socket.attributes = [("_admin".to_owned(), told), ("name".to_owned(), "ann".into())].into_iter().collect();
        socket.rooms.push("lobby".into());
        let described = of_remote(&socket, "/chat");
        assert_eq!([&described["clientId"], &described["transport"]], ["client", "polling"]);
        assert_eq!(described["data"], json!({ "name": "ann" }));
        assert_eq!(described["rooms"], json!(["0123456789abcdefghij", "lobby"]));
        assert_eq!(described["nsp"], "/chat");
        assert_eq!(described["handshake"]["issued"], 0);

        for told in [json!(null), json!(7), json!({ "clientId": 7, "transport": [] })] {
            socket.attributes = [("_admin".to_owned(), told)].into_iter().collect();
            let described = of_remote(&socket, "/");
            assert_eq!([&described["clientId"], &described["transport"]], ["0123456789ab", "websocket"]);
        }
    }

    #[test]
    fn admins_see_headers_but_no_secrets() {
        let mut socket = RemoteSocket::new("a");
        socket.handshake.address = Some("10.0.0.1".to_owned());
        socket.handshake.auth = json!({ "token": "secret" });
        socket.handshake.issued = Some(1_795_439_907_000);
        for (name, value) in [("cookie", "secret"), ("authorization", "secret"), ("accept", "a"), ("accept", "b")] {
            socket.handshake.headers.append(name, HeaderValue::from_static(value));
        }
        let described = of_remote(&socket, "/");
        assert!(!described.to_string().contains("secret"), "{described}");
        assert_eq!(described["handshake"]["headers"], json!({ "accept": "a, b" }));
        assert_eq!(described["handshake"]["address"], "10.0.0.1");
        assert_eq!(described["handshake"]["time"], "2026-11-23T13:18:27.000Z");
        socket.handshake.headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        assert_eq!(of_remote(&socket, "/")["handshake"]["address"], "192.0.2.1");
    }
}
