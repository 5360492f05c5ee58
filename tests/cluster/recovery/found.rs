//! Plans by which random tests have found something.

use super::plan::Op::{Arrive, Connect, Cut, Emit, Kill, ReadAll, Sleep, Volatile, Yield};
use super::plan::{Fault, Op, Plan, Target};
use super::play;

fn plays(seed: u64, is_eager: bool, clients: &[bool], ops: &[Op]) {
    let plan = Plan { seed, servers: 1, clients: clients.to_vec(), is_eager, ops: ops.to_vec() };
    if let Err(error) = play(&plan) {
        panic!("{error}");
    }
}

#[test]
fn a_session_that_begins_before_its_server_reads_the_log_gets_nothing_older() {
    let ops = [
        Emit { server: 0, target: Target::All },
        Sleep { milliseconds: 2 },
        Kill { server: 0 },
        Sleep { milliseconds: 2 },
        Connect { client: 0, server: 0, again: true },
        ReadAll { client: 0 },
        Connect { client: 0, server: 0, again: true },
    ];
    for seed in 0..20 {
        plays(seed, false, &[false], &ops);
        plays(seed, false, &[true], &ops);
    }
}

#[test]
fn a_message_that_is_in_no_log_since_the_server_has_not_read_any_is_not_missed_silently() {
    let ops = [
        Kill { server: 0 },
        Arrive { client: 0, server: 0 },
        Emit { server: 0, target: Target::All },
        Sleep { milliseconds: 4 },
        Cut { client: 0 },
        Arrive { client: 0, server: 0 },
    ];
    for seed in 0..20 {
        plays(seed, false, &[false], &ops);
        plays(seed, true, &[true], &ops);
    }
}

#[test]
fn a_volatile_message_to_a_client_that_resumes_does_not_take_its_offset_back() {
    let emit = Emit { server: 0, target: Target::All };
    let ops = [
        Arrive { client: 0, server: 0 },
        emit,
        Cut { client: 0 },
        emit,
        Op::Fault(Fault::Delay { milliseconds: 6 }),
        Connect { client: 0, server: 0, again: false },
        Yield(1),
        emit,
        Volatile { server: 0 },
        emit,
        Arrive { client: 0, server: 0 },
        Cut { client: 0 },
        emit,
    ];
    for seed in 0..50 {
        plays(seed, false, &[false], &ops);
        plays(seed, true, &[true], &ops);
    }
}
