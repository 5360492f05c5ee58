//! Connections that are cut at random bytes, while the server emits to random selections: clients
//! that resume have received everything once and in order.

#![allow(clippy::print_stderr, reason = "the counts are for people to read")]

use axum::Router;
use serde_json::{Value, json};
use socketio::{EmitError, Hub, Recovery, Refusal, Socket};
use socketio_tests::cut::{Line, Memory, Packet};
use socketio_tests::soon;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::yield_now;

/// A deterministic source of random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

const ROOMS: [&str; 3] = ["a", "b", "c"];

/// What the server knows of a session.
#[derive(Default)]
struct Known {
    socket: Option<Socket>,
    rooms: BTreeSet<&'static str>,
    /// The numbers of the events that the client should receive.
    expected: Vec<u64>,
}

/// The sessions by the ids of their sockets.
type Sessions = Arc<Mutex<HashMap<String, Known>>>;

/// Notes the socket of a session.
fn note(sessions: &Sessions, socket: Socket) {
    let mut all = sessions.lock().expect("no panic");
    let known = all.entry(socket.id().to_string()).or_default();
    assert_eq!(socket.recovered(), known.socket.is_some(), "{:?}", socket.recovery());
    known.socket = Some(socket);
}

fn hub(sessions: &Sessions, recovery: Recovery) -> Hub {
    let sessions = Arc::clone(sessions);
    let enter = move |socket: Socket| {
        let sessions = Arc::clone(&sessions);
        async move {
            note(&sessions, socket);
            for _ in 0..3 {
                yield_now().await;
            }
            Ok::<(), Refusal>(())
        }
    };
    Hub::builder().recovery(recovery).middleware(enter).build().expect("a hub")
}

struct Run {
    random: Random,
    hub: Hub,
    app: Router,
    sessions: Sessions,
    memory: Memory,
    line: Option<Line>,
    received: Vec<u64>,
    emitted: u64,
    resumed: usize,
    renewed: usize,
}

impl Run {
    fn new(seed: u64) -> Self {
        let sessions = Sessions::default();
        let hub = hub(&sessions, Recovery::new());
        Self {
            random: Random(seed * 2 + 1),
            app: hub.socketio().into(),
            hub,
            sessions,
            memory: Memory::default(),
            line: None,
            received: Vec::new(),
            emitted: 0,
            resumed: 0,
            renewed: 0,
        }
    }

    fn room(&mut self) -> &'static str {
        ROOMS[self.random.below(ROOMS.len())]
    }

    /// Emits to a selection, and notes who should receive it.
    fn emit(&mut self) {
        let number = self.emitted;
        self.emitted += 1;
        let event = ("news", number);
        let (one, other) = (self.room(), self.room());
        let sid = self.memory.sid.clone();
        let all = Arc::clone(&self.sessions);
        let mut all = all.lock().expect("no panic");
        let own = all.get(&sid).and_then(|known| known.socket.clone());
        let mut to_all = |is_for: &dyn Fn(&BTreeSet<&str>) -> bool| {
            all.values_mut().filter(|known| is_for(&known.rooms)).for_each(|known| known.expected.push(number));
        };
        let emitted = match self.random.below(8) {
            0 => {
                to_all(&|_| true);
                self.hub.emit(event)
            }
            1 => {
                to_all(&|rooms| rooms.contains(one));
                self.hub.to(one).emit(event)
            }
            2 => {
                to_all(&|rooms| rooms.contains(one) || rooms.contains(other));
                self.hub.to(one).to(other).emit(event)
            }
            3 => {
                to_all(&|rooms| !rooms.contains(one));
                self.hub.except(one).emit(event)
            }
            4 => {
                to_all(&|rooms| rooms.contains(one) && !rooms.contains(other));
                self.hub.to(one).except(other).emit(event)
            }
            5 | 6 if own.is_some() => {
                let own = own.expect("it is known");
                let emitted = match self.random.below(2) {
                    0 => own.emit(event),
                    _ => self.hub.emit_to(&sid, event),
                };
                match emitted {
                    Ok(()) => all.get_mut(&sid).expect("it is known").expected.push(number),
                    Err(EmitError::Closed | EmitError::NotFound(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                Ok(())
            }
            _ if own.is_some() => {
                for known in all.iter_mut().filter(|(id, known)| **id != sid && known.rooms.contains(one)) {
                    known.1.expected.push(number);
                }
                own.expect("it is known").to(one).emit(event)
            }
            _ => self.hub.volatile().emit(("hint", "not an offset")),
        };
        emitted.expect("it is queued");
    }

    /// Makes the client's socket join or leave a room.
    fn change_rooms(&mut self) {
        let room = self.room();
        let mut all = self.sessions.lock().expect("no panic");
        let Some(known) = all.get_mut(&self.memory.sid) else { return };
        let Some(socket) = &known.socket else { return };
        if known.rooms.contains(room) {
            socket.leave(room);
            if !socket.is_in(room) && !socket.rooms().is_empty() {
                known.rooms.remove(room);
            }
        } else if socket.join(room).is_ok() {
            known.rooms.insert(room);
        }
    }

    /// Handles the packets that have been read.
    fn handle(&mut self) {
        let Some(line) = &mut self.line else { return };
        while let Some(packet) = line.next(&mut self.memory) {
            match packet {
                Packet::Connected(true) => self.resumed += 1,
                Packet::Connected(false) => {
                    self.renewed += 1;
                    self.received.clear();
                }
                Packet::Event(event) if event[0] == "news" => {
                    let number = event[1].as_u64().expect("a number");
                    let all = self.sessions.lock().expect("no panic");
                    let expected = all[&self.memory.sid].expected.get(self.received.len());
                    assert_eq!(Some(&number), expected, "after {:?}", self.received);
                    self.received.push(number);
                }
                Packet::Event(_) | Packet::Other(_) => {}
            }
        }
    }

    async fn step(&mut self) {
        match self.random.below(12) {
            0..4 => self.emit(),
            4 => self.change_rooms(),
            5..8 => {
                let most = if self.random.below(4) == 0 { 4_096 } else { 1 + self.random.below(60) };
                let Some(line) = &mut self.line else { return };
                // There may be nothing to read.
                tokio::select! {
                    biased;
                    _ = line.read(most) => {}
                    () = yield_now() => {}
                }
                self.handle();
            }
            8 => self.line = None,
            9 if self.line.is_none() => self.line = Some(Line::open(&self.app, &self.memory, json!({})).await),
            9 if self.random.below(10) == 0 => {
                // The server has not noticed that the old connection is dead.
                let next = Line::open(&self.app, &self.memory, json!({})).await;
                let old = self.line.replace(next);
                tokio::spawn(async move {
                    for _ in 0..50 {
                        yield_now().await;
                    }
                    drop(old);
                });
            }
            _ => {
                for _ in 0..self.random.below(20) {
                    yield_now().await;
                }
            }
        }
    }

    /// Connects without another cut, and reads everything.
    async fn finish(&mut self) {
        self.line = Some(Line::open(&self.app, &self.memory, json!({})).await);
        let (resumed, renewed) = (self.resumed, self.renewed);
        while (resumed, renewed) == (self.resumed, self.renewed) {
            assert!(self.line.as_mut().expect("a line").read(4_096).await > 0, "the server has closed the connection");
            self.handle();
        }
        let expected = |run: &Self| run.sessions.lock().expect("no panic")[&run.memory.sid].expected.len();
        while self.received.len() < expected(self) {
            self.line.as_mut().expect("a line").read(4_096).await;
            self.handle();
        }
    }
}

/// One run for each seed.
async fn run(seeds: std::ops::Range<u64>) {
    let (mut emitted, mut resumed, mut renewed) = (0, 0, 0);
    for seed in seeds {
        let mut run = Run::new(seed);
        let what = format!("end of the run with the seed {seed}");
        soon(&what, async {
            for _ in 0..300 {
                run.step().await;
            }
            run.finish().await;
        })
        .await;
        emitted += run.emitted;
        resumed += run.resumed;
        renewed += run.renewed;
    }
    eprintln!("{emitted} messages, {resumed} times resumed, {renewed} new sessions");
    assert!(resumed > renewed, "{resumed} times resumed, {renewed} new sessions");
}

#[tokio::test]
async fn a_client_that_is_cut_off_at_any_byte_misses_nothing() {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(200);
    run(0..runs).await;
}

/// Tasks on several threads emit, while the client is cut off again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_emits_have_one_order() {
    const EMITTERS: u64 = 4;
    const EACH: u64 = 500;
    let hub = Hub::builder().recovery(Recovery::new()).build().expect("a hub");
    let app: Router = hub.socketio().into();
    let mut memory = Memory::default();
    let mut line = Line::open(&app, &memory, json!({})).await;
    while line.next(&mut memory) != Some(Packet::Connected(false)) {
        line.read(64).await;
    }
    let emitters: Vec<_> = (0..EMITTERS)
        .map(|emitter| {
            let hub = hub.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    hub.emit(("news", emitter, number)).expect("it is queued");
                    yield_now().await;
                }
            })
        })
        .collect();
    let mut random = Random(1);
    let mut next = [0; EMITTERS as usize];
    let mut is_connected = true;
    while next != [EACH; EMITTERS as usize] {
        if is_connected && random.below(20) == 0 {
            is_connected = false;
            line = Line::open(&app, &memory, json!({})).await;
        }
        assert!(soon("byte", line.read(1 + random.below(2_000))).await > 0);
        while let Some(packet) = line.next(&mut memory) {
            match packet {
                Packet::Connected(recovered) => {
                    assert!(recovered);
                    is_connected = true;
                }
                Packet::Event(event) => {
                    let [emitter, number] =
                        [&event[1], &event[2]].map(|value: &Value| value.as_u64().expect("a number"));
                    assert_eq!(next[emitter as usize], number);
                    next[emitter as usize] += 1;
                }
                Packet::Other(_) => {}
            }
        }
    }
    for emitter in emitters {
        emitter.await.expect("no panic");
    }
    hub.shutdown(Duration::from_secs(1)).await;
}
