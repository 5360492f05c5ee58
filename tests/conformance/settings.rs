//! The settings from the environment.

use socketio::{Hub, HubBuilder, Recovery, Transport};
use std::env;
use std::time::Duration;

pub(crate) struct Settings {
    pub(crate) port: u16,
    pub(crate) transports: Vec<Transport>,
    pub(crate) msgpack: bool,
    pub(crate) cookie: Option<String>,
    ping_interval: Duration,
    ping_timeout: Duration,
    upgrade_timeout: Duration,
    join_timeout: Duration,
    max_payload: usize,
    origin: Option<String>,
    public_host: Option<String>,
    recovery: Option<Recovery>,
}

/// The value of a variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, default: u64) -> Result<u64, String> {
    variable(name).map_or(Ok(default), |value| value.parse().map_err(|_| format!("{name} is no number: {value}")))
}

impl Settings {
    pub(crate) fn read() -> Result<Self, String> {
        let millis = |name, default| number(name, default).map(Duration::from_millis);
        let transports = variable("TRANSPORTS").unwrap_or_else(|| "polling,websocket".to_owned());
        let transports = transports
            .split(',')
            .map(|name| match name {
                "polling" => Ok(Transport::Polling),
                "websocket" => Ok(Transport::WebSocket),
                other => Err(format!("there is no transport {other}")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            port: u16::try_from(number("PORT", 0)?).map_err(|_| "PORT is no port")?,
            transports,
            msgpack: variable("PARSER").as_deref() == Some("msgpack"),
            cookie: variable("COOKIE"),
            ping_interval: millis("PING_INTERVAL", 25_000)?,
            ping_timeout: millis("PING_TIMEOUT", 20_000)?,
            upgrade_timeout: millis("UPGRADE_TIMEOUT", 10_000)?,
            join_timeout: millis("CONNECT_TIMEOUT", 45_000)?,
            max_payload: usize::try_from(number("MAX_PAYLOAD", 1_000_000)?).map_err(|_| "MAX_PAYLOAD is too large")?,
            origin: variable("CORS_ORIGIN"),
            public_host: variable("PUBLIC_HOST"),
            recovery: match number("RECOVERY", 0)? {
                0 => None,
                time => Some(
                    Recovery::new()
                        .max_disconnection(Duration::from_millis(time))
                        .skip_middleware(variable("SKIP_MIDDLEWARE").is_some()),
                ),
            },
        })
    }

    pub(crate) fn builder(&self) -> HubBuilder {
        let builder = Hub::builder();
        let builder = match &self.recovery {
            Some(recovery) => builder.recovery(recovery.clone()),
            None => builder,
        };
        // The reference server keeps all of them.
        builder
            .keep_all_headers()
            .ping_interval(self.ping_interval)
            .ping_timeout(self.ping_timeout)
            .upgrade_timeout(self.upgrade_timeout)
            .join_timeout(self.join_timeout)
            .max_payload(self.max_payload)
            .allow_origins(&self.origin)
            .public_hosts(&self.public_host)
            .allow_localhost(false)
    }
}
