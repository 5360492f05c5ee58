//! [`Plan`]: what happens in a random test.

use proptest::collection::vec;
use proptest::prelude::*;
use socketio::cluster::{Dialect, RoomTopics};

/// Two or three servers, each with two clients, and rounds of changes, emits and faults.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) dialect: Dialect,
    pub(crate) rooms: RoomTopics,
    pub(crate) servers: usize,
    pub(crate) rounds: Vec<Round>,
}

/// First the changes, which are awaited, then the steps, then all faults end.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) changes: Vec<Change>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) const ROOMS: [&str; 3] = ["red", "green", "a room of 20 letters"];
pub(crate) const CLIENTS_PER_SERVER: usize = 2;

/// Servers, clients and rooms are numbers, modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Join { client: usize, room: usize },
    Leave { client: usize, room: usize },
    Reconnect { client: usize },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Emit {
        server: usize,
        target: Target,
    },
    /// A change that is not awaited. What the client then receives in the round is not checked.
    Change(Change),
    Fault(Fault),
    /// Nothing happens for some milliseconds.
    Wait(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    All,
    Local,
    Room(usize),
    Rooms(usize, usize),
    Except(usize),
    RoomExceptId {
        room: usize,
        client: usize,
    },
    /// The socket of this client emits to others in the room.
    OthersIn {
        client: usize,
        room: usize,
    },
    Id(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// In percent.
    Drop(u8),
    Partition(usize, usize),
    Heal,
    Cut(usize),
    Restart,
    Outage {
        milliseconds: u64,
    },
    Slow(usize),
    Hang(usize),
    Resume(usize),
    Delay {
        milliseconds: u64,
    },
    FailPublish(u8),
    ReorderTopics,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0..6_usize, 0..3_usize).prop_map(|(client, room)| Change::Join { client, room }),
        2 => (0..6_usize, 0..3_usize).prop_map(|(client, room)| Change::Leave { client, room }),
        1 => (0..6_usize).prop_map(|client| Change::Reconnect { client }),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::All),
        Just(Target::Local),
        (0..3_usize).prop_map(Target::Room),
        (0..3_usize, 0..3_usize).prop_map(|(one, other)| Target::Rooms(one, other)),
        (0..3_usize).prop_map(Target::Except),
        (0..3_usize, 0..6_usize).prop_map(|(room, client)| Target::RoomExceptId { room, client }),
        (0..6_usize, 0..3_usize).prop_map(|(client, room)| Target::OthersIn { client, room }),
        (0..6_usize).prop_map(Target::Id),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (1..100_u8).prop_map(Fault::Drop),
        (0..3_usize, 0..3_usize).prop_map(|(one, other)| Fault::Partition(one, other)),
        Just(Fault::Heal),
        (0..3_usize).prop_map(Fault::Cut),
        Just(Fault::Restart),
        (0..5_000_u64).prop_map(|milliseconds| Fault::Outage { milliseconds }),
        (0..3_usize).prop_map(Fault::Slow),
        (0..3_usize).prop_map(Fault::Hang),
        (0..3_usize).prop_map(Fault::Resume),
        (0..50_u64).prop_map(|milliseconds| Fault::Delay { milliseconds }),
        (1..100_u8).prop_map(Fault::FailPublish),
        Just(Fault::ReorderTopics),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..3_usize, target()).prop_map(|(server, target)| Step::Emit { server, target }),
        1 => change().prop_map(Step::Change),
        2 => fault().prop_map(Step::Fault),
        2 => (0..3_000_u64).prop_map(Step::Wait),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    (vec(change(), 0..6), vec(step(), 0..40)).prop_map(|(changes, steps)| Round { changes, steps })
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let dialect = prop_oneof![Just(Dialect::Classic), Just(Dialect::Messages)];
    let rooms = prop_oneof![
        Just(RoomTopics::None),
        Just(RoomTopics::Included),
        Just(RoomTopics::Dynamic),
        Just(RoomTopics::DynamicPrivate),
    ];
    (any::<u64>(), dialect, rooms, 2..=3_usize, vec(round(), 1..4))
        .prop_map(|(seed, dialect, rooms, servers, rounds)| Plan { seed, dialect, rooms, servers, rounds })
}
