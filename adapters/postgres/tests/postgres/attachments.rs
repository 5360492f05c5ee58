//! Messages that are binary or long.

use socketio::cluster::{Engine, GapReason, to_msgpack};
use socketio::testing::cluster::{Recorded, batch};
use socketio_postgres::{ConfigError, Postgres};
use std::time::Duration;

use crate::support::{MAIN, Member, Server, reply};

const TABLES: &str = "SELECT count(*) FROM pg_class WHERE relname = 'socket_io_attachments'";
const ROWS: &str = "SELECT count(*) FROM socket_io_attachments";

fn json(number: usize, length: usize) -> String {
    let mut text = format!("{{\"type\":3,\"data\":{number},\"text\":\"");
    text.extend(std::iter::repeat_n('x', length - text.len() - 2));
    text + "\"}"
}

fn stored(body: &str) -> Vec<u8> {
    to_msgpack(body.as_bytes()).unwrap()
}

/// Two members, of which the second is the server `b`.
async fn pair(server: &Server) -> [Member; 2] {
    let one = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN, reply("a")]).await;
    let other = Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN, reply("b")]).await;
    [one, other]
}

#[tokio::test]
async fn long_messages_keep_their_place() {
    let server = Server::start();
    let [one, mut other] = pair(&server).await;
    let bodies: Vec<_> = (0..200).map(|number| json(number, [100, 7_999, 8_000, 100_000][number % 4])).collect();
    assert_eq!(server.sql(TABLES), "0");
    one.engine.publish(&batch(bodies.iter().map(|body| (MAIN, body.as_bytes())))).await.unwrap();
    for body in &bodies {
        match body.len() {
            ..8_000 => other.expect("/", body).await,
            _ => other.expect("/", stored(body)).await,
        }
    }
    assert_eq!(server.sql(ROWS), "100");
}

#[tokio::test]
async fn binary_messages_are_stored() {
    let server = Server::start();
    let [one, mut other] = pair(&server).await;
    let body = [&b"\x82\xa4type\x03\xa4data\xc5\x40\x00"[..], &[0xff; 0x4000]].concat();
    one.engine.publish(&batch([(MAIN, &body[..])])).await.unwrap();
    other.expect("/", &body).await;
    let columns = "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) \
                   FROM pg_attribute WHERE attrelid = 'socket_io_attachments'::regclass AND attnum > 0";
    assert_eq!(server.sql(columns), "id bigint, created_at timestamp with time zone, payload bytea");
    assert_eq!(server.sql("SELECT octet_length(payload) FROM socket_io_attachments"), body.len().to_string());
}

#[tokio::test]
async fn a_server_fetches_only_what_it_needs() {
    let server = Server::start();
    let [mut one, mut other] = pair(&server).await;
    let body = json(1, 9_000);
    // Its own, and an answer to another server.
    one.publish(MAIN, &body).await;
    other.expect("/", stored(&body)).await;
    other.publish(reply("a"), &body).await;
    one.expect("/", stored(&body)).await;
    other.publish(reply("c"), &body).await;
    one.publish(MAIN, "{}").await;
    one.expect("/", "{}").await;
    other.expect("/", "{}").await;
}

#[tokio::test]
async fn servers_may_need_the_table_at_the_same_time() {
    let server = Server::start();
    let mut members = Vec::new();
    for _ in 0..8 {
        members.push(Member::connect(Postgres::new(server.url()).unwrap(), &[MAIN]).await);
    }
    let body = json(1, 9_000);
    for round in 0..5 {
        futures_util::future::join_all(members.iter().map(|member| member.publish(MAIN, &body))).await;
        assert_eq!(server.sql(ROWS), "8", "in round {round}");
        server.sql("DROP TABLE socket_io_attachments");
    }
}

#[tokio::test]
async fn old_messages_are_deleted() {
    let server = Server::start();
    let engine = Postgres::new(server.url()).unwrap().cleanup_interval(Duration::from_millis(200));
    let member = Member::connect(engine, &[MAIN]).await;
    member.publish(MAIN, &json(1, 9_000)).await;
    server.wait_until(ROWS, |rows| rows == "0").await;
    server.sql("DROP TABLE socket_io_attachments");
    member.publish(MAIN, &json(1, 9_000)).await;
    server.wait_until(ROWS, |rows| rows == "0").await;
}

#[tokio::test]
async fn settings_have_an_effect() {
    let server = Server::start();
    server.sql("CREATE SCHEMA chat");
    let engine = || {
        let engine = Postgres::new(server.url()).unwrap().payload_threshold(100);
        engine.table("chat.\"Long ones\"").unwrap()
    };
    let one = Member::connect(engine(), &[MAIN, reply("a")]).await;
    let mut other = Member::connect(engine(), &[MAIN, reply("b")]).await;
    for (at, length) in [100, 101].into_iter().enumerate() {
        let body = json(1, length);
        one.publish(MAIN, &body).await;
        other.expect("/", if at == 0 { body.clone().into_bytes() } else { stored(&body) }).await;
    }
    assert_eq!(server.sql("SELECT count(*) FROM chat.\"Long ones\""), "1");
    let failed = Postgres::new(server.url()).unwrap().table("a; DROP TABLE b");
    assert!(matches!(failed, Err(ConfigError::Table { .. })));
}

#[tokio::test]
async fn a_lost_attachment_is_a_gap() {
    let server = Server::start();
    let [one, mut other] = pair(&server).await;
    one.publish(MAIN, &json(1, 9_000)).await;
    other.expect("/", stored(&json(1, 9_000))).await;
    server.sql(r#"SELECT pg_notify('socket.io#/', '{"uid":"x","type":3,"attachmentId":"4711"}')"#);
    one.publish(MAIN, "{}").await;
    let gap = other.recorder.next().await;
    assert_eq!(gap, Recorded::Gap(GapReason::Attachment { messages: 1 }));
    other.expect("/", "{}").await;
    server.sql("DROP TABLE socket_io_attachments");
    server.sql(r#"SELECT pg_notify('socket.io#/', '{"uid":"x","type":3,"attachmentId":"1"}')"#);
    let gap = other.recorder.next().await;
    assert_eq!(gap, Recorded::Gap(GapReason::Attachment { messages: 1 }));
    one.publish(MAIN, &json(2, 9_000)).await;
    other.expect("/", stored(&json(2, 9_000))).await;
}

#[tokio::test]
async fn an_attachment_that_can_not_be_read_does_not_keep_others_waiting() {
    let server = Server::start();
    let [one, mut other] = pair(&server).await;
    one.publish(MAIN, &json(1, 9_000)).await;
    other.expect("/", stored(&json(1, 9_000))).await;
    let mut locked = std::process::Command::new("sh");
    // The lock is held until the test ends it.
    let lock = "BEGIN; LOCK TABLE socket_io_attachments; SELECT pg_sleep(600)";
    let psql = server.psql();
    let mut locked = locked.arg("-c").arg(format!("exec {psql} -c '{lock}'")).spawn().unwrap();
    let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'socket_io_attachments'::regclass AND granted";
    server.wait_until(locks, |rows| rows == "1").await;
    server.sql(r#"SELECT pg_notify('socket.io#/', '{"uid":"x","type":3,"attachmentId":"1"}')"#);
    one.publish(MAIN, "{}").await;
    let error = one.engine.publish(&batch([(MAIN, json(2, 9_000).as_bytes()), (MAIN, b"{}")])).await.unwrap_err();
    assert_eq!(error.unpublished, 1, "{error}");
    assert_eq!(other.recorder.next().await, Recorded::Gap(GapReason::Attachment { messages: 1 }));
    other.expect("/", "{}").await;
    other.expect("/", "{}").await;
    locked.kill().unwrap();
    locked.wait().unwrap();
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()");
    server.wait_until(locks, |rows| rows == "0").await;
    one.publish(MAIN, &json(3, 9_000)).await;
    other.expect("/", stored(&json(3, 9_000))).await;
}

#[tokio::test]
async fn a_user_without_rights_loses_only_attachments() {
    let server = Server::start();
    server.sql("CREATE ROLE chat LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let url = server.url().replace("postgres@", "chat@");
    let one = Member::connect(Postgres::new(&url).unwrap(), &[MAIN, reply("a")]).await;
    let mut other = Member::connect(Postgres::new(&url).unwrap(), &[MAIN, reply("b")]).await;
    let long = json(1, 9_000);
    let messages = [b"{\"a\":1}", long.as_bytes(), b"{\"a\":2}"].map(|body| (MAIN, body));
    let error = one.engine.publish(&batch(messages)).await.unwrap_err();
    assert_eq!(error.unpublished, 1);
    assert!(error.reason.contains("permission denied") && error.reason.contains("creating"), "{error}");
    other.expect("/", "{\"a\":1}").await;
    other.expect("/", "{\"a\":2}").await;
    server.sql(
        "CREATE TABLE socket_io_attachments (id bigserial UNIQUE, created_at timestamptz DEFAULT now(), payload bytea); \
         GRANT SELECT, INSERT, DELETE ON socket_io_attachments TO chat; \
         GRANT USAGE ON SEQUENCE socket_io_attachments_id_seq TO chat",
    );
    one.publish(MAIN, &long).await;
    other.expect("/", stored(&long)).await;
}
