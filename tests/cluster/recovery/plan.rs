//! [`Plan`]: what happens in a random test of recovery.

use proptest::collection::vec;
use proptest::prelude::*;

/// Some servers and clients, and what happens to them one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) servers: usize,
    /// Whether each client is a plain one.
    pub(crate) clients: Vec<bool>,
    /// Whether sessions are stored while their clients are connected.
    pub(crate) is_eager: bool,
    pub(crate) ops: Vec<Op>,
}

/// Servers, clients and rooms are numbers, modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Emit {
        server: usize,
        target: Target,
    },
    Volatile {
        server: usize,
    },
    /// An emit whose answers nobody waits for.
    Ask {
        server: usize,
    },
    Join {
        client: usize,
        room: usize,
        is_saved: bool,
    },
    Leave {
        client: usize,
        room: usize,
        is_saved: bool,
    },
    /// The client reads as many bytes as have arrived, up to this number.
    Read {
        client: usize,
        most: usize,
    },
    ReadAll {
        client: usize,
    },
    /// A client without a connection connects, and waits until it is accepted.
    Arrive {
        client: usize,
        server: usize,
    },
    Connect {
        client: usize,
        server: usize,
        /// Although the client has a connection: its server does not notice that this one takes its
        /// place.
        again: bool,
    },
    /// The new connection is cut after so many bytes.
    ConnectInVain {
        client: usize,
        server: usize,
        bytes: usize,
    },
    Cut {
        client: usize,
    },
    /// So many times, all tasks that can run are polled.
    Yield(usize),
    Sleep {
        milliseconds: u64,
    },
    /// The server loses all that it has not published.
    Kill {
        server: usize,
    },
    Shutdown {
        server: usize,
    },
    Fault(Fault),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    All,
    Room(usize),
    Rooms(usize, usize),
    Except(usize),
    RoomExcept(usize, usize),
    Id(usize),
    /// `Socket::emit`.
    Socket(usize),
    /// All others in the room of a socket.
    OthersIn {
        client: usize,
        room: usize,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Cut(usize),
    Isolate(usize),
    Hang(usize),
    Resume(usize),
    Partition(usize, usize),
    Slow(usize),
    Heal,
    Stop,
    Start,
    Restart,
    /// All entries are removed from the log.
    TrimLog,
    FailPublish {
        percent: u8,
    },
    Delay {
        milliseconds: u64,
    },
}

const MANY: std::ops::Range<usize> = 0..12;

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        2 => Just(Target::All),
        2 => MANY.prop_map(Target::Room),
        1 => (MANY, MANY).prop_map(|(one, other)| Target::Rooms(one, other)),
        1 => MANY.prop_map(Target::Except),
        1 => (MANY, MANY).prop_map(|(room, except)| Target::RoomExcept(room, except)),
        1 => MANY.prop_map(Target::Id),
        2 => MANY.prop_map(Target::Socket),
        1 => (MANY, MANY).prop_map(|(client, room)| Target::OthersIn { client, room }),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => MANY.prop_map(Fault::Cut),
        2 => MANY.prop_map(Fault::Isolate),
        1 => MANY.prop_map(Fault::Hang),
        1 => MANY.prop_map(Fault::Resume),
        1 => (MANY, MANY).prop_map(|(one, other)| Fault::Partition(one, other)),
        1 => MANY.prop_map(Fault::Slow),
        4 => Just(Fault::Heal),
        1 => Just(Fault::Stop),
        3 => Just(Fault::Start),
        1 => Just(Fault::Restart),
        1 => Just(Fault::TrimLog),
        1 => (0..60_u8).prop_map(|percent| Fault::FailPublish { percent }),
        1 => (0..30_u64).prop_map(|milliseconds| Fault::Delay { milliseconds }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        24 => (MANY, target()).prop_map(|(server, target)| Op::Emit { server, target }),
        1 => MANY.prop_map(|server| Op::Volatile { server }),
        1 => MANY.prop_map(|server| Op::Ask { server }),
        4 => (MANY, MANY, any::<bool>()).prop_map(|(client, room, is_saved)| Op::Join { client, room, is_saved }),
        2 => (MANY, MANY, any::<bool>()).prop_map(|(client, room, is_saved)| Op::Leave { client, room, is_saved }),
        6 => (MANY, 1..300_usize).prop_map(|(client, most)| Op::Read { client, most }),
        6 => MANY.prop_map(|client| Op::ReadAll { client }),
        16 => (MANY, MANY).prop_map(|(client, server)| Op::Arrive { client, server }),
        4 => (MANY, MANY, prop::bool::weighted(0.1))
            .prop_map(|(client, server, again)| Op::Connect { client, server, again }),
        2 => (MANY, MANY, 0..400_usize)
            .prop_map(|(client, server, bytes)| Op::ConnectInVain { client, server, bytes }),
        12 => MANY.prop_map(|client| Op::Cut { client }),
        8 => (0..40_usize).prop_map(Op::Yield),
        10 => (0..40_u64).prop_map(|milliseconds| Op::Sleep { milliseconds }),
        1 => (0..4_000_u64).prop_map(|milliseconds| Op::Sleep { milliseconds }),
        1 => MANY.prop_map(|server| Op::Kill { server }),
        1 => MANY.prop_map(|server| Op::Shutdown { server }),
        3 => fault().prop_map(Op::Fault),
    ]
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    (any::<u64>(), 1..=3_usize, vec(any::<bool>(), 1..=3), any::<bool>(), vec(op(), 1..120))
        .prop_map(|(seed, servers, clients, is_eager, ops)| Plan { seed, servers, clients, is_eager, ops })
}
