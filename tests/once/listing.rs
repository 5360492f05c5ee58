//! Listings and counts of sockets and rooms on one server, and the requests for them in a cluster.

use serde_json::{Value, json};
use socketio::adapter::{Adapter, BoxFuture, LocalAdapter, Packet, RequestError, ServerReplies, ServerReply};
use socketio::cluster::{Dialect, EngineTraits};
use socketio::testing::cluster::SimNet;
use socketio::testing::{Client, TestError, settle};
use socketio::{Hub, Listed, Page, Selection, Socket, event, events};
use socketio_tests::log;
use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

async fn clients(hub: &Hub, count: usize) -> Result<Vec<Client>, TestError> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(hub.test_client().connect().await?);
    }
    Ok(clients)
}

/// The ids of all pages, one after the other.
fn ids(list: impl Fn(&Page) -> Listed<Socket>, limit: usize) -> Vec<String> {
    let (mut next, mut found) = (Some(Page::new().limit(limit)), Vec::new());
    while let Some(page) = next {
        let listed = list(&page);
        found.extend(listed.entries.iter().map(|socket| socket.id().to_string()));
        next = listed.next;
    }
    found
}

#[tokio::test(start_paused = true)]
async fn sockets_are_listed_in_the_order_of_their_ids() -> Result<(), TestError> {
    let hub = Hub::builder().build().expect("a hub");
    let clients = clients(&hub, 9).await?;
    let sockets = hub.sockets();
    sockets[..6].iter().for_each(|socket| socket.join("lobby").expect("there is room"));
    sockets[4..].iter().for_each(|socket| socket.join("hall").expect("there is room"));
    let sorted = |sockets: &[Socket]| sockets.iter().map(|it| it.id().to_string()).collect::<BTreeSet<_>>();
    for limit in [1, 2, 4, 9, 10] {
        let of = |selection: Selection<'_>| ids(|page| selection.clone().list(page), limit);
        let sorted = |sockets: &[Socket]| sorted(sockets).into_iter().collect::<Vec<_>>();
        assert_eq!(of(hub.local()), sorted(&sockets));
        assert_eq!(of(hub.to("lobby")), sorted(&sockets[..6]));
        assert_eq!(of(hub.to("lobby").to("hall")), sorted(&sockets));
        assert_eq!(of(hub.to("hall").except("lobby")), sorted(&sockets[6..]));
        assert_eq!(of(hub.to("nobody")), Vec::<String>::new());
        assert_eq!(ids(|page| hub.room("lobby").members(page), limit), sorted(&sockets[..6]));
    }
    let lobby = hub.room("lobby");
    assert_eq!((lobby.name(), lobby.len(), lobby.is_empty()), ("lobby", 6, false));
    assert!(lobby.contains(&sockets[0]) && !lobby.contains(&sockets[8]));
    assert!(hub.room(sockets[0].id()).contains(&sockets[0]), "each socket is in the room of its id");
    assert!(hub.room("nobody").is_empty());
    drop(clients);
    settle().await;
    assert!(!lobby.contains(&sockets[0]));
    assert!(hub.local().list(&Page::new()).entries.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rooms_are_listed_with_the_number_of_their_members() -> Result<(), TestError> {
    let hub = Hub::builder().build().expect("a hub");
    let _clients = clients(&hub, 3).await?;
    let mut expected = BTreeMap::new();
    for (number, socket) in hub.sockets().iter().enumerate() {
        for room in 0..=number * 10 {
            socket.join(format!("room {room}")).expect("there is room");
            *expected.entry(format!("room {room}")).or_insert(0) += 1;
        }
    }
    let (mut next, mut found) = (Some(Page::new().limit(7)), Vec::new());
    while let Some(page) = next {
        let rooms = hub.rooms(&page);
        found.extend(rooms.entries.into_iter().map(|room| (room.name, room.members)));
        next = rooms.next;
    }
    assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    let stats = hub.root().stats();
    assert_eq!((stats.sockets, stats.connecting, stats.rooms), (3, 0, 21));
    assert_eq!(hub.of("/other").stats().sockets, 0);
    Ok(())
}

#[event(connect)]
async fn undecided(socket: &Socket) {
    socket.join("lobby").expect("there is room");
    pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_not_accepted_yet_is_counted_and_not_listed() {
    let hub = Hub::builder().connect_timeout(HOUR).events(events![undecided]).build().expect("a hub");
    let own = hub.clone();
    let connecting = tokio::spawn(async move { own.test_client().patience(HOUR).connect().await });
    settle().await;
    let stats = hub.root().stats();
    assert_eq!((stats.sockets, stats.connecting, stats.rooms), (0, 1, 1));
    assert!(hub.local().list(&Page::new()).entries.is_empty());
    assert!(hub.room("lobby").is_empty());
    connecting.abort();
}

async fn server(net: &SimNet, name: &str, dialect: Dialect, max_payload: usize) -> Hub {
    let engine = net.engine_with(name, EngineTraits::new(dialect));
    let hub = Hub::builder().cluster(engine).max_payload(max_payload).build().expect("a hub");
    hub.ready(Duration::from_secs(20)).await.expect("the network is up");
    hub
}

#[tokio::test(start_paused = true)]
async fn another_server_sends_only_the_sockets_of_a_page() -> Result<(), Box<dyn std::error::Error>> {
    for dialect in [Dialect::Classic, Dialect::Messages, Dialect::Streams] {
        let net = SimNet::seeded(3);
        // This one takes messages of 8,000 bytes, which is too little for all sockets.
        let one = server(&net, "one", dialect, 500).await;
        let two = server(&net, "two", dialect, 1_000_000).await;
        let clients = clients(&two, 100).await?;
        let everyone = || one.timeout(Duration::from_secs(1));
        assert_eq!(everyone().fetch_sockets().await?.silent, 1);
        let (mut next, mut found) = (Some(Page::new().limit(5)), BTreeSet::new());
        while let Some(page) = next {
            let fetched = everyone().fetch_page(&page).await?;
            assert_eq!((fetched.sockets.len(), fetched.silent), (5, 0), "{dialect:?}");
            found.extend(fetched.sockets.into_iter().map(|socket| socket.id));
            next = fetched.next;
        }
        assert_eq!(found, clients.iter().map(Client::id).collect());
        assert_eq!(one.local().fetch_page(&Page::new()).await?.sockets.len(), 0, "nobody is asked");
        net.stop();
        let alone = everyone().fetch_page(&Page::new()).await?;
        assert_eq!((alone.sockets.len(), alone.silent), (0, 1));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn another_server_sends_only_the_rooms_of_a_page() -> Result<(), Box<dyn std::error::Error>> {
    for dialect in [Dialect::Classic, Dialect::Messages, Dialect::Streams] {
        let net = SimNet::seeded(4);
        // This one takes messages of 8,000 bytes, which is too little for all names.
        let one = server(&net, "one", dialect, 500).await;
        let two = server(&net, "two", dialect, 1_000_000).await;
        let (here, there) = (clients(&one, 1).await?, clients(&two, 3).await?);
        let mut expected: BTreeSet<_> = here.iter().chain(&there).map(|client| client.id().to_string()).collect();
        for number in 0..100 {
            let room = format!("{number:0100}");
            two.sockets_join([&room]);
            expected.insert(room);
        }
        one.cluster().ok_or("no cluster")?.flushed().await;
        assert_eq!(one.all_rooms().await?.silent, 1, "{dialect:?}");
        let (mut next, mut found) = (Some(Page::new().limit(5)), Vec::new());
        while let Some(page) = next {
            let fetched = one.fetch_rooms(&page).await?;
            assert_eq!(fetched.silent, 0, "{dialect:?}");
            assert_eq!(fetched.rooms.len(), 5.min(expected.len() - found.len()), "{dialect:?}");
            found.extend(fetched.rooms);
            next = fetched.next;
        }
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{dialect:?}");
        net.stop();
        let alone = one.fetch_rooms(&Page::new()).await?;
        assert!(alone.silent > 0, "nobody could be asked");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_sockets_and_rooms_of_all_servers_are_counted() -> Result<(), Box<dyn std::error::Error>> {
    for dialect in [Dialect::Classic, Dialect::Messages, Dialect::Streams] {
        let net = SimNet::seeded(5);
        let mut hubs = Vec::new();
        for name in ["one", "two", "three"] {
            hubs.push(server(&net, name, dialect, 1_000_000).await);
        }
        let mut connected = Vec::new();
        for (hub, count) in hubs.iter().zip([1, 2, 3]) {
            connected.push(clients(hub, count).await?);
            for (number, socket) in hub.sockets().iter().enumerate() {
                socket.join("lobby").expect("there is room");
                socket.join(format!("room {number}")).expect("there is room");
            }
        }
        let fetched = hubs[0].root().fetch_stats().await?;
        assert_eq!((fetched.here, fetched.silent), (hubs[0].root().stats(), 0), "{dialect:?}");
        assert_eq!((fetched.total.sockets, fetched.total.connecting, fetched.total.rooms), (6, 0, 2 + 3 + 4));
        let mut expected = [&hubs[1], &hubs[2]].map(|hub| (hub.cluster().map(|it| it.id()), hub.root().stats()));
        expected.sort_by_key(|(server, _)| server.clone());
        let others: Vec<_> = fetched.others.into_iter().map(|other| (other.server, other.stats)).collect();
        assert_eq!(others, expected, "{dialect:?}");

        // A namespace counts its own, also if it has no sockets here.
        let elsewhere = hubs[0].of("/elsewhere").fetch_stats().await?;
        assert_eq!((elsewhere.total.sockets, elsewhere.silent), (0, 0), "{dialect:?}");

        net.hang("three");
        let fetched = hubs[0].root().fetch_stats().await?;
        assert_eq!((fetched.total.sockets, fetched.others.len(), fetched.silent), (3, 1, 1), "{dialect:?}");
        net.stop();
        let alone = hubs[0].root().fetch_stats().await?;
        assert_eq!((alone.total, alone.others.len()), (alone.here, 0), "{dialect:?}");
        assert!(alone.silent > 0, "nobody could be asked");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_servers_tell_about_themselves_has_a_documented_form() -> Result<(), Box<dyn std::error::Error>> {
    let net = SimNet::seeded(6);
    let one = server(&net, "one", Dialect::Messages, 1_000_000).await;
    let two = server(&net, "two", Dialect::Messages, 1_000_000).await;
    let _clients = clients(&two, 2).await?;
    let told = one.server_request::<Value>(("socketio:stats",)).await?;
    assert_eq!(told.into_values().collect::<Vec<_>>(), [json!({ "sockets": 2, "connecting": 0, "rooms": 0 })]);
    // An event without a question does no harm, and what has only a similar name reaches listeners.
    let (log, mut seen) = log();
    two.on_server("socketio:stats?", move |event| log.note(event.name()));
    one.server_emit(("socketio:stats",))?;
    one.server_emit(("socketio:stats?",))?;
    seen.expect(&["socketio:stats?"]).await;
    Ok(())
}

/// An adapter that gets any answers.
#[derive(Debug)]
struct Answered(LocalAdapter);

impl Adapter for Answered {
    fn local(&self) -> &LocalAdapter {
        &self.0
    }

    fn server_request(
        &self,
        _event: &Packet,
        _timeout: Duration,
    ) -> BoxFuture<'static, Result<ServerReplies, RequestError>> {
        let answers = [
            ("c", r#"{"sockets":2}"#),
            ("b", r#"{"sockets":18446744073709551615,"rooms":3,"more":[1]}"#),
            ("a", r#"{"sockets":-1}"#),
            ("d", r#""many""#),
            ("e", ""),
        ];
        let reply = |(server, args): (&str, &str)| ServerReply::new(Some(server.into()), args, &[]).expect("JSON");
        let replies = ServerReplies::new(answers.into_iter().map(reply).collect());
        Box::pin(std::future::ready(Ok(replies)))
    }
}

#[tokio::test(start_paused = true)]
async fn any_answers_to_the_question_for_stats_do_no_harm() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::builder().adapter(|_path, local| Answered(local)).build()?;
    let _clients = clients(&hub, 1).await?;
    let fetched = hub.root().fetch_stats().await?;
    assert_eq!((fetched.total.sockets, fetched.total.rooms, fetched.silent), (usize::MAX, 3, 3));
    let others: Vec<_> = fetched.others.iter().map(|other| other.server.as_ref().map(ToString::to_string)).collect();
    assert_eq!(others, [Some("b".to_owned()), Some("c".to_owned())]);
    Ok(())
}

/// An adapter that was written before there were pages.
#[derive(Debug)]
struct Plain(LocalAdapter);

impl Adapter for Plain {
    fn local(&self) -> &LocalAdapter {
        &self.0
    }
}

#[tokio::test(start_paused = true)]
async fn pages_are_cut_out_of_what_an_adapter_fetches() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::builder().adapter(|_path, local| Plain(local)).build()?;
    let _clients = clients(&hub, 5).await?;
    let (mut next, mut found) = (Some(Page::new().limit(2)), Vec::new());
    while let Some(page) = next {
        let fetched = hub.volatile().fetch_page(&page).await?;
        found.extend(fetched.sockets.iter().map(|socket| socket.id.clone()));
        next = fetched.next;
    }
    assert_eq!(found.len(), 5);
    assert!(found.is_sorted());
    let names: Vec<_> = found.iter().map(ToString::to_string).collect();
    let rooms = hub.fetch_rooms(&Page::new().limit(2)).await?;
    assert_eq!((rooms.rooms.as_slice(), rooms.next.is_some()), (&names[..2], true));
    Ok(())
}
