//! [`Server`]: a `redis-server` of a test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
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
    options: Vec<String>,
    is_sentinel: bool,
    child: Option<Child>,
}

/// The URL of a server, or of a proxy in front of one.
pub(crate) fn url_of_port(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with these options, such as `--requirepass`.
    pub(crate) fn with(options: &[&str]) -> Self {
        Self::make(options, None)
    }

    /// Starts a Sentinel for the master `mymaster`, which is on this port.
    pub(crate) fn sentinel(master: u16) -> Self {
        let lines = [
            format!("sentinel monitor mymaster 127.0.0.1 {master} 1"),
            "sentinel down-after-milliseconds mymaster 500".to_owned(),
            "sentinel failover-timeout mymaster 2000".to_owned(),
        ];
        Self::make(&[], Some(lines.join("\n")))
    }

    fn make(options: &[&str], sentinel: Option<String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("socketio-redis-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        // Another process may take the port before the server has it.
        for _ in 0..20 {
            // A server that does not start removes it.
            fs::create_dir_all(&directory).unwrap();
            if let Some(lines) = &sentinel {
                fs::write(directory.join("sentinel.conf"), lines).unwrap();
            }
            let mut server = Self {
                port: free_port(),
                directory: directory.clone(),
                options: Vec::clone(&options),
                is_sentinel: sentinel.is_some(),
                child: None,
            };
            if server.run() {
                return server;
            }
        }
        panic!("no port was free for redis-server")
    }

    /// Starts the process, and waits until it accepts connections. Returns whether it does.
    fn run(&mut self) -> bool {
        let mut command = Command::new(program("REDIS_SERVER", "redis-server"));
        // A Sentinel writes to its file, and has no data.
        let ready = if self.is_sentinel {
            command.arg(self.directory.join("sentinel.conf")).arg("--sentinel");
            "+monitor"
        } else {
            command.args(["--save", "", "--appendonly", "no"]);
            "Ready to accept connections"
        };
        let mut child = command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"])
            .arg(&self.directory)
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server must be installed: apt-get install redis-server");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.contains(ready) {
                    _ = sender.send(());
                }
            }
        });
        self.child = Some(child);
        let is_ready = receiver.recv_timeout(Duration::from_secs(30)).is_ok();
        if !is_ready {
            self.kill();
        }
        is_ready
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

    /// Suspends the process, or lets it go on.
    pub(crate) fn suspend(&self, is_suspended: bool) {
        let signal = if is_suspended { "-STOP" } else { "-CONT" };
        let process = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// Ends the process as an operator does.
    pub(crate) fn shut_down(&mut self) {
        self.cli(&["SHUTDOWN", "NOSAVE"]);
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    /// Starts the process again, on the same port.
    pub(crate) fn restart(&mut self) {
        assert!(self.run(), "redis-server did not start again on port {}", self.port);
    }

    /// Runs a command with `redis-cli`, and returns the reply.
    pub(crate) fn cli(&self, command: &[&str]) -> String {
        let output =
            Command::new(program("REDIS_CLI", "redis-cli")).args(["-p", &self.port.to_string()]).args(command).output();
        String::from_utf8(output.expect("redis-cli must be installed").stdout).unwrap().trim().to_owned()
    }

    /// A field of `INFO`.
    pub(crate) fn info(&self, field: &str) -> u64 {
        let info = self.cli(&["INFO", "everything"]);
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("INFO has no {field}")).trim().parse().unwrap()
    }

    /// Waits until the reply to a command is as it should be.
    pub(crate) async fn wait_until(&self, command: &[&str], is_right: impl Fn(&str) -> bool) {
        for _ in 0..1500 {
            if is_right(&self.cli(command)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{command:?} is replied by {}", self.cli(command));
    }

    /// Waits until a field of `INFO` has a value.
    pub(crate) async fn wait_for(&self, field: &str, value: u64) {
        for _ in 0..3000 {
            if self.info(field) == value {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{field} is {} and not {value}", self.info(field));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        _ = fs::remove_dir_all(&self.directory);
    }
}

/// The program that a variable names, so that the tests can use that of Valkey.
pub(crate) fn program(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_owned())
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
