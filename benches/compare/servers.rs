//! The servers that are compared, each a process of its own that lives for one measurement.

use crate::Fault;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A server, and how it is spoken to.
pub struct Contestant {
    pub name: &'static str,
    command: &'static [&'static str],
    pub flavour: &'static str,
    /// Whether it is this crate's.
    pub own: bool,
}

pub const FLOOR: &str = "floor: sockets alone";
/// What those over WebSocket, and those over polling, are held against.
pub const PEER: &str = "socketioxide";
pub const POLLING_PEER: &str = "socketioxide, polling";

const ECHO: &[&str] = &["../target/release/examples/echo"];
const NODE: &[&str] = &["node", "node/server.mjs"];
const SOCKETIOXIDE: &[&str] = &["target/release/socketioxide"];

pub const CONTESTANTS: [Contestant; 10] = [
    Contestant { name: FLOOR, command: &["target/release/floor"], flavour: "plain", own: false },
    Contestant {
        name: "sockets and serde_json",
        command: &["target/release/floor", "serde"],
        flavour: "plain",
        own: false,
    },
    Contestant { name: "socketio, plain WebSocket", command: ECHO, flavour: "plain", own: true },
    Contestant { name: "socketio, Socket.IO", command: ECHO, flavour: "socketio", own: true },
    Contestant { name: "axum, hand-written", command: &["target/release/axum"], flavour: "plain", own: false },
    Contestant { name: PEER, command: SOCKETIOXIDE, flavour: "socketio", own: false },
    Contestant { name: "Node socket.io", command: NODE, flavour: "socketio", own: false },
    Contestant { name: "socketio, polling", command: ECHO, flavour: "polling", own: true },
    Contestant { name: POLLING_PEER, command: SOCKETIOXIDE, flavour: "polling", own: false },
    Contestant { name: "Node socket.io, polling", command: NODE, flavour: "polling", own: false },
];

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Contestant {
    pub fn is_polling(&self) -> bool {
        self.flavour == "polling"
    }

    /// Starts the server, puts it under load, and ends it.
    pub fn measure(&self, arguments: &[String]) -> Result<Value, Fault> {
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
