//! Servers that end, hang, or disconnect an engine.

use socketio::cluster::{Engine, Topic};
use socketio::testing::cluster::{Recorded, TcpProxy, batch};
use socketio_nats::Nats;

use crate::support::{MAIN, Member, Server, reply, url_of_port};

async fn member(url: String) -> Member {
    Member::connect(Nats::new(url).unwrap(), &[MAIN, reply("a")]).await
}

#[tokio::test]
async fn a_server_may_be_restarted() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    server.shut_down();
    member.disconnected().await;
    // Several attempts fail.
    for _ in 0..3 {
        member.disconnected().await;
    }
    let error = member.engine.publish(&batch([(MAIN, &b"lost"[..])])).await.unwrap_err();
    assert_eq!((error.unpublished, &*error.reason), (1, "not connected"));
    server.restart();
    member.connected().await;
    member.works("again").await;
    server.kill();
    member.disconnected().await;
    server.restart();
    member.connected().await;
    member.works("and again").await;
}

#[tokio::test]
async fn a_server_may_come_later() {
    let mut server = Server::start();
    server.kill();
    let mut member = Member::start(Nats::new(server.url()).unwrap(), &[MAIN, reply("a")]);
    let reason = member.disconnected().await;
    assert!(reason.contains(&server.port.to_string()), "{reason}");
    member.disconnected().await;
    server.restart();
    member.connected().await;
    member.works("late").await;
}

#[tokio::test]
async fn connections_may_be_cut() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port).unwrap();
    let mut member = member(url_of_port(proxy.address().port())).await;
    for round in ["1", "2", "3"] {
        proxy.cut();
        member.disconnected().await;
        member.connected().await;
        member.works(round).await;
    }
}

#[tokio::test]
async fn subscriptions_that_change_while_it_is_disconnected_are_restored() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    server.kill();
    member.disconnected().await;
    member.engine.unsubscribe(reply("a"));
    member.engine.subscribe(reply("b"));
    server.restart();
    member.engine.subscribed().await;
    member.connected().await;
    member.publish(reply("a"), "a").await;
    member.publish(reply("b"), "b").await;
    member.expect(reply("b"), "b").await;
}

#[tokio::test]
async fn a_connection_that_carries_nothing_is_noticed() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port).unwrap();
    let mut member = member(url_of_port(proxy.address().port())).await;
    proxy.stall();
    let messages = [(MAIN, &b"lost"[..]), (reply("a"), b"lost")];
    let error = member.engine.publish(&batch(messages)).await.unwrap_err();
    assert_eq!(error.unpublished, 2, "{error}");
    member.disconnected().await;
    member.connected().await;
    member.works("again").await;
}

#[tokio::test]
async fn more_than_the_connection_takes_fails_in_time() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port).unwrap();
    let mut member = member(url_of_port(proxy.address().port())).await;
    proxy.stall();
    let body = vec![b'x'; 1 << 20];
    let error = member.engine.publish(&batch(vec![(MAIN, &*body); 20])).await.unwrap_err();
    assert_eq!(error.unpublished, 20, "{error}");
    member.engine.reconnect();
    member.connected().await;
    member.works("again").await;
}

#[tokio::test]
async fn a_server_that_is_suspended_is_noticed() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    server.signal("-STOP");
    // It may do a little more before it stops.
    let error = loop {
        if let Err(error) = member.engine.publish(&batch([(MAIN, &b"late"[..])])).await {
            break error;
        }
    };
    assert_eq!(error.unpublished, 1, "{error}");
    member.disconnected().await;
    // Attempts to connect fail as well.
    for _ in 0..2 {
        member.disconnected().await;
    }
    server.signal("-CONT");
    member.connected().await;
    member.engine.subscribe(reply("b"));
    member.engine.subscribed().await;
    member.publish(reply("b"), "again").await;
    while member.recorder.message().await.0 != reply("b") {}
}

#[tokio::test]
async fn connections_are_made_anew_on_request() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    member.engine.reconnect();
    member.disconnected().await;
    member.connected().await;
    member.works("again").await;
}

#[tokio::test]
async fn a_server_that_is_about_to_end_is_left_for_another() {
    let mut servers = [Server::with("lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"1s\""), Server::start()];
    let url = format!("{},{}", servers[0].url(), servers[1].url());
    let mut member = member(url).await;
    // Which server it uses is random. One after the other ends.
    servers[0].signal("-USR2");
    servers[1].shut_down();
    servers[1].restart();
    let mut raw = servers[1].connect();
    let mut received = None;
    while received.is_none() {
        raw.publish("socket.io.=2F.to.a", b"here");
        raw.flush();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        while let Some(recorded) = member.recorder.try_next() {
            if let Recorded::Message { body, .. } = recorded {
                received = Some(body);
            }
        }
    }
}

#[tokio::test]
async fn the_servers_of_a_cluster_are_found() {
    let (port, other) = (free_port(), free_port());
    let cluster = |own: u16, other: u16| {
        format!("cluster {{ name: c, listen: \"127.0.0.1:{own}\", routes: [\"nats://127.0.0.1:{other}\"] }}")
    };
    let mut one = Server::with(&cluster(port, other));
    let two = Server::with(&cluster(other, port));
    let mut watching = Member::connect(Nats::new(two.url()).unwrap(), &[MAIN]).await;
    let mut member = member(one.url()).await;
    // The servers tell each other about subscriptions, which takes a moment.
    loop {
        member.publish(MAIN, "hello").await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if let Some(Recorded::Message { .. }) = watching.recorder.try_next() {
            break;
        }
    }
    // The address of the other server is known only after the routes are made.
    member.engine.reconnect();
    member.disconnected().await;
    member.connected().await;
    one.kill();
    // It may use the other one already.
    while !is_published(&member, "through the other").await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    member.expect(reply("a"), "through the other").await;
}

async fn is_published(member: &Member, body: &str) -> bool {
    member.engine.publish(&batch([(reply("a"), body.as_bytes())])).await.is_ok()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn it_never_gives_up() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    server.kill();
    member.disconnected().await;
    // Minutes pass while nothing happens, so that this takes no time.
    tokio::time::pause();
    for _ in 0..300 {
        member.disconnected().await;
    }
    tokio::time::resume();
    server.restart();
    member.connected().await;
    member.works("again").await;
}

#[tokio::test]
async fn names_are_resolved() {
    let server = Server::start();
    let mut member = member(format!("nats://localhost:{}", server.port)).await;
    member.works("hello").await;
    let mut stranger = Member::start(Nats::new("nats://no-such-host.invalid").unwrap(), &[MAIN]);
    for _ in 0..3 {
        let reason = stranger.disconnected().await;
        assert!(reason.contains("no-such-host.invalid"), "{reason}");
    }
}

#[tokio::test]
async fn it_stops() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    let topic = Topic::Main { namespace: "/other" };
    member.engine.subscribe(topic);
    member.engine.subscribed().await;
    member.publish(topic, "last").await;
    member.expect(topic, "last").await;
    member.engine.stop().await;
    let error = member.engine.publish(&batch([(MAIN, &b"late"[..])])).await.unwrap_err();
    assert_eq!(error.unpublished, 1);
    let mut raw = server.connect();
    raw.publish("socket.io.=2F.all", b"late");
    raw.flush();
    assert_eq!(member.recorder.try_next(), None);
    // It stops at once also where it is not connected, or was not started.
    Nats::new(server.url()).unwrap().stop().await;
    let member = Member::start(Nats::new("nats://127.0.0.1:1").unwrap(), &[MAIN]);
    member.engine.stop().await;
}

/// How many tasks there are besides that of the test.
fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn nothing_is_left_of_an_engine_that_is_dropped() {
    let mut server = Server::start();
    let proxy = TcpProxy::start(server.port).unwrap();
    let before = tasks();
    let (connected, disconnected, hung) =
        (member(server.url()).await, member(server.url()).await, member(url_of_port(proxy.address().port())).await);
    proxy.hang(true);
    let body = vec![b'x'; 1 << 20];
    hung.engine.publish(&batch(vec![(MAIN, &*body); 20])).await.unwrap_err();
    drop(connected);
    server.kill();
    let mut disconnected = disconnected;
    disconnected.disconnected().await;
    drop((disconnected, hung));
    for _ in 0..1_000 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        // The proxy keeps what hangs.
        if tasks() <= before + 1 {
            return;
        }
    }
    panic!("{} tasks are left", tasks() - before);
}
