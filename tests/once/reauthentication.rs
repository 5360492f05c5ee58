//! Clients whose proof of identity runs out: they are asked for a new one in time, and disconnected
//! or downgraded if they send none. The clock is paused.

use axum::Router;
use serde::Deserialize;
use serde_json::{Value, json};
use socketio::testing::{Client, TestError, settle};
use socketio::{
    AfterExpiry, Disconnect, EventError, Events, Hub, HubBuilder, RateLimit, Reauthentication, Recovery,
    RecoveryFailure, RecoveryState, Refusal, Socket, State, event, events,
};
use socketio_tests::cut::{Line, Memory, Packet};
use socketio_tests::in_process::kinds;
use socketio_tests::{Gate, Log, Seen, log};
use std::time::{Duration, SystemTime};
use tokio::time::{advance, sleep};

const LIFETIME: Duration = Duration::from_secs(300);

/// When a client is asked: 60 s before its proof runs out.
const UNTIL_ASKED: Duration = Duration::from_secs(240);

#[derive(Deserialize)]
struct Auth {
    token: String,
}

#[event(connect)]
fn connect(socket: &Socket, log: State<Log>) -> Result<(), Refusal> {
    match socket.recovery() {
        RecoveryState::Restored { .. } => log.note("restored"),
        RecoveryState::Failed(reason) => log.note(format_args!("failed {reason:?}")),
        _ => log.note("new"),
    }
    if !socket.recovered() {
        socket.expires_in(LIFETIME);
    }
    Ok(())
}

#[event(reauthenticate)]
async fn reauthenticate(socket: &Socket, auth: Auth, gate: State<Gate>, log: State<Log>) -> Result<u64, EventError> {
    log.note(format_args!("proof: {}", auth.token));
    gate.pass().await;
    if auth.token != "good" {
        return Err(EventError::new("invalid_token", "the token is invalid"));
    }
    socket.expires_in(LIFETIME);
    Ok(LIFETIME.as_secs())
}

#[event("work")]
fn work() -> &'static str {
    "done"
}

#[event(disconnect)]
fn disconnect(end: Disconnect, log: State<Log>) {
    log.note(end);
}

const EVENTS: Events = events![connect, reauthenticate, work, disconnect];

fn server(change: impl FnOnce(HubBuilder) -> HubBuilder) -> (Hub, Gate, Seen) {
    let ((log, seen), gate) = (log(), Gate::default());
    let hub = change(Hub::builder().state(log).state(gate.clone()).events(EVENTS)).build().expect("a hub");
    (hub, gate, seen)
}

async fn expect_asked(client: &mut Client, expires_in: Duration) -> Result<(), TestError> {
    let millis = u64::try_from(expires_in.as_millis()).expect("a short time");
    client.expect_exact(("reauthenticate", json!({ "expiresIn": millis }))).await
}

/// Expects that the server has ended the connection because the proof has run out.
async fn expect_expired(client: &mut Client, is_plain: bool, seen: &mut Seen) -> Result<(), TestError> {
    let ended = client.expect_end().await?;
    if is_plain {
        assert_eq!((ended.code(), ended.message()), (Some(3000), "identity expired"));
        seen.expect(&["identity expired (3000)"]).await;
    } else {
        assert_eq!(ended.reason(), "io server disconnect");
        seen.expect(&["identity expired"]).await;
    }
    Ok(())
}

fn proof(token: &str) -> Value {
    json!({ "token": token })
}

/// The clients of both kinds, one after the other, and whether they are plain.
macro_rules! for_each_client {
    ($hub:expr, $seen:expr, |$client:ident, $is_plain:ident| $test:block) => {
        for (builder, $is_plain) in kinds($hub).into_iter().zip([false, true]) {
            #[allow(unused_mut)]
            let mut $client = builder.connect().await?;
            $seen.expect(&["new"]).await;
            $test
        }
    };
}

#[tokio::test(start_paused = true)]
async fn a_client_is_asked_in_time_and_stays_if_it_sends_a_new_proof() -> Result<(), TestError> {
    let (hub, gate, mut seen) = server(|builder| builder);
    gate.open_for(6);
    for_each_client!(&hub, seen, |client, is_plain| {
        for _ in 0..3 {
            sleep(UNTIL_ASKED - Duration::from_secs(1)).await;
            client.expect_nothing().await?;
            sleep(Duration::from_secs(1)).await;
            expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
            assert_eq!(client.request::<u64>("reauthenticate", &proof("good")).await?, 300);
            seen.expect(&["proof: good"]).await;
        }
        sleep(UNTIL_ASKED).await;
        expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
        sleep(LIFETIME - UNTIL_ASKED).await;
        expect_expired(&mut client, is_plain, &mut seen).await?;
    });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_may_send_a_new_proof_at_any_time() -> Result<(), TestError> {
    let (hub, gate, mut seen) = server(|builder| builder);
    gate.open_for(4);
    for_each_client!(&hub, seen, |client, _is_plain| {
        sleep(Duration::from_secs(100)).await;
        client.request::<u64>("reauthenticate", &proof("good")).await?;
        sleep(UNTIL_ASKED - Duration::from_secs(1)).await;
        client.expect_nothing().await?;
        sleep(Duration::from_secs(1)).await;
        expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
        // The server may ask at any time too.
        let socket = hub.socket(client.id()).expect("it is connected");
        socket.never_expires();
        assert_eq!(socket.expiry(), None);
        socket.ask_to_reauthenticate().expect("queued");
        client.expect_exact(("reauthenticate", json!({ "expiresIn": null }))).await?;
        sleep(LIFETIME * 10).await;
        client.request::<u64>("reauthenticate", &proof("good")).await?;
        assert!(socket.expiry().is_some_and(|at| at > SystemTime::now()));
        seen.expect(&["proof: good", "proof: good"]).await;
        client.disconnect().await;
        seen.next().await;
    });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_old_identity_is_in_force_until_the_expiry_if_the_new_proof_is_refused() -> Result<(), TestError> {
    let (hub, gate, mut seen) = server(|builder| builder);
    gate.open_for(2);
    for_each_client!(&hub, seen, |client, is_plain| {
        sleep(UNTIL_ASKED).await;
        expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
        let error = client.request::<u64>("reauthenticate", &proof("bad")).await.expect_err("it is refused");
        assert_eq!(error.failed().map(EventError::code), Some("invalid_token"));
        let error = client.request::<u64>("reauthenticate", &json!({ "tok": 1 })).await.expect_err("it is no proof");
        assert_eq!(error.failed().map(EventError::code), Some("invalid_payload"));
        sleep(LIFETIME - UNTIL_ASKED - Duration::from_secs(1)).await;
        assert_eq!(client.request::<String>("work", &()).await?, "done");
        seen.expect(&["proof: bad"]).await;
        sleep(Duration::from_secs(1)).await;
        expect_expired(&mut client, is_plain, &mut seen).await?;
    });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_decision_may_take_longer_than_the_expiry_but_not_than_the_grace() -> Result<(), TestError> {
    let (hub, gate, mut seen) = server(|builder| builder);
    for_each_client!(&hub, seen, |client, is_plain| {
        for _ in 0..2 {
            sleep(UNTIL_ASKED).await;
            expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
            let answer = client.request::<u64>("reauthenticate", &proof("good"));
            seen.expect(&["proof: good"]).await;
            sleep(LIFETIME - UNTIL_ASKED + Duration::from_secs(9)).await;
            client.expect_nothing().await?;
            gate.open();
            assert_eq!(answer.await?, 300);
        }
        sleep(UNTIL_ASKED).await;
        expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
        let _answer = client.request::<u64>("reauthenticate", &proof("good"));
        seen.expect(&["proof: good"]).await;
        sleep(LIFETIME - UNTIL_ASKED + Duration::from_secs(10)).await;
        let ended = client.expect_end().await?;
        assert_eq!(ended.code(), is_plain.then_some(3000));
        // `disconnect` runs after the handler.
        gate.open();
        seen.expect(&[if is_plain { "identity expired (3000)" } else { "identity expired" }]).await;
    });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_the_expiry_ends_the_connection_at_once() -> Result<(), TestError> {
    let (hub, gate, mut seen) = server(|builder| builder);
    for_each_client!(&hub, seen, |client, is_plain| {
        sleep(UNTIL_ASKED).await;
        expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
        let answer = client.request::<u64>("reauthenticate", &proof("bad"));
        seen.expect(&["proof: bad"]).await;
        sleep(LIFETIME - UNTIL_ASKED + Duration::from_secs(1)).await;
        client.expect_nothing().await?;
        gate.open();
        let error = answer.await.expect_err("it is refused");
        assert_eq!(error.failed().map(EventError::code), Some("invalid_token"));
        expect_expired(&mut client, is_plain, &mut seen).await?;
    });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn proofs_are_decided_one_at_a_time_and_not_too_often() -> Result<(), TestError> {
    let settings = Reauthentication::new().rate_limit(RateLimit::per_minute(1).burst(3));
    let (hub, gate, mut seen) = server(|builder| builder.reauthentication(settings));
    for_each_client!(&hub, seen, |client, _is_plain| {
        let first = client.request::<u64>("reauthenticate", &proof("good"));
        for retry_after_ms in [1_000, 1_000, 60_000] {
            let second = client.request::<u64>("reauthenticate", &proof("good")).await.expect_err("too many");
            let second = second.failed().expect("an answer");
            assert_eq!(
                (second.code(), second.data()),
                ("rate_limited", Some(&json!({ "retry_after_ms": retry_after_ms })))
            );
        }
        // A client that guesses does not delay its own decision.
        gate.open();
        assert_eq!(first.await?, 300);
        seen.expect(&["proof: good"]).await;
        sleep(Duration::from_secs(60)).await;
        gate.open();
        assert_eq!(client.request::<u64>("reauthenticate", &proof("good")).await?, 300);
        seen.expect(&["proof: good"]).await;
        assert_eq!(client.request::<String>("work", &()).await?, "done");
        client.disconnect().await;
        seen.next().await;
    });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_application_may_keep_a_client_that_has_lost_its_identity() -> Result<(), TestError> {
    let settings = Reauthentication::new().on_expired(|socket| {
        socket.leave("members");
        AfterExpiry::Keep
    });
    let (hub, gate, mut seen) = server(|builder| builder.reauthentication(settings));
    gate.open_for(2);
    for_each_client!(&hub, seen, |client, is_plain| {
        let socket = hub.socket(client.id()).expect("it is connected");
        socket.join("members").expect("there is room");
        sleep(UNTIL_ASKED).await;
        expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
        sleep(LIFETIME * 2).await;
        client.expect_nothing().await?;
        assert!(!socket.is_in("members"));
        assert_eq!(socket.expiry(), None);
        assert_eq!(client.request::<String>("work", &()).await?, "done");
        // It may prove its identity again, which expires in turn.
        client.request::<u64>("reauthenticate", &proof("good")).await?;
        seen.expect(&["proof: good"]).await;
        sleep(UNTIL_ASKED).await;
        expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
        client.disconnect().await;
        seen.next().await;
        let _ = is_plain;
    });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_keeps_no_client() -> Result<(), TestError> {
    let settings = Reauthentication::new().on_expired(|_| panic!("as it should"));
    let (hub, _gate, mut seen) = server(|builder| builder.reauthentication(settings));
    for_each_client!(&hub, seen, |client, is_plain| {
        sleep(UNTIL_ASKED).await;
        expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
        sleep(LIFETIME - UNTIL_ASKED).await;
        expect_expired(&mut client, is_plain, &mut seen).await?;
    });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_short_proof_is_asked_for_when_half_of_its_time_is_over() -> Result<(), TestError> {
    let (hub, _gate, mut seen) = server(|builder| builder);
    let short = Duration::from_secs(20);
    for_each_client!(&hub, seen, |client, is_plain| {
        // The timer was set to a later time.
        hub.socket(client.id()).expect("it is connected").expires_in(short);
        sleep(short / 2 - Duration::from_secs(1)).await;
        client.expect_nothing().await?;
        sleep(Duration::from_secs(1)).await;
        expect_asked(&mut client, short / 2).await?;
        sleep(short / 2).await;
        expect_expired(&mut client, is_plain, &mut seen).await?;
        // One that has run out already is never in force.
    });
    let mut client = hub.test_client().connect().await?;
    seen.expect(&["new"]).await;
    hub.socket(client.id()).expect("it is connected").expires_at(SystemTime::UNIX_EPOCH);
    expect_expired(&mut client, false, &mut seen).await
}

#[tokio::test(start_paused = true)]
async fn other_namespaces_of_the_connection_stay() -> Result<(), TestError> {
    let (hub, _gate, mut seen) = server(|builder| builder.namespace("/other", |other| other.events(events![work])));
    let mut client = hub.test_client().connect().await?;
    let other = client.connect_to("/other", json!({})).await?;
    sleep(UNTIL_ASKED).await;
    expect_asked(&mut client, LIFETIME - UNTIL_ASKED).await?;
    sleep(LIFETIME - UNTIL_ASKED).await;
    seen.expect(&["new"]).await;
    expect_expired(&mut client, false, &mut seen).await?;
    assert_eq!(other.request::<String>("work", &()).await?, "done");
    Ok(())
}

/// Connects over a line that can be cut.
async fn join(app: &Router, memory: &mut Memory) -> Line {
    let mut line = Line::open(app, memory, json!({})).await;
    loop {
        assert!(line.read(4_096).await > 0);
        while let Some(packet) = line.next(memory) {
            if matches!(packet, Packet::Connected(_)) {
                return line;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_expiry_survives_a_recovery_and_no_session_survives_its_expiry() {
    let settings = Recovery::new().max_disconnection(LIFETIME * 10);
    let (hub, _gate, mut seen) = server(|builder| builder.recovery(settings));
    let app: Router = hub.socketio().into();
    let mut memory = Memory::default();
    drop(join(&app, &mut memory).await);
    settle().await;
    seen.expect(&["new", "transport close: the connection was cut"]).await;
    advance(UNTIL_ASKED).await;
    let sid = memory.sid.clone();
    let line = join(&app, &mut memory).await;
    seen.expect(&["restored"]).await;
    assert_eq!(memory.sid, sid);
    let at = hub.socket(&sid).expect("it is connected").expiry().expect("an expiry");
    assert!(at < SystemTime::now() + LIFETIME);
    drop(line);
    settle().await;
    seen.expect(&["transport close: the connection was cut"]).await;
    advance(LIFETIME - UNTIL_ASKED).await;
    let _line = join(&app, &mut memory).await;
    seen.expect(&[&format!("failed {:?}", RecoveryFailure::Unauthorized)]).await;
    assert_ne!(memory.sid, sid);
}
