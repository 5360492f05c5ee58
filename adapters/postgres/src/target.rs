//! [`Target`]: where the server is and how it is logged in to, for each attempt to connect.

use futures_util::future::BoxFuture;
use std::fmt;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Connection, SimpleQueryMessage};

use crate::ConfigError;
use crate::stream::{self, Stream};
use crate::tls::{Connector, Tls};

/// A deadline for connecting and logging in, for each host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The port without another one.
const PORT: u16 = 5432;

/// A connection. It does nothing unless it is polled.
pub(crate) type Link = Connection<Stream, Stream>;

/// The server, or several of which one is the primary.
#[derive(Clone)]
pub(crate) struct Target {
    config: Config,
    /// The address says whether connections are encrypted.
    has_ssl_mode: bool,
    pub(crate) tls: Tls,
}

impl Target {
    pub(crate) fn parse(address: &str) -> Result<Self, ConfigError> {
        let failed = |reason: String| ConfigError::Address { reason };
        let (address, verifies) = without_verify(address);
        let mut config: Config = address.parse().map_err(|error: tokio_postgres::Error| failed(text(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(failed("it has no host".into()));
        }
        let (hosts, addresses, ports) =
            (config.get_hosts().len(), config.get_hostaddrs().len(), config.get_ports().len());
        let servers = hosts.max(addresses);
        if (hosts > 0 && addresses > 0 && hosts != addresses) || (ports > 1 && ports != servers) {
            return Err(failed("the numbers of hosts and ports differ".into()));
        }
        if config.get_application_name().is_none() {
            config.application_name("socketio");
        }
        let has_ssl_mode = verifies || address.contains("sslmode");
        if !Tls::AVAILABLE && has_ssl_mode && config.get_ssl_mode() == SslMode::Require {
            return Err(ConfigError::NoTls);
        }
        Ok(Self { config, has_ssl_mode, tls: Tls::default() })
    }

    /// Connects to the first server that is a primary. Runs the commands on the new connection.
    pub(crate) fn connect(&self, commands: &'static str) -> BoxFuture<'_, Result<(Client, Link), String>> {
        Box::pin(self.connect_first(commands))
    }

    async fn connect_first(&self, commands: &str) -> Result<(Client, Link), String> {
        let hosts = self.config.get_hosts();
        let servers = hosts.len().max(self.config.get_hostaddrs().len());
        let mut reasons = String::new();
        for at in 0..servers {
            let port = *self.config.get_ports().get(at).or(self.config.get_ports().first()).unwrap_or(&PORT);
            let name = match hosts.get(at) {
                Some(Host::Tcp(host)) => host.clone(),
                #[cfg(unix)]
                Some(Host::Unix(directory)) => directory.display().to_string(),
                None => self.config.get_hostaddrs().get(at).map(ToString::to_string).unwrap_or_default(),
            };
            let connected = timeout(CONNECT_TIMEOUT, self.connect_to(at, port, &name, commands)).await;
            match connected.unwrap_or_else(|_| Err("connecting timed out".into())) {
                Ok(connected) => return Ok(connected),
                Err(reason) => {
                    reasons.push_str(if reasons.is_empty() { "" } else { "; " });
                    reasons.push_str(&format!("{name}:{port}: {reason}"));
                }
            }
        }
        Err(reasons)
    }

    async fn connect_to(&self, at: usize, port: u16, name: &str, commands: &str) -> Result<(Client, Link), String> {
        let time = CONNECT_TIMEOUT * 4 / 5;
        let mut config = self.config.clone();
        let stream = match (self.config.get_hosts().get(at), self.config.get_hostaddrs().get(at)) {
            (_, Some(address)) => stream::connect(&address.to_string(), port, time).await,
            #[cfg(unix)]
            (Some(Host::Unix(directory)), None) => {
                config.ssl_mode(SslMode::Disable);
                stream::connect_unix(directory, port).await
            }
            (_, None) => stream::connect(name, port, time).await,
        };
        let stream = stream.map_err(|error| error.to_string())?;
        if !Tls::AVAILABLE || !(self.has_ssl_mode || self.tls.is_configured()) {
            config.ssl_mode(SslMode::Disable);
        } else if !self.has_ssl_mode {
            config.ssl_mode(SslMode::Require);
        }
        let connector = Connector { tls: self.tls.clone(), host: name.to_owned() };
        let connected = config.connect_raw(stream, connector).await;
        let (client, mut link) = connected.map_err(|error| text(&error))?;
        match link.parameter("server_encoding") {
            None | Some("UTF8" | "SQL_ASCII") => {}
            Some(encoding) => return Err(format!("the database has the encoding {encoding}, and must have UTF8")),
        }
        // The timeout is a setting since PostgreSQL 14. The connections are idle for long.
        let commands = format!(
            "SELECT set_config('idle_session_timeout', '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'; \
             {commands} SELECT pg_is_in_recovery()"
        );
        let rows = drive(&mut link, client.simple_query(&commands)).await?;
        let row = rows.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        if row == Some("t") {
            return Err("the server is a standby, which carries no notifications".into());
        }
        Ok((client, link))
    }
}

/// Polls the connection until a command of its client is done.
async fn drive<T>(
    link: &mut Link,
    command: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, String> {
    tokio::select! {
        done = command => done.map_err(|error| text(&error)),
        ended = link => Err(ended.err().map_or_else(|| CLOSED.to_owned(), |error| text(&error))),
    }
}

/// Why a connection has ended that did not fail.
pub(crate) const CLOSED: &str = "the server closed the connection";

/// The error with its cause. Errors of the server are told in its words.
pub(crate) fn text(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Replaces the modes that verify certificates by `require`, since they are always verified.
/// Returns whether there was one.
fn without_verify(address: &str) -> (String, bool) {
    let mut replaced = address.to_owned();
    for mode in ["verify-full", "verify-ca"] {
        for quote in ["", "'"] {
            replaced = replaced.replace(&format!("sslmode={quote}{mode}{quote}"), "sslmode=require");
        }
    }
    let verifies = replaced != address;
    (replaced, verifies)
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.config.get_hosts().iter().map(|host| format!("{host:?}")).collect();
        formatter
            .debug_struct("Target")
            .field("hosts", &hosts)
            .field("ports", &self.config.get_ports())
            .field("user", &self.config.get_user())
            .field("database", &self.config.get_dbname())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls_or_pairs() {
        for address in [
            "postgres://user:secret@localhost:5433/chat",
            "postgresql://localhost/chat?connect_timeout=3",
            "host=localhost port=5433 user=user password=secret dbname=chat",
            "host=/run/postgresql dbname=chat",
            "postgres://one:1,two:2/chat",
            "postgres://localhost?sslmode=disable",
            "postgres://localhost?sslmode=prefer",
        ] {
            let target = Target::parse(address).unwrap();
            assert!(!format!("{target:?}").contains("secret"));
        }
        for address in
            ["", "redis://localhost", "postgres://user:secret@:x", "user=secret", "postgres://a:1,b:2,c/d?port=9"]
        {
            let error = Target::parse(address).unwrap_err();
            assert!(matches!(error, ConfigError::Address { .. }) && !error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn modes_that_need_tls_need_the_feature() {
        for mode in ["require", "verify-ca", "verify-full"] {
            for address in [format!("postgres://localhost?sslmode={mode}"), format!("host=localhost sslmode='{mode}'")]
            {
                match Target::parse(&address) {
                    Ok(target) => assert!(Tls::AVAILABLE && target.has_ssl_mode),
                    Err(error) => assert_eq!((error, Tls::AVAILABLE), (ConfigError::NoTls, false)),
                }
            }
        }
    }
}
