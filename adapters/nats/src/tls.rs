//! [`Tls`]: which certificates are trusted, and which one is presented.

use std::io;
use std::sync::{Arc, OnceLock};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{Error, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::ConfigError;

/// Trusted certificates, and the client's own.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    /// Without any, those of the system are trusted.
    authorities: Vec<CertificateDer<'static>>,
    identity: Option<Arc<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>>,
    /// Made at the first connection, since it reads the system's certificates.
    config: Arc<OnceLock<ClientConfig>>,
}

impl Tls {
    pub(crate) fn trust(&mut self, pem: &[u8]) -> Result<(), ConfigError> {
        self.authorities.extend(certificates(pem)?);
        self.config = Arc::default();
        Ok(())
    }

    pub(crate) fn identify(&mut self, certificates_pem: &[u8], key_pem: &[u8]) -> Result<(), ConfigError> {
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| failed("the key", &error))?;
        self.identity = Some(Arc::new((certificates(certificates_pem)?, key)));
        self.config = Arc::default();
        self.make().map(drop).map_err(|error| ConfigError::Certificate(error.to_string()))
    }

    /// The configuration. The first call reads files.
    pub(crate) fn config(&self) -> io::Result<ClientConfig> {
        match self.config.get() {
            Some(config) => Ok(config.clone()),
            None => {
                let config = self.make()?;
                Ok(self.config.get_or_init(|| config).clone())
            }
        }
    }

    fn make(&self) -> io::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        if self.authorities.is_empty() {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        for authority in &self.authorities {
            roots.add(authority.clone()).map_err(io::Error::other)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        match self.identity.as_deref() {
            None => Ok(config.with_no_client_auth()),
            Some((chain, key)) => {
                config.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(io::Error::other)
            }
        }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(failed("the certificate", &Error::NoItemsFound)),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(failed("the certificate", &error)),
    }
}

fn failed(what: &str, error: &Error) -> ConfigError {
    ConfigError::Certificate(format!("{what} can't be read: {error}"))
}
