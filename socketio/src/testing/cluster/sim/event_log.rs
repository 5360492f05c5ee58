//! The [`EventLog`] of a [`SimEngine`].

use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

use super::engine::SimEngine;
use super::event::Command;
use super::log::Range;
use crate::cluster::{BoxFuture, EventLog, LogPage, LogRange, Offset, ReadError};

impl EventLog for SimEngine {
    fn retain(&self, entries: Duration, sessions: Duration) {
        self.shared.change(|network, _: Instant| network.log.retain(entries, sessions));
    }

    fn take_session<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<(Option<Bytes>, Offset), String>> {
        Box::pin(async move {
            let session = self.answer(|answer| Command::TakeSession { token: token.into(), answer });
            session.await.map_err(ToOwned::to_owned)
        })
    }

    fn read<'a>(&'a self, range: LogRange<'a>) -> BoxFuture<'a, Result<LogPage, ReadError>> {
        let LogRange { namespace, after, to } = range;
        let range = Range { namespace: namespace.into(), after, to };
        Box::pin(async move {
            let entries = self.answer(|answer| Command::Read { range, answer });
            entries.await.unwrap_or_else(|error| Err(ReadError::Unavailable(error.to_owned())))
        })
    }

    fn reach(&self) -> Option<Duration> {
        self.shared.network.lock().log.reach(Instant::now())
    }
}
