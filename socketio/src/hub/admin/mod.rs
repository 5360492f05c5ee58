//! [`Admin`]: serves the Admin UI of Socket.IO, a web page that shows a hub's servers, sockets,
//! rooms and events.
//!
//! The page is a client of a namespace of its own. [`AdminCore`] exists once per hub: it lets
//! admins in ([`login`]), obeys them ([`commands`]) and sends [`statistics`]. In development mode
//! each namespace has an [`Observer`], which also reports sockets, rooms and events.

mod commands;
mod core;
mod credentials;
mod describe;
mod guesses;
mod login;
mod observer;
mod reports;
mod sessions;
mod setting;
mod statistics;

use std::fmt;

use super::hub_builder::{HubBuilder, normal_path};
pub(crate) use core::AdminCore;
use credentials::Credentials;
pub(crate) use observer::Observer;
pub(crate) use setting::{RunningAdmin, Setting};

/// The settings of the [Admin UI](crate::guide::admin_ui). Pass it to [`HubBuilder::admin`].
///
/// By default it runs in production mode: admins see the servers with their numbers of clients,
/// packets and bytes. The server obeys their commands: to join and leave rooms, to disconnect, to
/// emit. The namespace is `/admin`.
///
/// ```
/// use socketio::{Admin, Hub};
///
/// // Of the password `changeit`.
/// let hash = "$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS";
/// let hub = Hub::builder().admin(Admin::new("admin", hash).development()).build()?;
/// # Ok::<(), socketio::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "pass it to `HubBuilder::admin`"]
pub struct Admin {
    /// `None`: everybody is let in.
    credentials: Option<Credentials>,
    path: String,
    is_development: bool,
    is_read_only: bool,
    server_id: Option<String>,
}

impl Admin {
    /// Lets those in who log in with this name and password. `password_hash` is the bcrypt hash of
    /// the password, such as `htpasswd -nBC 10 admin` prints after the colon.
    ///
    /// [`build`](HubBuilder::build) fails if the text is not a bcrypt hash, or has a cost above 14:
    /// admins would wait too long.
    pub fn new(username: impl Into<String>, password_hash: impl Into<String>) -> Self {
        Self::with(Some(Credentials::new(username.into(), password_hash.into())))
    }

    /// Lets everybody in who can reach the server. They can disconnect all clients, unless admins
    /// are [read-only](Self::read_only), and see what they send in [development](Self::development)
    /// mode. The log has a warning.
    pub fn open_to_everyone() -> Self {
        Self::with(None)
    }

    fn with(credentials: Option<Credentials>) -> Self {
        Self { credentials, path: "/admin".to_owned(), is_development: false, is_read_only: false, server_id: None }
    }

    /// Turns development mode on: admins also see all sockets with their rooms and attributes, and
    /// each event. This costs time for each event, even while no admin is connected. See
    /// [the costs](crate::guide::admin_ui#costs).
    pub fn development(mut self) -> Self {
        self.is_development = true;
        self
    }

    /// Ignores the commands of admins: they can't emit, change rooms or disconnect sockets.
    pub fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// The namespace of the admins. Default: `/admin`. [`build`](HubBuilder::build) fails if the
    /// builder has this namespace already, or if it is `/` or has parameters.
    pub fn namespace(mut self, path: impl AsRef<str>) -> Self {
        self.path = normal_path(path.as_ref());
        self
    }

    /// The name under which the page lists this server. Each server of a cluster needs its own.
    /// Default: the host's name and the process id, such as `web-1#4711`.
    pub fn server_id(mut self, id: impl Into<String>) -> Self {
        self.server_id = Some(id.into());
        self
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the credentials.
        formatter
            .debug_struct("Admin")
            .field("namespace", &self.path)
            .field("is_open_to_everyone", &self.credentials.is_none())
            .field("is_development", &self.is_development)
            .field("is_read_only", &self.is_read_only)
            .field("server_id", &self.server_id)
            .finish()
    }
}

/// The Admin UI.
impl HubBuilder {
    /// Serves the Admin UI of Socket.IO. Default: off. See the [guide](crate::guide::admin_ui).
    pub fn admin(mut self, admin: Admin) -> Self {
        self.admin = Setting::of(admin);
        self
    }
}
