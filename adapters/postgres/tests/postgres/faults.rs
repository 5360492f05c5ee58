//! Servers that end, hang, or disconnect an engine.

use socketio::cluster::Engine;
use socketio::testing::cluster::{TcpProxy, batch};
use socketio_postgres::Postgres;

use crate::support::{MAIN, Member, Server, reply, url_of_port};

/// Publishes and receives.
async fn works(member: &mut Member, name: &str) {
    let body = format!("{{\"now\":\"{name}\"}}");
    member.publish(MAIN, &body).await;
    member.expect("/", &body).await;
}

async fn member(url: String) -> Member {
    Member::connect(Postgres::new(url).unwrap(), &[MAIN, reply("a")]).await
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
    let error = member.engine.publish(&batch([(MAIN, &b"{}"[..])])).await.unwrap_err();
    assert_eq!((error.unpublished, &*error.reason), (1, "not connected"));
    server.restart();
    member.connected().await;
    works(&mut member, "again").await;
    server.kill();
    member.disconnected().await;
    server.restart();
    member.connected().await;
    works(&mut member, "and again").await;
}

#[tokio::test]
async fn a_server_may_come_later() {
    let mut server = Server::start();
    server.shut_down();
    let mut member = Member::start(Postgres::new(server.url()).unwrap(), &[MAIN]);
    let reason = member.disconnected().await;
    assert!(reason.contains(&server.port.to_string()), "{reason}");
    member.disconnected().await;
    server.restart();
    member.connected().await;
    works(&mut member, "late").await;
}

#[tokio::test]
async fn connections_may_be_terminated() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    for query in ["LISTEN%", "SELECT count(pg_notify%"] {
        works(&mut member, "before").await;
        let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity";
        let ended = server.sql(&format!("{terminate} WHERE query LIKE '{query}' AND application_name = 'socketio'"));
        assert_eq!(ended, "1");
        let reason = member.disconnected().await;
        assert!(reason.contains("terminating connection"), "{reason}");
        member.connected().await;
        works(&mut member, "again").await;
    }
}

#[tokio::test]
async fn subscriptions_that_change_while_it_is_disconnected_are_restored() {
    use socketio::cluster::Topic;
    let (one, other) = (Topic::Main { namespace: "/one" }, Topic::Main { namespace: "/other" });
    let mut server = Server::start();
    let mut member = Member::connect(Postgres::new(server.url()).unwrap(), &[one]).await;
    server.shut_down();
    member.disconnected().await;
    member.engine.unsubscribe(one);
    member.engine.subscribe(other);
    server.restart();
    member.connected().await;
    member.engine.subscribed().await;
    member.publish(one, "{}").await;
    member.publish(other, "{}").await;
    member.expect("/other", "{}").await;
}

#[tokio::test]
async fn half_open_connections_cost_seconds() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port).unwrap();
    let mut member = member(url_of_port(proxy.address().port())).await;
    proxy.stall();
    let error = member.engine.publish(&batch([(MAIN, &b"{}"[..])])).await.unwrap_err();
    assert_eq!((error.unpublished, &*error.reason), (1, "no reply in time"));
    member.disconnected().await;
    member.connected().await;
    works(&mut member, "again").await;
}

#[tokio::test]
async fn a_server_that_is_stopped_is_given_up_and_comes_back() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    server.stop(true);
    let error = member.engine.publish(&batch([(MAIN, &b"{}"[..])])).await.unwrap_err();
    assert_eq!((error.unpublished, &*error.reason), (1, "no reply in time"));
    member.disconnected().await;
    server.stop(false);
    member.connected().await;
    works(&mut member, "again").await;
}

#[tokio::test]
async fn connections_are_made_anew_on_request() {
    let server = Server::start();
    let mut member = member(server.url()).await;
    member.engine.reconnect();
    member.disconnected().await;
    member.connected().await;
    works(&mut member, "again").await;
}

#[tokio::test]
async fn it_never_gives_up() {
    let mut server = Server::start();
    let mut member = member(server.url()).await;
    server.shut_down();
    member.disconnected().await;
    // Minutes pass while nothing happens, so that this takes no time.
    tokio::time::pause();
    for _ in 0..300 {
        member.disconnected().await;
    }
    tokio::time::resume();
    server.restart();
    member.connected().await;
    works(&mut member, "again").await;
}

#[tokio::test]
async fn names_are_resolved_and_several_servers_are_tried() {
    let server = Server::start();
    let mut down = Server::start();
    down.shut_down();
    let url = format!("postgres://postgres@localhost:{},localhost:{}/postgres", down.port, server.port);
    works(&mut member(url).await, "hello").await;
    let mut stranger = Member::start(Postgres::new("postgres://no-such-host.invalid").unwrap(), &[MAIN]);
    for _ in 0..3 {
        let reason = stranger.disconnected().await;
        assert!(reason.contains("no-such-host.invalid"), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_told_in_its_words() {
    let server = Server::start();
    for (from, to, expected) in [
        ("postgres@", "nobody@", "role \"nobody\" does not exist"),
        ("/postgres", "/none", "database \"none\" does not exist"),
    ] {
        let end = format!("{}/postgres", server.port);
        let url = if from == "/postgres" {
            server.url().replace(&end, &format!("{}{to}", server.port))
        } else {
            server.url().replace(from, to)
        };
        let reason = Member::start(Postgres::new(url).unwrap(), &[MAIN]).disconnected().await;
        assert!(reason.contains(expected), "{reason}");
    }
}

#[tokio::test]
async fn a_standby_is_not_used() {
    let mut server = Server::start();
    server.shut_down();
    server.stand_by();
    server.restart();
    let mut member = Member::start(Postgres::new(server.url()).unwrap(), &[MAIN]);
    let reason = member.disconnected().await;
    assert!(reason.contains("standby"), "{reason}");
    server.sql("SELECT pg_promote()");
    member.connected().await;
    works(&mut member, "promoted").await;
}
