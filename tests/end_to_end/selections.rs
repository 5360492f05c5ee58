//! Operations on selections other than emits: acks, room changes, disconnects and fetches; and
//! listeners to any event.

use serde_json::json;
use socketio::{AckError, Hub, Socket, Text};
use socketio_tests::{Client, Server, log, serve, soon};
use std::time::Duration;

async fn clients<const N: usize>(server: &Server) -> ([Client; N], [Socket; N]) {
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for number in 0..N {
        let mut client = server.connect(&number.to_string()).await;
        client.settle().await;
        let new = server.hub.sockets().into_iter().find(|socket| !sockets.contains(socket));
        sockets.push(new.expect("a connected socket"));
        clients.push(client);
    }
    (clients.try_into().expect("as many clients"), sockets.try_into().expect("as many sockets"))
}

async fn server() -> Server {
    serve(Hub::builder().build().expect("a hub")).await
}

#[tokio::test]
async fn emit_with_ack_on_a_selection_collects_several_acks() {
    let server = server().await;
    let ([mut ann, mut bob, mut carl], [a, b, c]) = clients(&server).await;
    c.emit_to(c.id(), ("warm",)).expect("sent");
    assert_eq!(carl.json().await["event"], "warm");
    let asked = server.hub.timeout(Duration::from_secs(60)).emit_with_ack::<u32>(("sum", 1, 2));
    let mut ids = Vec::new();
    for client in [&mut ann, &mut bob, &mut carl] {
        let question = client.json().await;
        assert_eq!((&question["event"], &question["args"]), (&json!("sum"), &json!([1, 2])));
        ids.push(question["id"].clone());
    }
    bob.send(json!({ "id": ids[1], "data": 3 }).to_string()).await;
    bob.send(json!({ "id": ids[1], "data": 4 }).to_string()).await;
    ann.send(json!({ "id": ids[0], "data": "three" }).to_string()).await;
    carl.close(1000, "").await;
    let answers = soon("answers", asked.into_future()).await.expect("the event was sent");
    assert!(!answers.is_complete());
    assert_eq!(answers.answers, [(b.id().into(), 3)]);
    let missing: Vec<_> = answers.missing.errors.iter().map(|(id, error)| (id.clone(), error)).collect();
    assert_eq!(missing.len(), 2);
    for (id, error) in missing {
        let expected =
            if id == a.id() { matches!(error, AckError::Payload(_)) } else { matches!(error, AckError::Closed) };
        assert!(expected, "{id}: {error}");
    }
}

#[tokio::test]
async fn a_timed_out_ack_is_missing_and_an_empty_selection_is_complete() {
    let server = server().await;
    let ([mut ann, _bob], [a, b]) = clients(&server).await;
    a.join("jury").expect("joined");
    b.join("jury").expect("joined");
    let asked = server.hub.to("jury").timeout(Duration::from_millis(300)).emit_with_ack::<u32>(("points?",));
    let question = ann.json().await;
    ann.send(json!({ "id": question["id"], "data": 5 }).to_string()).await;
    let answers = soon("answers", asked.into_future()).await.expect("the event was sent");
    assert_eq!(answers.answers, [(a.id().into(), 5)]);
    assert!(matches!(&answers.missing.errors[..], [(id, AckError::Timeout)] if *id == b.id()));
    let nobody = server.hub.to("nobody").emit_with_ack::<u32>(("points?",)).await.expect("the selection is empty");
    assert!(nobody.is_complete() && nobody.answers.is_empty());
}

#[tokio::test]
async fn the_sockets_of_a_selection_can_be_moved_fetched_and_disconnected() {
    let server = server().await;
    let ([mut ann, mut bob, _carl], [a, b, c]) = clients(&server).await;
    server.hub.except(a.id()).sockets_join(["x", "y"]);
    server.hub.to(b.id()).sockets_leave(["x"]);
    a.set_attribute("name", "ann");
    let fetched = server.hub.fetch_sockets().await.expect("this server answers");
    assert_eq!(fetched.silent, 0);
    let mut fetched = fetched.sockets;
    fetched.sort_by_key(|remote| [a.id(), b.id(), c.id()].iter().position(|id| *id == remote.id));
    let rooms: Vec<_> = fetched.iter().map(|remote| remote.rooms[1..].to_vec()).collect();
    assert_eq!(rooms[..2], [vec![], vec!["y".to_owned()]]);
    assert_eq!(rooms[2].len(), 2);
    assert_eq!(fetched[0].attributes.get_as::<String>("name").as_deref(), Some("ann"));
    assert!(fetched.iter().all(|remote| remote.rooms[0] == *remote.id) && a.is_in(a.id()));
    server.hub.to("x").disconnect_sockets();
    soon("end", c.closed()).await;
    server.hub.to(b.id()).close_sockets();
    soon("end", b.closed()).await;
    while bob.next().await.is_some() {}
    soon("end of two sockets", async {
        while server.hub.len() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(a.connected() && !b.is_alive() && !c.is_alive());
    server.hub.sockets_join(["all"]);
    assert_eq!(server.hub.to("all").sockets(), [a]);
    server.hub.disconnect_sockets();
    while ann.next().await.is_some() {}
}

#[tokio::test]
async fn listeners_to_any_event_see_incoming_and_outgoing_events() {
    let ((incoming, mut came), (outgoing, mut went)) = (log(), log());
    let server = server().await;
    let ([mut ann], [a]) = clients(&server).await;
    let heard = incoming.clone();
    let handle = a.on_any(move |payload| heard.note(format_args!("any {} {}", payload.name, payload.args().json())));
    a.on("known", move |payload| {
        incoming.note("known");
        let _ = payload.ack().send(1);
    });
    a.on_any_outgoing(move |name, args| outgoing.note(format_args!("{name} {}", args.json())));
    assert_eq!(ann.ask("known", json!({ "x": [1] })).await["data"], 1);
    came.expect(&[r#"any known {"x":[1]}"#, "known"]).await;
    // A listener to any event does not make an unknown event known.
    assert_eq!(ann.ask("unknown", 2).await["error"]["code"], "unknown_event");
    came.expect(&["any unknown 2"]).await;
    a.fire("known", 3).expect("fired");
    came.expect(&["known"]).await;
    handle.off();
    ann.ask("unknown", 2).await;
    came.expect_nothing();

    a.emit(("one", 1, "two")).expect("sent");
    server.hub.broadcast(Text("a text")).expect("sent");
    server.hub.to(a.id()).emit(("room",)).expect("sent");
    a.volatile().emit(("volatile", [0])).expect("sent");
    went.expect(&["one 1,\"two\"", "message \"a text\"", "room ", "volatile [0]"]).await;
    went.expect_nothing();
}
