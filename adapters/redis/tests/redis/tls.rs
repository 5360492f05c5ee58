//! Connections that are encrypted.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use socketio_redis::{ConfigError, Redis};
use std::fs;
use std::path::PathBuf;

use crate::support::{MAIN, Member, Server};

/// An authority, and a certificate of 127.0.0.1 that it issued.
struct Certificates {
    directory: PathBuf,
    authority: String,
    certificate: String,
    key: String,
}

impl Certificates {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        // OpenSSL takes a certificate for self-signed if its issuer has the same name.
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let directory = std::env::temp_dir().join(format!("socketio-redis-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let certificates =
            Self { directory, authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() };
        for (name, text) in
            [("ca", &certificates.authority), ("cert", &certificates.certificate), ("key", &certificates.key)]
        {
            fs::write(certificates.path(name), text).unwrap();
        }
        certificates
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    /// Starts a server, and returns the URL of its port for TLS.
    fn serve(&self, asks_clients: &str) -> (Server, String) {
        let port = crate::support::free_port().to_string();
        let (ca, cert, key) = (self.path("ca"), self.path("cert"), self.path("key"));
        let server = Server::with(&[
            "--tls-port",
            &port,
            "--tls-ca-cert-file",
            &ca,
            "--tls-cert-file",
            &cert,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            asks_clients,
        ]);
        (server, format!("rediss://127.0.0.1:{port}"))
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.directory);
    }
}

#[tokio::test]
async fn a_trusted_server_is_used() {
    let certificates = Certificates::new("trusted");
    let (_server, url) = certificates.serve("no");
    let redis = Redis::new(&url).unwrap().trust(&certificates.authority).unwrap();
    let mut member = Member::connect(redis, &[MAIN]).await;
    for body in ["hello", &"x".repeat(3 << 20)] {
        member.publish(MAIN, body).await;
        member.expect(MAIN, body).await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_not_used() {
    let certificates = Certificates::new("untrusted");
    let (_server, url) = certificates.serve("no");
    let other = Certificates::new("other");
    for redis in [Redis::new(&url).unwrap(), Redis::new(&url).unwrap().trust(&other.authority).unwrap()] {
        let reason = Member::start(redis, &[MAIN]).disconnected().await;
        assert!(reason.contains("invalid peer certificate"), "{reason}");
    }
}

#[tokio::test]
async fn the_server_may_ask_for_a_certificate() {
    let certificates = Certificates::new("client");
    let (_server, url) = certificates.serve("yes");
    let redis = || Redis::new(&url).unwrap().trust(&certificates.authority).unwrap();
    let reason = Member::start(redis(), &[MAIN]).disconnected().await;
    assert!(reason.contains(&url), "{reason}");
    let redis = redis().identity(&certificates.certificate, &certificates.key).unwrap();
    let mut member = Member::connect(redis, &[MAIN]).await;
    member.publish(MAIN, "hello").await;
    member.expect(MAIN, "hello").await;
}

#[test]
fn certificates_that_are_none_are_errors() {
    let certificates = Certificates::new("wrong");
    let redis = || Redis::new("rediss://localhost").unwrap();
    let other = KeyPair::generate().unwrap().serialize_pem();
    for result in [
        redis().trust("no certificate"),
        redis().identity("no certificate", &certificates.key),
        redis().identity(&certificates.certificate, "no key"),
        redis().identity(&certificates.certificate, &other),
    ] {
        assert!(matches!(result, Err(ConfigError::Certificate(_))), "{result:?}");
    }
}
