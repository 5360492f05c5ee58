//! [`Tls`]: how connections are encrypted.

#[cfg(not(feature = "tls-rustls"))]
mod none;
#[cfg(feature = "tls-rustls")]
mod with_rustls;

#[cfg(not(feature = "tls-rustls"))]
pub(crate) use none::Tls;
#[cfg(feature = "tls-rustls")]
pub(crate) use with_rustls::Tls;
