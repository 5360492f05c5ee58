//! [`Server`]: a PostgreSQL server of a test.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// A server on a port of its own. It ends when it is dropped. Everybody may log in as `postgres`.
pub(crate) struct Server {
    pub(crate) port: u16,
    directory: PathBuf,
    child: Option<Child>,
}

const SETTINGS: [&str; 11] = [
    "min_wal_size=2MB",
    "max_wal_size=16MB",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=8MB",
    "max_connections=400",
    "autovacuum=off",
    "max_wal_senders=0",
    "wal_level=replica",
];

/// The URL of a server, or of a proxy in front of one.
pub(crate) fn url_of_port(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// Starts a server whose directory is prepared.
    pub(crate) fn with(prepare: impl FnOnce(&Path)) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("socketio-postgres-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        copy(&template(), &directory);
        prepare(&directory);
        give(&directory);
        let mut server = Self { port: 0, directory, child: None };
        // Another process may take the port before the server has it.
        for _ in 0..20 {
            server.port = free_port();
            if server.run() {
                return server;
            }
        }
        panic!("no port was free for postgres")
    }

    /// Starts the process, and waits until it accepts connections. Returns whether it does.
    fn run(&mut self) -> bool {
        let mut command = as_user("postgres");
        command.arg("-D").arg(&self.directory).args(["-p", &self.port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.contains("database system is ready to accept") {
                    _ = sender.send(());
                }
            }
        });
        self.child = Some(child);
        // The sender is dropped if the process ends.
        let is_ready = receiver.recv_timeout(Duration::from_secs(60)).is_ok();
        if !is_ready {
            self.kill();
        }
        is_ready
    }

    pub(crate) fn url(&self) -> String {
        url_of_port(self.port)
    }

    /// Ends the process without a chance to close anything. Its children notice.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Ends the process as an operator does: connections are ended.
    pub(crate) fn shut_down(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal("-INT", [child.id()]);
            child.wait().unwrap();
        }
    }

    /// Starts the process again, on the same port.
    pub(crate) fn restart(&mut self) {
        // The children of a process that was killed keep its memory until they have noticed.
        for _ in 0..50 {
            if self.run() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("postgres did not start again on port {}", self.port);
    }

    /// Has the next start begin as a standby, which waits for a primary.
    pub(crate) fn stand_by(&self) {
        fs::write(self.directory.join("standby.signal"), "").unwrap();
        give(&self.directory);
    }

    /// The process and its children.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let Some(parent) = self.child.as_ref().map(Child::id) else { return Vec::new() };
        let is_one = |process: &u32| {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            // The name in front of it may contain spaces.
            let fields = stat.rsplit(") ").next().unwrap_or_default();
            *process == parent || fields.split(' ').nth(1) == Some(&parent.to_string())
        };
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        processes.filter(is_one).collect()
    }

    /// Stops the process and its children, or lets them go on.
    pub(crate) fn stop(&self, stops: bool) {
        signal(if stops { "-STOP" } else { "-CONT" }, self.processes());
    }

    /// The command that begins `psql`.
    pub(crate) fn psql(&self) -> String {
        format!("{} -XAtq -d {}", program("psql").display(), self.url())
    }

    /// Runs commands of SQL with `psql`, and returns the rows.
    pub(crate) fn sql(&self, commands: &str) -> String {
        let mut psql = Command::new(program("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &self.url()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        psql.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        let output = psql.wait_with_output().unwrap();
        assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Waits until the rows are as they should be.
    pub(crate) async fn wait_until(&self, commands: &str, is_right: impl Fn(&str) -> bool) {
        let mut rows = String::new();
        for _ in 0..600 {
            rows = self.sql(commands);
            if is_right(&rows) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{commands} returns {rows}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            signal("-QUIT", [child.id()]);
            _ = child.wait();
        }
        _ = fs::remove_dir_all(&self.directory);
    }
}

fn signal(name: &str, processes: impl IntoIterator<Item = u32>) {
    _ = Command::new("kill").arg(name).args(processes.into_iter().map(|process| process.to_string())).output();
}

/// The directory of a new server, which is made once and copied.
fn template() -> PathBuf {
    static ONLY_ONE: Mutex<()> = Mutex::new(());
    let _only_one = ONLY_ONE.lock().unwrap();
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join("socketio-postgres-template-1");
    if !template.exists() {
        let new = std::env::temp_dir().join(format!("socketio-postgres-{}", std::process::id()));
        fs::create_dir_all(&new).unwrap();
        give(&new);
        let made = as_user("initdb")
            .arg("-D")
            .arg(&new)
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
                "--wal-segsize=1",
            ])
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        // Another process may make it at the same time.
        let copied = template.with_extension(std::process::id().to_string());
        copy(&new, &copied);
        fs::remove_dir_all(new).unwrap();
        if fs::rename(&copied, &template).is_err() {
            fs::remove_dir_all(copied).unwrap();
        }
    }
    template
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "{} could not be copied to {}", from.display(), to.display());
}

/// The user that runs the servers: PostgreSQL refuses to be run by `root`.
fn user() -> Option<(u32, u32)> {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    is_root.then(|| {
        let id = |option| {
            let output = Command::new("id").args([option, "postgres"]).output().unwrap();
            let id = String::from_utf8(output.stdout).unwrap();
            id.trim().parse().expect("the user postgres must exist, which the package postgresql has")
        };
        (id("-u"), id("-g"))
    })
}

/// Gives a directory to that user.
fn give(directory: &Path) {
    if let Some((user, group)) = user() {
        chown(directory, Some(user), Some(group)).unwrap();
        let given = Command::new("chown").arg("-R").arg(format!("{user}:{group}")).arg(directory).status().unwrap();
        assert!(given.success());
    }
}

/// A program of PostgreSQL that is run by that user.
fn as_user(name: &str) -> Command {
    match user() {
        None => Command::new(program(name)),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
            command.arg(program(name)).current_dir("/");
            command
        }
    }
}

/// Where a program of PostgreSQL is: in the directory that `POSTGRES_BIN` names, or where Debian
/// has it.
fn program(name: &str) -> PathBuf {
    if let Some(directory) = std::env::var_os("POSTGRES_BIN") {
        return Path::new(&directory).join(name);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()).max();
    match newest {
        Some(version) => format!("/usr/lib/postgresql/{version}/bin/{name}").into(),
        // It is in the path, or the test fails.
        None => name.into(),
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
