//! The servers that are compared. Each measurement starts a new process.

use crate::BoxError;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A server, and the flavour of its clients.
pub struct Server {
    pub name: &'static str,
    command: &'static [&'static str],
    pub flavour: &'static str,
    /// Whether it uses this crate.
    pub own: bool,
}

pub const FLOOR: &str = "floor: sockets alone";
/// The peers that servers over WebSocket and over polling are compared with.
pub const PEER: &str = "socketioxide";
pub const POLLING_PEER: &str = "socketioxide, polling";

const ECHO: &[&str] = &["../target/release/examples/echo"];
const NODE: &[&str] = &["node", "node/server.mjs"];
const SOCKETIOXIDE: &[&str] = &["target/release/socketioxide"];

pub const SERVERS: [Server; 10] = [
    Server { name: FLOOR, command: &["target/release/floor"], flavour: "plain", own: false },
    Server {
        name: "sockets and serde_json",
        command: &["target/release/floor", "serde"],
        flavour: "plain",
        own: false,
    },
    Server { name: "socketio, plain WebSocket", command: ECHO, flavour: "plain", own: true },
    Server { name: "socketio, Socket.IO", command: ECHO, flavour: "socketio", own: true },
    Server { name: "axum, hand-written", command: &["target/release/axum"], flavour: "plain", own: false },
    Server { name: PEER, command: SOCKETIOXIDE, flavour: "socketio", own: false },
    Server { name: "Node socket.io", command: NODE, flavour: "socketio", own: false },
    Server { name: "socketio, polling", command: ECHO, flavour: "polling", own: true },
    Server { name: POLLING_PEER, command: SOCKETIOXIDE, flavour: "polling", own: false },
    Server { name: "Node socket.io, polling", command: NODE, flavour: "polling", own: false },
];

/// A child process that is killed on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Server {
    pub fn is_polling(&self) -> bool {
        self.flavour == "polling"
    }

    /// Starts the server, runs the load generator, and stops the server.
    pub fn measure(&self, arguments: &[String]) -> Result<Value, BoxError> {
        let mut command = Command::new(self.command[0]);
        command.args(&self.command[1..]).env("PORT", "0").env("NODE_ENV", "production");
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut server = Running(child.map_err(|error| format!("{}: {error}", self.command[0]))?);
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().ok_or("its output is piped")?).read_line(&mut line)?;
        let address = line.trim().rsplit('/').next().unwrap_or_default();
        let load = Command::new("target/release/load")
            .args(["--address", address, "--pid", &server.0.id().to_string(), "--flavour", self.flavour])
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()?;
        if !load.status.success() {
            return Err(format!("{} with {}: the load generator failed", self.name, arguments.join(" ")).into());
        }
        Ok(serde_json::from_slice(&load.stdout)?)
    }
}
