//! The processes: Redis, and the servers of each pair.

use crate::BoxError;
use crate::cpu_time::cpu_time;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// How a server is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Rust,
    /// With the engine over Redis Streams.
    RustStreams,
    /// With the client `ioredis`.
    NodeIoredis,
    /// With the client `redis`. It writes several commands at once, where `ioredis` writes each.
    NodeRedis,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::RustStreams => "Rust, streams",
            Self::NodeIoredis => "Node, ioredis",
            Self::NodeRedis => "Node, redis",
        }
    }

    fn command(self) -> Command {
        let mut server = Command::new("target/release/cluster-server");
        let client = match self {
            Self::Rust => return server,
            Self::RustStreams => {
                server.env("ENGINE", "streams");
                return server;
            }
            Self::NodeIoredis => "ioredis",
            Self::NodeRedis => "redis",
        };
        let mut command = Command::new("node");
        command.arg("node/cluster.mjs").env("CLIENT", client);
        command
    }
}

/// A child process that is killed on drop.
struct Running(Child);

impl Running {
    fn cpu(&self) -> Result<Duration, BoxError> {
        cpu_time(&self.0.id().to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// `redis-server`, without persistence.
pub struct Redis {
    process: Running,
    port: u16,
}

impl Redis {
    pub fn start() -> Result<Self, BoxError> {
        // It is free now, and the system assigns it to nobody else soon.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()?;
        let redis = Self { process: Running(process), port };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(redis);
            }
            sleep(Duration::from_millis(10));
        }
        Err("redis-server does not listen".into())
    }

    pub fn cpu(&self) -> Result<Duration, BoxError> {
        self.process.cpu()
    }
}

/// A server that obeys commands on its standard input.
pub struct Server {
    process: Running,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

/// What a server has counted since its start.
#[derive(Clone, Copy)]
pub struct Counted {
    pub received: u64,
    /// Every loss that it noticed.
    pub lost: u64,
}

impl Server {
    /// Starts a server. With a prefix it joins the cluster that has it.
    pub fn start(kind: Kind, redis: &Redis, prefix: Option<&str>) -> Result<Self, BoxError> {
        let mut command = kind.command();
        if let Some(prefix) = prefix {
            command.args([&format!("redis://127.0.0.1:{}", redis.port), prefix]);
        }
        let mut child = command
            .env("NODE_ENV", "production")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", kind.name()))?;
        let input = child.stdin.take().ok_or("its input is piped")?;
        let mut output = BufReader::new(child.stdout.take().ok_or("its output is piped")?);
        let process = Running(child);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.trim().rsplit('/').next().unwrap_or_default().parse()?;
        Ok(Self { process, input, output, address })
    }

    /// Sends a command. Each is answered with a line.
    pub fn command(&mut self, command: &str) -> Result<(), BoxError> {
        Ok(writeln!(self.input, "{command}")?)
    }

    pub fn answer(&mut self) -> Result<String, BoxError> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err("the server has ended".into()),
            _ => Ok(line.trim().to_owned()),
        }
    }

    pub fn counted(&mut self) -> Result<Counted, BoxError> {
        self.command("stats")?;
        let answer = self.answer()?;
        let (received, lost) = answer.split_once(' ').ok_or("two numbers expected")?;
        Ok(Counted { received: received.parse()?, lost: lost.parse()? })
    }

    pub fn cpu(&self) -> Result<Duration, BoxError> {
        self.process.cpu()
    }
}
