//! The steps of the property tests.

use proptest::prelude::*;

/// One input or event of a session.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A packet that is sent even if a Socket.IO client would not send it in this state.
    Unchecked(Box<Step>),
    /// An event with or without an id. `namespace` only matters for Socket.IO.
    Event {
        namespace: usize,
        wants_answer: bool,
    },
    /// An event that violates a limit.
    BadEvent {
        namespace: usize,
        text: &'static str,
    },
    Attachment {
        namespace: usize,
    },
    Answer {
        namespace: usize,
        id: u8,
    },
    Connect {
        namespace: usize,
    },
    Leave {
        namespace: usize,
    },
    Text(&'static str),
    /// A packet whose attachment is missing.
    HalfPacket,
    Binary,
    Ping,
    CloseFrame(Option<u16>),
    Decide {
        socket: usize,
        accept: bool,
    },
    Handled {
        socket: usize,
    },
    Close,
    Overflow,
    Disconnect {
        socket: usize,
    },
    Shutdown {
        after: u64,
    },
    Drain {
        after: u64,
    },
    Time(u64),
    /// Advances the time to the next deadline.
    Deadline,
    Written,
    Broken {
        code: Option<u16>,
    },
    Polled(bool),
    Probe,
    ProbeText(&'static str),
    Upgrade,
    Decides(bool),
}

pub(super) const NAMESPACES: [&str; 5] = ["/", "/a", "/b", "/c", "/unknown"];

pub(super) fn step() -> impl Strategy<Value = Step> {
    let namespace = || prop_oneof![6 => Just(0), 3 => Just(1), 1 => 0..NAMESPACES.len()];
    let socket = || 0..6usize;
    let packet = prop_oneof![
        8 => (namespace(), any::<bool>()).prop_map(|(namespace, wants_answer)| Step::Event { namespace, wants_answer }),
        1 => namespace().prop_map(|namespace| Step::Attachment { namespace }),
        2 => (namespace(), 0..20u8).prop_map(|(namespace, id)| Step::Answer { namespace, id }),
        6 => namespace().prop_map(|namespace| Step::Connect { namespace }),
        3 => namespace().prop_map(|namespace| Step::Leave { namespace }),
    ];
    let bad_event =
        prop::sample::select(&[r#"["a_name_that_is_longer_than_they_may_be"]"#, r#"["e1",[[[[[]]]]]]"#][..]);
    let ordinary = prop_oneof![
        20 => packet.clone(),
        1 => (namespace(), bad_event).prop_map(|(namespace, text)| Step::BadEvent { namespace, text }),
        1 => Just(Step::Ping),
        6 => (socket(), prop::bool::weighted(0.8)).prop_map(|(socket, accept)| Step::Decide { socket, accept }),
        8 => socket().prop_map(|socket| Step::Handled { socket }),
        2 => socket().prop_map(|socket| Step::Disconnect { socket }),
        3 => (0..30u64).prop_map(Step::Time),
        2 => Just(Step::Deadline),
        3 => Just(Step::Written),
        1 => any::<bool>().prop_map(Step::Polled),
        2 => Just(Step::Probe),
        2 => prop::sample::select(&["2probe", "5", "4x"][..]).prop_map(Step::ProbeText),
        1 => Just(Step::Upgrade),
        1 => any::<bool>().prop_map(Step::Decides),
    ];
    let texts = ["", "hello", "1", "2", "2probe", "3", "4", "4hello", "6", "4x", "b??", "42[\"connect\"]"];
    let fatal = prop_oneof![
        2 => packet.prop_map(|packet| Step::Unchecked(Box::new(packet))),
        2 => prop::sample::select(texts.to_vec()).prop_map(Step::Text),
        1 => Just(Step::HalfPacket),
        1 => Just(Step::Binary),
        1 => prop::option::of(prop::sample::select(&[1000u16, 1001, 1006, 4000][..])).prop_map(Step::CloseFrame),
        1 => Just(Step::Close),
        1 => Just(Step::Overflow),
        2 => (0..30u64).prop_map(|after| Step::Shutdown { after }),
        2 => (0..30u64).prop_map(|after| Step::Drain { after }),
        1 => prop::option::weighted(0.7, Just(1002)).prop_map(|code| Step::Broken { code }),
    ];
    // Few steps end a connection, so that most connections are long.
    prop_oneof![30 => ordinary, 1 => fatal]
}
