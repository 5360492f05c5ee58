//! [`AsyncApiInfo`]: the parts of a document that are not in the contract.

use serde_json::{Map, Value, json};

/// The title and version of an AsyncAPI document, and the addresses of the servers.
///
/// ```
/// use socketio::AsyncApiInfo;
///
/// let info = AsyncApiInfo::new("Chat", env!("CARGO_PKG_VERSION"))
///     .description("Rooms and direct messages.")
///     .server("production", "wss://chat.example.org/socket.io/");
/// # let _ = info;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a contract's `asyncapi` takes it"]
pub struct AsyncApiInfo {
    title: String,
    version: String,
    description: Option<String>,
    /// The names and addresses of the servers.
    servers: Vec<(String, String)>,
}

impl AsyncApiInfo {
    /// Creates the information with the document's title and the application's version.
    pub fn new(title: impl Into<String>, version: impl Into<String>) -> Self {
        Self { title: title.into(), version: version.into(), description: None, servers: Vec::new() }
    }

    /// Sets the description of the application, which may be Markdown. Default: the contract's doc
    /// comment.
    pub fn description(self, description: impl Into<String>) -> Self {
        Self { description: Some(description.into()), ..self }
    }

    /// Adds a server: its name in the document, and its address, such as
    /// `wss://chat.example.org/socket.io/`.
    pub fn server(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.servers.push((name.into(), address.into()));
        self
    }

    pub(super) fn into_parts(self, contract_doc: &str) -> (Value, Map<String, Value>) {
        let mut info = json!({ "title": self.title, "version": self.version });
        let description = self.description.unwrap_or_else(|| contract_doc.to_owned());
        if !description.is_empty() {
            info["description"] = description.into();
        }
        let mut servers = Map::new();
        for (name, address) in self.servers {
            servers.insert(super::document::unique(super::document::key(&name), &servers), server(&address));
        }
        (info, servers)
    }
}

fn server(address: &str) -> Value {
    let (protocol, rest) = address.split_once("://").unwrap_or(("ws", address));
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let mut server = json!({ "host": host, "protocol": protocol });
    if !matches!(path, "" | "/") {
        server["pathname"] = path.into();
    }
    server
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_into_their_parts() {
        for (address, expected) in [
            ("wss://a.org", json!({ "host": "a.org", "protocol": "wss" })),
            ("ws://a.org:3000/", json!({ "host": "a.org:3000", "protocol": "ws" })),
            ("https://a.org/b/c", json!({ "host": "a.org", "protocol": "https", "pathname": "/b/c" })),
            ("a.org", json!({ "host": "a.org", "protocol": "ws" })),
        ] {
            assert_eq!(server(address), expected);
        }
    }
}
