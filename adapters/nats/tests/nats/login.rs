//! Credentials, rights and TLS.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use socketio::cluster::Engine;
use socketio::testing::cluster::batch;
use socketio_nats::{ConfigError, Nats};
use std::fs;

use crate::support::{MAIN, Member, Server, reply};

async fn logs_in(engine: Nats) {
    Member::connect(engine, &[MAIN, reply("a")]).await.works("hello").await;
}

async fn is_refused(engine: Nats) {
    let reason = Member::start(engine, &[MAIN]).disconnected().await.to_lowercase();
    assert!(reason.contains("authorization violation"), "{reason}");
}

#[tokio::test]
async fn a_user_logs_in() {
    let server = Server::with("authorization { user: ann, password: \"s@cret/1\" }");
    logs_in(Nats::new(format!("nats://ann:s%40cret%2F1@127.0.0.1:{}", server.port)).unwrap()).await;
    logs_in(Nats::new(server.url()).unwrap().user("ann").password("s@cret/1")).await;
    is_refused(Nats::new(server.url()).unwrap()).await;
    is_refused(Nats::new(server.url()).unwrap().user("ann").password("wrong")).await;
}

#[tokio::test]
async fn a_token_logs_in() {
    let server = Server::with("authorization { token: \"t0ken\" }");
    logs_in(Nats::new(format!("nats://t0ken@127.0.0.1:{}", server.port)).unwrap()).await;
    logs_in(Nats::new(server.url()).unwrap().token("t0ken")).await;
    is_refused(Nats::new(server.url()).unwrap().token("wrong")).await;
}

#[tokio::test]
async fn a_key_logs_in() {
    // The pair of an example in the documentation of NATS.
    let server = Server::with(
        "authorization { users: [ { nkey: \"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4\" } ] }",
    );
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    logs_in(Nats::new(server.url()).unwrap().nkey(seed)).await;
    is_refused(Nats::new(server.url()).unwrap()).await;
    let error = Nats::new(server.url()).unwrap().credentials("nothing").unwrap_err();
    assert!(matches!(error, ConfigError::Credentials(_)), "{error}");
}

#[tokio::test]
async fn a_user_needs_only_the_subjects_of_its_prefix() {
    let server = Server::with(
        "authorization { users: [ { user: a, password: b, permissions: { publish: \"chat.>\", subscribe: \"chat.>\" } } ] }",
    );
    let engine = |prefix: &str| Nats::new(server.url()).unwrap().user("a").password("b").prefix(prefix);
    logs_in(engine("chat")).await;
    let reason = Member::start(engine("other"), &[MAIN]).disconnected().await.to_lowercase();
    assert!(reason.contains("permissions violation"), "{reason}");
}

#[tokio::test]
async fn nothing_is_told_of_passwords() {
    let engine = Nats::new("nats://ann:secret@localhost,nats://other:1").unwrap().token("secret");
    let shown = format!("{engine:?}");
    assert_eq!(shown, r#"Nats { servers: [localhost:4222, other:1], prefix: "socket.io", .. }"#);
    let error = engine.publish(&batch([(MAIN, &b"early"[..])])).await.unwrap_err();
    assert_eq!((error.unpublished, &*error.reason), (1, "not connected"));
}

#[tokio::test]
async fn connections_are_encrypted() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let directory = std::env::temp_dir().join(format!("socketio-nats-tls-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let ((certificate, key), (own, own_key)) = (issue("127.0.0.1"), issue("client"));
    let files = format!(
        "cert_file: {:?}, key_file: {:?}, ca_file: {:?}",
        file("cert.pem", &certificate),
        file("key.pem", &key),
        file("ca.pem", &authority.pem()),
    );
    let server = Server::with(&format!("tls {{ {files} }}"));
    let tls = |server: &Server| format!("tls://127.0.0.1:{}", server.port);
    logs_in(Nats::new(tls(&server)).unwrap().trust(authority.pem()).unwrap()).await;
    // The server may require TLS where the URL does not.
    logs_in(Nats::new(server.url()).unwrap().trust(authority.pem()).unwrap()).await;
    let reason = Member::start(Nats::new(tls(&server)).unwrap(), &[MAIN]).disconnected().await;
    assert!(reason.contains("certificate"), "{reason}");

    let strict = Server::with(&format!("tls {{ {files}, verify: true }}"));
    let engine = || Nats::new(tls(&strict)).unwrap().trust(authority.pem()).unwrap();
    logs_in(engine().identity(&own, &own_key).unwrap()).await;
    Member::start(engine(), &[MAIN]).disconnected().await;
    assert!(engine().identity(&own, "no key").is_err());
    _ = fs::remove_dir_all(&directory);
}
