//! The Redis of the example.

use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, fs, process};

/// The programs that are tried, in this order.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// A Redis or Valkey server: that of the environment variable `REDIS_URL`, or one that runs as long
/// as this value exists.
pub(crate) struct Store {
    url: String,
    _server: Option<Server>,
}

/// A server that was started here.
struct Server {
    process: Child,
    directory: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(
        "there is no Redis: set REDIS_URL, for example to redis://127.0.0.1:6379, or install redis-server or \
         valkey-server (Debian: apt-get install redis-server)"
    )]
    NotInstalled,
    #[error("Redis could not be started: {0}")]
    NotStarted(#[from] io::Error),
}

impl Store {
    pub(crate) fn find() -> Result<Self, StoreError> {
        if let Ok(url) = env::var("REDIS_URL") {
            return Ok(Self { url, _server: None });
        }
        let port = free_port()?;
        let server = Server::start(port)?;
        let url = format!("redis://{}:{port}", Ipv4Addr::LOCALHOST);
        writeln!(io::stdout(), "started {url}, process {}", server.process.id())?;
        Ok(Self { url, _server: Some(server) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Server {
    /// Starts a server that keeps nothing on disk.
    fn start(port: u16) -> Result<Self, StoreError> {
        let directory = env::temp_dir().join(format!("socketio-cluster-{}", process::id()));
        fs::create_dir(&directory)?;
        for program in PROGRAMS {
            let mut command = Command::new(program);
            command
                .args(["--bind", &Ipv4Addr::LOCALHOST.to_string(), "--port", &port.to_string()])
                .args(["--save", "", "--appendonly", "no", "--dir"])
                .arg(&directory)
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            // Ctrl-C ends this program, which first says goodbye to the other servers.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            match command.spawn() {
                Ok(process) => return Ok(Self { process, directory }),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let _ = fs::remove_dir(&directory);
                    return Err(error.into());
                }
            }
        }
        let _ = fs::remove_dir(&directory);
        Err(StoreError::NotInstalled)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A port that nothing listens on.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
