//! The settings of [`HubBuilder`] about the requests of clients: whose pages may connect, and which
//! headers are kept.

use super::HubBuilder;
use crate::hub::kept_headers::KeptHeaders;

/// Origins and headers.
impl HubBuilder {
    /// The web pages of other origins that may connect, such as `https://example.org` or
    /// `http://localhost:5173`; `*` allows all. Several calls add up. Default: none. Pages with the
    /// host and port of the request may always connect, and so may clients that send no `Origin`.
    ///
    /// An origin has a scheme and a host, no path, and a port if it is not the default of the
    /// scheme. `https://*.example.org` allows all hosts below `example.org`, with one label more or
    /// several, but not `example.org` itself. [`build`](Self::build) rejects everything else, such
    /// as `null`, which every sandboxed page sends.
    ///
    /// A refused page gets the status 403, and a text that names its origin and this setting. The
    /// log has one warning for each of the first 100 refused origins.
    pub fn allow_origins<I>(mut self, origins: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.allow_origins.extend(origins.into_iter().map(|origin| origin.as_ref().to_owned()));
        self
    }

    /// The hosts under which browsers reach the server, such as `app.example` or
    /// `app.example:8443`. Their pages may connect, like those of the requested host. Several calls
    /// add up. Default: none.
    ///
    /// Behind a proxy that changes the header `Host`, the requested host is that of this server,
    /// and not the one that browsers know. Name that one here, or let the proxy pass the header on.
    pub fn public_hosts<I>(mut self, hosts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.public_hosts.extend(hosts.into_iter().map(|host| host.as_ref().to_owned()));
        self
    }

    /// Whether pages of any port of localhost may connect, such as those of a development server at
    /// `http://localhost:5173`. The page and the requested host must both be `localhost`,
    /// `127.0.0.1` or `[::1]`. Default: yes with debug assertions, no in release builds.
    ///
    /// If it is on, [`build`](Self::build) logs that at the level `INFO`.
    pub fn allow_localhost(mut self, allow: bool) -> Self {
        self.config.origins.allow_localhost = allow;
        self
    }

    /// Whether the header `X-Forwarded-Proto` determines if a client's connection is encrypted; see
    /// [`Handshake::is_secure`](crate::Handshake::is_secure). Enable it only behind a proxy that
    /// sets the header in every request, because clients can send any value. Default: no.
    pub fn trust_forwarded_proto(mut self, trust: bool) -> Self {
        self.config.trust_forwarded_proto = trust;
        self
    }

    /// The names of the headers that [`Handshake`](crate::Handshake) keeps, instead of the
    /// [default](Self::KEPT_HEADERS). They stay in memory as long as the connection, so a shorter
    /// list saves memory in every connection. An empty list keeps none.
    ///
    /// [`Handshake::header`](crate::Handshake::header) returns `None` for any other header. In
    /// debug builds it also logs a warning.
    ///
    /// ```
    /// use socketio::{Hub, HubBuilder};
    ///
    /// let names = HubBuilder::KEPT_HEADERS.into_iter().chain(["x-tenant"]);
    /// let hub = Hub::builder().keep_headers(names).build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn keep_headers<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.keep_headers = Some(names.into_iter().map(|name| name.as_ref().to_owned()).collect());
        self
    }

    /// Keeps all headers. Up to [`max_header_bytes`](Self::max_header_bytes) then stay in memory
    /// with every connection.
    pub fn keep_all_headers(mut self) -> Self {
        self.keep_headers = None;
        self.config.keep_headers = KeptHeaders::All;
        self
    }
}
