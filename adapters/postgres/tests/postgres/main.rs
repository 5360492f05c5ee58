//! Tests with real servers: PostgreSQL must be installed. The variable `POSTGRES_BIN` may name the
//! directory of its programs.

#![allow(clippy::unwrap_used)]

mod attachments;
mod conformance;
mod faults;
mod figures;
mod notifications;
mod records;
mod support;
mod tls;
