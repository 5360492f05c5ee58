//! Connections that are encrypted.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use socketio_postgres::{ConfigError, Postgres};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{MAIN, Member, Server};

/// An authority, and a certificate of 127.0.0.1 that it issued.
struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        // OpenSSL takes a certificate for self-signed if its issuer has the same name.
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "postgres");
        let certificate = params.signed_by(&key, &authority).unwrap();
        Self { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Starts a server that accepts encrypted connections only. It may ask for certificates.
    fn serve(&self, asks_clients: bool) -> Server {
        Server::with(|directory| {
            for (name, text) in [("ca", &self.authority), ("cert", &self.certificate), ("key", &self.key)] {
                fs::write(directory.join(name), text).unwrap();
                fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o600)).unwrap();
            }
            let settings = "ssl = on\nssl_ca_file = 'ca'\nssl_cert_file = 'cert'\nssl_key_file = 'key'\n";
            fs::write(directory.join("postgresql.auto.conf"), settings).unwrap();
            let option = if asks_clients { " clientcert=verify-full" } else { "" };
            fs::write(directory.join("pg_hba.conf"), format!("hostssl all all 127.0.0.1/32 trust{option}\n")).unwrap();
        })
    }
}

#[tokio::test]
async fn a_trusted_server_is_used() {
    let certificates = Certificates::new();
    let server = certificates.serve(false);
    for mode in ["", "?sslmode=require", "?sslmode=verify-full", "?sslmode=prefer"] {
        let url = format!("{}{mode}", server.url());
        let engine = Postgres::new(url).unwrap().trust(&certificates.authority).unwrap();
        let mut member = Member::connect(engine, &[MAIN]).await;
        for text in ["hello", &"x".repeat(7_900)] {
            let body = format!("{{\"text\":\"{text}\"}}");
            member.publish(MAIN, &body).await;
            member.expect("/", &body).await;
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_not_used() {
    let certificates = Certificates::new();
    let server = certificates.serve(false);
    let url = format!("{}?sslmode=require", server.url());
    let other = Certificates::new();
    let engine = || Postgres::new(&url).unwrap();
    for engine in [engine(), engine().trust(&other.authority).unwrap()] {
        let reason = Member::start(engine, &[MAIN]).disconnected().await;
        assert!(reason.contains("invalid peer certificate"), "{reason}");
    }
}

#[tokio::test]
async fn nothing_is_encrypted_unless_it_is_asked_for() {
    let server = Certificates::new().serve(false);
    for mode in ["", "?sslmode=disable"] {
        let url = format!("{}{mode}", server.url());
        let reason = Member::start(Postgres::new(url).unwrap(), &[MAIN]).disconnected().await;
        assert!(reason.contains("no encryption"), "{reason}");
    }
    let plain = Server::start();
    let url = format!("{}?sslmode=require", plain.url());
    let reason = Member::start(Postgres::new(url).unwrap(), &[MAIN]).disconnected().await;
    assert!(reason.contains("server does not support TLS"), "{reason}");
}

#[tokio::test]
async fn the_server_may_ask_for_a_certificate() {
    let certificates = Certificates::new();
    let server = certificates.serve(true);
    let engine = || Postgres::new(server.url()).unwrap().trust(&certificates.authority).unwrap();
    let reason = Member::start(engine(), &[MAIN]).disconnected().await;
    assert!(reason.contains("certificate"), "{reason}");
    let engine = engine().identity(&certificates.certificate, &certificates.key).unwrap();
    let mut member = Member::connect(engine, &[MAIN]).await;
    member.publish(MAIN, "{}").await;
    member.expect("/", "{}").await;
}

#[test]
fn certificates_that_are_none_are_errors() {
    let certificates = Certificates::new();
    let engine = || Postgres::new("postgres://localhost").unwrap();
    let other = KeyPair::generate().unwrap().serialize_pem();
    for result in [
        engine().trust("no certificate"),
        engine().identity("no certificate", &certificates.key),
        engine().identity(&certificates.certificate, "no key"),
        engine().identity(&certificates.certificate, &other),
    ] {
        assert!(matches!(result, Err(ConfigError::Certificate(_))), "{result:?}");
    }
}
