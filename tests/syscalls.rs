//! The number of system calls of the `echo` example per message of pipelined bursts. The server
//! reads a burst, handles it, and writes once.

#![allow(clippy::print_stdout, reason = "the counts are for people to read")]

use socketio_tests::raw::{RawClient, text_frame};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

const BURST: usize = 16;
const BURSTS: usize = 1000;
/// A read, a write and a wait for each burst, and occasional calls of the runtime.
const LIMIT: f64 = 0.22;

/// The example under `strace`, which writes its summary when the example exits.
struct Traced {
    strace: Child,
    address: SocketAddr,
}

impl Traced {
    fn start(summary: &std::path::Path) -> Self {
        let own = std::env::current_exe().expect("the test's own path");
        let built = own.parent().and_then(|deps| deps.parent()).expect("`deps` lies in the directory of the profile");
        let mut strace = Command::new("strace")
            .args(["-f", "-c", "-U", "calls,name", "-o"])
            .arg(summary)
            .arg(built.join("examples/echo"))
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("strace, and the echo example beside this test");
        let mut line = String::new();
        let output = strace.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut line).expect("the example says where it listens");
        let address = line.trim().rsplit('/').next().and_then(|address| address.parse().ok()).expect("an address");
        Self { strace, address }
    }

    fn stop(mut self) {
        let id = self.strace.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("strace's children");
        let example = children.split_whitespace().next().expect("the example is strace's child").to_owned();
        let killed = Command::new("kill").args(["-INT", &example]).status().expect("kill");
        assert!(killed.success());
        self.strace.wait().expect("strace ends with the example");
    }
}

fn total(summary: &std::path::Path) -> f64 {
    let summary = std::fs::read_to_string(summary).expect("strace's summary");
    println!("{summary}");
    let last = summary.lines().rev().find(|line| line.ends_with("total")).expect("a line with the total");
    last.split_whitespace().next().and_then(|calls| calls.parse().ok()).expect("a number of calls")
}

const PAYLOAD: &str = r#"{"t":"1700000000000","user":"user-1","room":1,"text":"0123456789abcdef"}"#;

/// All system calls of a run with this number of bursts, including start and exit.
fn calls(socketio: bool, bursts: usize) -> f64 {
    let summary = std::env::temp_dir().join(format!("socketio-syscalls-{}-{bursts}", std::process::id()));
    let example = Traced::start(&summary);
    let (path, event) = match socketio {
        true => ("/socket.io/?EIO=4&transport=websocket", format!(r#"42["echo",{PAYLOAD}]"#)),
        false => ("/ws/1", format!(r#"{{"event":"echo","data":{PAYLOAD}}}"#)),
    };
    let burst = text_frame(&event).repeat(BURST);
    let mut client = RawClient::connect(example.address, path).expect("a connection");
    if socketio {
        client.send(&text_frame("40")).expect("the server takes it");
        client.receive(2, |packet| assert!(packet.ends_with(b"}"))).expect("a session, and a socket");
    }
    for _ in 0..bursts {
        client.send(&burst).expect("the server takes it");
        client.receive(BURST, |echo| assert!(echo.ends_with(b"}") || echo.ends_with(b"}]"))).expect("all echoes");
    }
    drop(client);
    example.stop();
    let total = total(&summary);
    std::fs::remove_file(&summary).expect("the summary was there");
    total
}

#[test]
fn system_calls_per_message_stay_below_the_limit() {
    for (socketio, who) in [(false, "a plain WebSocket client"), (true, "a Socket.IO client")] {
        let per_message = (calls(socketio, 2 * BURSTS) - calls(socketio, BURSTS)) / (BURST * BURSTS) as f64;
        println!("system calls per message of {who} in a burst of {BURST}: {per_message:.3} (at most {LIMIT})");
        assert!(per_message <= LIMIT, "{who}: {per_message:.3} system calls per message, the limit is {LIMIT}");
    }
}
