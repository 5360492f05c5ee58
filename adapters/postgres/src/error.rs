//! [`ConfigError`]: what is wrong with the settings of an engine.

/// The error of settings with which no engine can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The environment variable is not set, or is not Unicode.
    #[error("the environment variable {name} is not set")]
    Variable {
        /// The name of the variable.
        name: &'static str,
    },
    /// The address of the server is not understood.
    #[error("the address of the PostgreSQL server: {reason}")]
    Address {
        /// What is wrong. It does not contain the password.
        reason: String,
    },
    /// The address asks for TLS, and the crate is built without its feature `tls-rustls`.
    #[error("the address asks for TLS, which needs the feature `tls-rustls` of socketio-postgres")]
    NoTls,
    /// The name of the table is not one that SQL accepts without change.
    #[error("{name:?} is no name of a table: write letters, digits and underscores, or quote it")]
    Table {
        /// The name.
        name: String,
    },
    /// A certificate or a key can't be used.
    #[error("{0}")]
    Certificate(String),
}
