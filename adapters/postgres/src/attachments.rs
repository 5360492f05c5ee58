//! [`Attachments`]: the table of messages that are no text, or too long for a notification.

use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use crate::ConfigError;
use crate::target::text;

/// The table, as the adapter for Node.js has it.
#[derive(Debug)]
pub(crate) struct Attachments {
    /// As it is written in SQL.
    table: String,
    cleanup_interval: Duration,
    /// The table exists, so that rows may have to be deleted.
    is_known: AtomicBool,
    /// That it can't be used was logged.
    has_failed: AtomicBool,
    /// That old rows can't be deleted was logged.
    grows: AtomicBool,
}

impl Default for Attachments {
    fn default() -> Self {
        Self {
            table: "socket_io_attachments".into(),
            cleanup_interval: Duration::from_secs(30),
            is_known: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            grows: AtomicBool::new(false),
        }
    }
}

impl Attachments {
    /// Sets the name of the table, which is one or several identifiers of SQL.
    pub(crate) fn set_table(&mut self, table: String) -> Result<(), ConfigError> {
        if !is_name(&table) {
            return Err(ConfigError::Table { name: table });
        }
        self.table = table;
        Ok(())
    }

    pub(crate) fn set_cleanup_interval(&mut self, interval: Duration) {
        self.cleanup_interval = interval.max(Duration::from_millis(1));
    }

    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    pub(crate) fn cleanup_interval(&self) -> Duration {
        self.cleanup_interval
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Stores messages. Returns their ids in the same order. The table is created when it is first
    /// needed.
    pub(crate) async fn store(&self, client: &Client, messages: &[&[u8]]) -> Result<Vec<i64>, String> {
        let stored = match self.insert(client, messages).await {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                self.create(client).await?;
                self.insert(client, messages).await
            }
            stored => stored,
        };
        let ids = stored.map_err(|error| self.failed("writing to", &error))?;
        self.is_known.store(true, Ordering::Relaxed);
        self.has_failed.store(false, Ordering::Relaxed);
        if ids.len() == messages.len() { Ok(ids) } else { Err("the server stored too few rows".into()) }
    }

    async fn insert(&self, client: &Client, messages: &[&[u8]]) -> Result<Vec<i64>, Error> {
        let statement = format!("INSERT INTO {} (payload) SELECT unnest($1::bytea[]) RETURNING id::bigint", self.table);
        let rows = client.query_typed(&statement, &[(&messages, Type::BYTEA_ARRAY)]).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    async fn create(&self, client: &Client) -> Result<(), String> {
        let statement = format!(
            "CREATE TABLE IF NOT EXISTS {} \
             (id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)",
            self.table
        );
        match client.batch_execute(&statement).await {
            Ok(()) => {
                tracing::info!(table = self.table, "created the table of attachments");
                Ok(())
            }
            // Another server creates it at the same moment.
            Err(error)
                if [&SqlState::UNIQUE_VIOLATION, &SqlState::DUPLICATE_TABLE, &SqlState::DUPLICATE_OBJECT]
                    .iter()
                    .any(|code| error.code() == Some(code)) =>
            {
                Ok(())
            }
            Err(error) => Err(self.failed("creating", &error)),
        }
    }

    /// Reads a message. Returns `None` if it is not there.
    pub(crate) async fn fetch(&self, client: &Client, id: i64) -> Result<Option<Bytes>, String> {
        let statement = format!("SELECT payload FROM {} WHERE id = $1", self.table);
        let rows = client.query_typed(&statement, &[(&id, Type::INT8)]).await;
        let rows = rows.map_err(|error| self.failed("reading from", &error))?;
        self.is_known.store(true, Ordering::Relaxed);
        let Some(row) = rows.first() else { return Ok(None) };
        let payload: Option<&[u8]> = row.try_get(0).map_err(|error| self.failed("reading from", &error))?;
        Ok(payload.map(Bytes::copy_from_slice))
    }

    /// Deletes old messages.
    pub(crate) async fn clean_up(&self, client: &Client) {
        let statement = format!(
            "DELETE FROM {} WHERE created_at < now() - interval '{} milliseconds'",
            self.table,
            self.cleanup_interval.as_millis()
        );
        match client.batch_execute(&statement).await {
            Ok(()) => {}
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                self.is_known.store(false, Ordering::Relaxed);
            }
            Err(error) if error.as_db_error().is_some() && !self.grows.swap(true, Ordering::Relaxed) => {
                let reason = text(&error);
                tracing::error!(
                    table = self.table,
                    reason,
                    "old attachments can't be deleted, so that the table grows"
                );
            }
            Err(_) => {}
        }
    }

    /// Logs the first of several failures. Those of a connection are logged elsewhere.
    fn failed(&self, what: &str, error: &Error) -> String {
        let reason = format!("{what} the table {} failed: {}", self.table, text(error));
        if error.as_db_error().is_some() && !self.has_failed.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "{reason}; messages that are binary or long are lost until the user has the rights that \
                 the documentation of socketio-postgres names"
            );
        }
        reason
    }
}

/// Whether a text is a name of a table as SQL has it: identifiers with a dot between them, each
/// quoted or of letters, digits, `_` and `$`.
fn is_name(text: &str) -> bool {
    let mut rest = text;
    loop {
        let length = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut end = 0;
                loop {
                    match quoted[end..].find('"') {
                        Some(at) if quoted[end + at + 1..].starts_with('"') => end += at + 2,
                        Some(at) => break end += at,
                        None => return false,
                    }
                }
                if end == 0 || quoted.contains('\0') {
                    return false;
                }
                end + 2
            }
            None => {
                let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$');
                let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
                if !rest.starts_with(|first: char| first.is_alphabetic() || first == '_') {
                    return false;
                }
                end
            }
        };
        rest = &rest[length..];
        match rest.strip_prefix('.') {
            Some(next) => rest = next,
            None => return rest.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_are_those_of_sql() {
        for name in ["a", "socket_io_attachments", "chat.attachments", "\"Chat\".\"a \"\"b\"\" c\"", "_a1$"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "1a", "a;b", "a.", ".a", "\"\"", "\"a", "\"a\"b", "a\"b\"", "a-b", "a'"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
