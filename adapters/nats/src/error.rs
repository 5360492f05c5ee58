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
    /// The address of a server is not understood.
    #[error("{url}: {reason}")]
    Url {
        /// The address without the password.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no address.
    #[error("at least one address is needed")]
    NoUrl,
    /// A certificate or a key can't be used.
    #[error("{0}")]
    Certificate(String),
    /// The key or the credentials of the user can't be used.
    #[error("{0}")]
    Credentials(String),
}
