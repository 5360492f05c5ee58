//! [`Registry`]: the sockets of one namespace on this server, by id and by room.

use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::rooms::{Members, Rooms};
use crate::hub::adapter::Audience;
use crate::hub::socket::{Socket, SocketId};

#[derive(Default)]
pub(crate) struct Registry {
    by_id: RwLock<HashMap<SocketId, Socket>>,
    all: Mutex<Members>,
    rooms: Rooms,
    /// The number of connected sockets. A socket counts after its `connect` handler accepted it.
    connected: AtomicUsize,
    /// Whether a socket has, or had, listeners for outgoing messages.
    has_outgoing_listeners: AtomicBool,
    /// Whether messages are kept for clients that are cut off.
    has_recovery: bool,
}

/// The members of a room, and the socket whose id is the room's name.
struct Room {
    members: Option<Members>,
    own: Option<Socket>,
}

impl Room {
    fn contains(&self, socket: &Socket) -> bool {
        self.own.as_ref() == Some(socket) || self.members.as_ref().is_some_and(|members| members.contains(socket))
    }

    fn for_each(&self, mut visit: impl FnMut(&Socket)) {
        if let Some(members) = &self.members {
            members.iter().for_each(&mut visit);
        }
        if let Some(own) = &self.own
            && !self.members.as_ref().is_some_and(|members| members.contains(own))
        {
            visit(own);
        }
    }
}

impl Registry {
    pub(crate) fn new(has_recovery: bool) -> Self {
        Self { has_recovery, ..Self::default() }
    }

    pub(crate) fn set_has_outgoing_listeners(&self) {
        self.has_outgoing_listeners.store(true, Ordering::Release);
    }

    pub(crate) fn has_outgoing_listeners(&self) -> bool {
        self.has_outgoing_listeners.load(Ordering::Acquire)
    }

    /// Registers a socket under its id. Returns `false` if the id is taken.
    pub(crate) fn add(&self, id: SocketId, socket: &Socket) -> bool {
        if !insert_id(&mut self.by_id.write(), id, socket) {
            return false;
        }
        Arc::make_mut(&mut *self.all.lock()).insert(socket.clone());
        true
    }

    pub(crate) fn count_connected(&self) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes a socket that has left its rooms.
    pub(crate) fn remove(&self, id: &str, socket: &Socket, was_connected: bool) {
        {
            let mut by_id = self.by_id.write();
            by_id.remove(id);
            shrink_if_sparse(&mut by_id);
        }
        let mut all = self.all.lock();
        let all = Arc::make_mut(&mut all);
        all.swap_remove(socket);
        if all.capacity() > 64 && all.len() < all.capacity() / 8 {
            all.shrink_to(all.len() * 2);
        }
        if was_connected {
            self.connected.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Moves a socket to another id. Returns `false` without a change if that id is taken.
    pub(crate) fn rename(&self, socket: &Socket, from: &str, to: &SocketId) -> bool {
        let mut by_id = self.by_id.write();
        if !insert_id(&mut by_id, to.clone(), socket) {
            return false;
        }
        by_id.remove(from);
        true
    }

    pub(crate) fn get(&self, id: &str) -> Option<Socket> {
        self.by_id.read().get(id).cloned()
    }

    pub(crate) fn all(&self) -> Members {
        Arc::clone(&self.all.lock())
    }

    /// Returns `true` if no message concerns this server: there is no socket, not even one that is
    /// not connected yet, and no client that may come back.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code))]
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_recovery && self.all.lock().is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    /// The number of sockets, including those that are not connected yet.
    pub(crate) fn registered(&self) -> usize {
        self.all.lock().len()
    }

    /// Whether a socket is a member of a room, or the room is that of its id.
    pub(crate) fn is_in(&self, socket: &Socket, room: &str) -> bool {
        self.room(room).contains(socket)
    }

    pub(crate) fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Calls `visit` once for each socket in the audience, without holding a lock.
    pub(crate) fn for_each(&self, audience: &Audience, mut visit: impl FnMut(&Socket)) {
        let excluded: SmallVec<[Room; 2]> = audience.except_rooms().iter().map(|room| self.room(room)).collect();
        let is_excluded = |socket: &Socket| {
            audience.except_socket().is_some_and(|sender| sender.has_same_client(socket))
                || excluded.iter().any(|room| room.contains(socket))
        };
        if audience.rooms().is_empty() {
            for socket in self.all().iter().filter(|socket| !is_excluded(socket)) {
                visit(socket);
            }
            return;
        }
        let rooms: SmallVec<[Room; 2]> = audience.rooms().iter().map(|room| self.room(room)).collect();
        for (at, room) in rooms.iter().enumerate() {
            room.for_each(|socket| {
                if !is_excluded(socket) && !rooms[..at].iter().any(|earlier| earlier.contains(socket)) {
                    visit(socket);
                }
            });
        }
    }

    /// Returns `true` if the audience may include sockets of this server.
    #[cfg(feature = "cluster")]
    pub(crate) fn has_recipients(&self, audience: &Audience) -> bool {
        let has_members =
            |room: &Arc<str>| self.by_id.read().contains_key(&**room) || self.rooms.members(room).is_some();
        match audience.rooms() {
            [] => !self.all.lock().is_empty(),
            rooms => rooms.iter().any(has_members),
        }
    }

    /// Returns `true` if the room has a member, or may have one that is cut off.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code))]
    pub(crate) fn has_members(&self, room: &str) -> bool {
        self.has_recovery || self.by_id.read().contains_key(room) || self.rooms.members(room).is_some()
    }

    fn room(&self, name: &str) -> Room {
        Room { members: self.rooms.members(name), own: self.get(name) }
    }
}

fn insert_id(by_id: &mut HashMap<SocketId, Socket>, id: SocketId, socket: &Socket) -> bool {
    match by_id.entry(id) {
        Entry::Occupied(_) => false,
        Entry::Vacant(vacant) => {
            vacant.insert(socket.clone());
            true
        }
    }
}

fn shrink_if_sparse(by_id: &mut HashMap<SocketId, Socket>) {
    if by_id.capacity() > 64 && by_id.len() < by_id.capacity() / 8 {
        by_id.shrink_to(by_id.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection_handle::OverflowPolicy;
    use crate::connection_handle::outbox::Batch;
    use crate::connection_handle::request::Request;
    use crate::connection_handle::shared::Shared;
    use crate::event::raw_message::Text;
    use crate::hub::Hub;
    use crate::hub::aliases::ConnectionHandle;
    use crate::hub::aliases::Peer;
    use crate::hub::selection::Selection;
    use crate::hub::socket::Identity;
    use crate::hub::socket::SetIdError;
    use crate::hub::socket::rooms::JoinError;
    use crate::session::limits::Bounds;
    use crate::wire::encoding::Encoding;
    use http::Extensions;
    use indexmap::IndexSet;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};

    /// The names of rooms and sockets. Both use the same names, because every socket is in the room
    /// of its id.
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    const MAX_ROOMS: usize = 3;

    type Name = &'static str;

    #[derive(Clone, Debug)]
    enum Step {
        Register,
        Connect(usize),
        Depart(usize),
        Join(usize, Name),
        Leave(usize, Name),
        SetId(usize, Name),
        EmitTo(Name),
        Emit { from: Option<usize>, within: Vec<Name>, to: Vec<Name>, except: Vec<Name> },
    }

    fn step() -> impl Strategy<Value = Step> {
        let name = || prop::sample::select(&NAMES[..]);
        let names = move || prop::collection::vec(name(), 0..3);
        let emit = (prop::option::of(any::<usize>()), names(), names(), names())
            .prop_map(|(from, within, to, except)| Step::Emit { from, within, to, except });
        prop_oneof![
            3 => Just(Step::Register),
            3 => any::<usize>().prop_map(Step::Connect),
            1 => any::<usize>().prop_map(Step::Depart),
            6 => (any::<usize>(), name()).prop_map(|(socket, room)| Step::Join(socket, room)),
            2 => (any::<usize>(), name()).prop_map(|(socket, room)| Step::Leave(socket, room)),
            4 => (any::<usize>(), name()).prop_map(|(socket, id)| Step::SetId(socket, id)),
            2 => name().prop_map(Step::EmitTo),
            8 => emit,
        ]
    }

    #[derive(PartialEq)]
    enum Phase {
        Connecting,
        Connected,
        Gone,
    }

    /// The model of a socket.
    struct ModelSocket {
        socket: Socket,
        id: String,
        rooms: BTreeSet<Name>,
        phase: Phase,
    }

    impl ModelSocket {
        fn is_in(&self, rooms: &[Name]) -> bool {
            rooms.iter().any(|room| self.rooms.contains(room) || self.id == *room)
        }

        /// The number of messages that the socket received since the last call.
        fn received(&self) -> usize {
            let mut batch = Batch::default();
            self.socket.peer().handle.take_frames(&mut batch);
            let mut held = Batch::default();
            held.take(&mut self.socket.take_held());
            batch.load().messages + held.load().messages
        }
    }

    struct Model {
        hub: Hub,
        all: Vec<ModelSocket>,
    }

    fn register(hub: &Hub) -> Socket {
        let bounds = Bounds { messages: 100, bytes: 10_000 };
        let handle = ConnectionHandle::new(&Arc::new(Shared::new(bounds, OverflowPolicy::Disconnect)));
        let peer = Arc::new(Peer::new(handle, Request::default(), Encoding::Envelopes, None));
        Socket::register(hub.clone(), Arc::clone(hub.root().namespace_inner()), peer, Extensions::new(), Identity::Uuid)
    }

    impl Model {
        fn register(&mut self) {
            let socket = register(&self.hub);
            let id = socket.id().to_string();
            self.all.push(ModelSocket { socket, id, rooms: BTreeSet::new(), phase: Phase::Connecting });
        }

        fn holder(&self, id: &str) -> Option<&ModelSocket> {
            self.all.iter().find(|known| known.id == id && known.phase != Phase::Gone)
        }

        /// Takes a step and returns which sockets it should have reached.
        fn take(&mut self, step: &Step) -> Vec<bool> {
            let count = self.all.len();
            let mut reached = vec![false; count];
            match step {
                Step::Register => {
                    self.register();
                    reached.push(false);
                }
                Step::EmitTo(id) => {
                    let holder = self.holder(id).map(|known| &known.socket);
                    reached = self.all.iter().map(|known| holder == Some(&known.socket)).collect();
                    assert_eq!(self.hub.emit_to(id, Text("x")).is_ok(), holder.is_some());
                }
                Step::Emit { from, within, to, except } => {
                    let from = from.filter(|_| count > 0).map(|from| from % count);
                    reached = self.emit(from, within, to, except);
                }
                _ if count == 0 => {}
                Step::Connect(socket) => {
                    let known = &mut self.all[socket % count];
                    known.socket.accepted();
                    if known.phase == Phase::Connecting {
                        known.phase = Phase::Connected;
                    }
                }
                Step::Depart(socket) => {
                    let known = &mut self.all[socket % count];
                    known.socket.depart(false);
                    assert_eq!(known.socket.finish(), known.phase == Phase::Connected);
                    known.phase = Phase::Gone;
                    known.rooms.clear();
                }
                Step::Join(socket, room) => {
                    let known = &mut self.all[socket % count];
                    let expected = if known.phase == Phase::Gone {
                        Err(JoinError::Closed)
                    } else if !known.rooms.contains(room) && known.rooms.len() == MAX_ROOMS {
                        Err(JoinError::TooManyRooms)
                    } else {
                        known.rooms.insert(room);
                        Ok(())
                    };
                    assert_eq!(known.socket.join(room), expected);
                }
                Step::Leave(socket, room) => {
                    let known = &mut self.all[socket % count];
                    known.rooms.remove(room);
                    known.socket.leave(room);
                }
                Step::SetId(socket, id) => {
                    let socket = self.all[socket % count].socket.clone();
                    let taken = self.holder(id).is_some_and(|holder| holder.socket != socket);
                    let known = self.all.iter_mut().find(|known| known.socket == socket).expect("it is known");
                    let expected = if known.phase == Phase::Gone {
                        Err(SetIdError::Closed)
                    } else if taken {
                        Err(SetIdError::Taken)
                    } else {
                        (*id).clone_into(&mut known.id);
                        Ok(())
                    };
                    assert_eq!(socket.set_id(id), expected);
                }
            }
            reached
        }

        /// Without a sender the hub emits. A sender is left out, except by `within`, which must be
        /// called last.
        fn emit(&self, from: Option<usize>, within: &[Name], to: &[Name], except: &[Name]) -> Vec<bool> {
            let sender = from.map(|from| &self.all[from].socket);
            let selection = Selection::all(self.hub.root().namespace_inner(), sender);
            let selection = to.iter().fold(selection, Selection::to);
            let selection = except.iter().fold(selection, Selection::except);
            let selection = within.iter().fold(selection, Selection::within);
            selection.send("x").expect("a text is always sent");
            let left_out = sender.filter(|_| within.is_empty());
            let rooms = [to, within].concat();
            let is_reached = |known: &ModelSocket| {
                known.phase != Phase::Gone
                    && left_out != Some(&known.socket)
                    && (rooms.is_empty() || known.is_in(&rooms))
                    && !known.is_in(except)
            };
            self.all.iter().map(is_reached).collect()
        }

        /// Compares everything that the hub reports with the model.
        fn check(&self) {
            let connected: Vec<_> = self.all.iter().filter(|known| known.phase == Phase::Connected).collect();
            assert_eq!(self.hub.len(), connected.len());
            assert_same(&self.hub.sockets(), connected.iter().map(|known| &known.socket));
            for name in NAMES {
                let holder = connected.iter().find(|known| known.id == name).map(|known| known.socket.clone());
                assert_eq!(self.hub.socket(name), holder);
                let members = connected.iter().filter(|known| known.is_in(&[name]));
                assert_same(&self.hub.to(name).sockets(), members.map(|known| &known.socket));
            }
            for known in &self.all {
                assert_eq!(*known.socket.id(), *known.id);
                let mut rooms = known.socket.rooms();
                if known.phase != Phase::Gone {
                    assert_eq!(rooms.remove(0), known.id);
                }
                assert_eq!(rooms.iter().map(|room| &**room).collect::<BTreeSet<_>>(), known.rooms);
            }
        }
    }

    /// Asserts that each socket is found exactly once.
    fn assert_same<'a>(found: &[Socket], expected: impl Iterator<Item = &'a Socket>) {
        let unique: IndexSet<_> = found.iter().collect();
        assert_eq!(unique.len(), found.len());
        assert_eq!(unique, expected.collect::<IndexSet<_>>());
    }

    proptest! {
        /// Sockets may join, leave and end in any order. Each message must reach its audience
        /// exactly once.
        #[test]
        fn messages_reach_exactly_their_audience(steps in prop::collection::vec(step(), 0..80)) {
            let hub = Hub::builder().max_rooms(MAX_ROOMS).build().expect("a hub");
            let mut model = Model { hub, all: Vec::new() };
            for step in &steps {
                let reached = model.take(step);
                let received: Vec<_> = model.all.iter().map(ModelSocket::received).collect();
                prop_assert_eq!(received, reached.into_iter().map(usize::from).collect::<Vec<_>>());
                model.check();
            }
            for known in &model.all {
                known.socket.depart(false);
            }
            let registry = model.hub.root().namespace_inner().registry();
            prop_assert!(registry.by_id.read().is_empty() && registry.all().is_empty());
            prop_assert_eq!(registry.len(), 0);
            prop_assert!(NAMES.iter().all(|name| registry.rooms().members(name).is_none()));
        }
    }

    /// Run it alone and optimized:
    /// `cargo test --release -p socketio --lib among_many_rooms -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    #[allow(clippy::print_stdout, reason = "people read the times")]
    fn joining_and_leaving_among_many_rooms() {
        const SOCKETS: usize = 100;
        const EACH: usize = 10;
        for count in [1_000, 10_000, 100_000] {
            let hub = Hub::builder().max_rooms(count).build().expect("a hub");
            let members: Vec<Socket> = (0..SOCKETS).map(|_| register(&hub)).collect();
            for room in 0..count {
                members[room % SOCKETS].join(format!("room-{room}")).expect("there is room");
            }
            let names: Vec<String> = (0..SOCKETS * EACH).map(|n| format!("another-{n}")).collect();
            let each = |act: fn(&Socket, &str), joining: &[Socket]| {
                let begin = Instant::now();
                for (n, name) in names.iter().enumerate() {
                    act(&joining[n % SOCKETS], name);
                }
                begin.elapsed()
            };
            let mut best = [Duration::MAX; 3];
            for _ in 0..20 {
                let joining: Vec<Socket> = (0..SOCKETS).map(|_| register(&hub)).collect();
                let join = |socket: &Socket, name: &str| socket.join(name).expect("there is room");
                let joined = each(join, &joining);
                let left = each(|socket, name| socket.leave(name), &joining);
                each(join, &joining);
                let begin = Instant::now();
                joining.iter().for_each(|socket| socket.depart(false));
                for (best, took) in best.iter_mut().zip([joined, left, begin.elapsed()]) {
                    *best = took.min(*best);
                }
            }
            let [join, leave, depart] = best.map(|took| took.as_secs_f64() * 1e9);
            let (changes, sockets) = (names.len() as f64, SOCKETS as f64);
            println!(
                "{count} rooms: {:.0} ns a join, {:.0} ns a leave, {:.0} ns a disconnect from {EACH} rooms",
                join / changes,
                leave / changes,
                depart / sockets
            );
            members.iter().for_each(|socket| socket.depart(false));
        }
    }
}
