//! [`Server`]: a `nats-server` of a test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A server on a port of its own. It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    directory: PathBuf,
    child: Option<Child>,
}

/// The URL of a server, or of a proxy in front of one.
pub(crate) fn url_of_port(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// Starts a server with these lines in its configuration.
    pub(crate) fn with(settings: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("socketio-nats-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("nats.conf"), settings).unwrap();
        let mut server = Self { port: 0, directory, child: None };
        server.run();
        server
    }

    /// Starts the process, and waits until it accepts connections. The first time it chooses a
    /// port.
    fn run(&mut self) {
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let mut child = Command::new("nats-server")
            .args(["--addr", "127.0.0.1", "--port", &port, "--config"])
            .arg(self.directory.join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nats-server must be installed: apt-get install nats-server");
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("Listening for client connections on ") {
                    _ = sender.send(Ok(address.rsplit(':').next().unwrap().parse().unwrap()));
                } else if line.contains("[FTL]") {
                    _ = sender.send(Err(line));
                }
            }
        });
        self.child = Some(child);
        let port: Result<u16, String> = receiver.recv_timeout(Duration::from_secs(30)).unwrap();
        self.port = port.unwrap();
        // It listens soon after it said so.
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            thread::yield_now();
        }
    }

    pub(crate) fn url(&self) -> String {
        url_of_port(self.port)
    }

    /// Ends the process without a chance to close anything.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal, such as `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Ends the process as an operator does.
    pub(crate) fn shut_down(&mut self) {
        self.signal("-TERM");
        self.child.take().unwrap().wait().unwrap();
    }

    /// Starts the process again, on the same port.
    pub(crate) fn restart(&mut self) {
        self.run();
    }

    /// A connection that speaks the protocol by itself.
    pub(crate) fn connect(&self) -> Raw {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut raw = Raw(BufReader::new(stream));
        assert!(raw.line().starts_with("INFO "));
        raw.write(b"CONNECT {\"verbose\":false}\r\n");
        raw
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        _ = fs::remove_dir_all(&self.directory);
    }
}

pub(crate) struct Raw(BufReader<TcpStream>);

impl Raw {
    fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Publishes a message. The server has it after the next [`flush`](Self::flush).
    pub(crate) fn publish(&mut self, subject: &str, body: &[u8]) {
        let mut bytes = format!("PUB {subject} {}\r\n", body.len()).into_bytes();
        bytes.extend(body);
        bytes.extend(b"\r\n");
        self.write(&bytes);
    }

    /// Waits until the server has handled everything.
    pub(crate) fn flush(&mut self) {
        self.write(b"PING\r\n");
        while self.line() != "PONG" {}
    }

    pub(crate) fn subscribe(&mut self, subject: &str) {
        self.write(format!("SUB {subject} 1\r\n").as_bytes());
        self.flush();
    }

    /// The subject and the body of the next message.
    pub(crate) fn message(&mut self) -> (String, Vec<u8>) {
        loop {
            let line = self.line();
            if let Some(message) = line.strip_prefix("MSG ") {
                let parts: Vec<_> = message.split(' ').collect();
                let mut body = vec![0; parts[parts.len() - 1].parse::<usize>().unwrap() + 2];
                self.0.read_exact(&mut body).unwrap();
                body.truncate(body.len() - 2);
                return (parts[0].to_owned(), body);
            }
        }
    }
}
