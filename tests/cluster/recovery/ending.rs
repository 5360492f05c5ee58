//! The end of a run: what clients have received is compared with the log.

use serde_json::Value;
use socketio::Persist;
use std::time::Duration;
use tokio::time::sleep;

use super::plan::Target;
use super::stage::{Counts, Outcome, PATIENCE, Stage, name};

impl Stage {
    /// Ends all faults, connects all clients, and compares what they have received with the log.
    pub(crate) async fn finish(mut self) -> Outcome<Counts> {
        let net = self.net.clone();
        net.fail_publish(0.0);
        net.delay(Duration::ZERO..=Duration::from_millis(1));
        net.heal();
        net.start();
        for server in 0..self.started {
            net.resume(name(server));
            net.slow(name(server), Duration::ZERO);
        }
        // A lost connection is found by the next probe.
        sleep(Duration::from_secs(5)).await;
        self.note_beginnings();
        for server in &self.servers {
            server.hub.ready(PATIENCE).await?;
        }
        for client in 0..self.clients.len() {
            self.connected_at_last(client).await?;
        }
        for server in 0..self.servers.len() {
            self.emit(server, Target::All)?;
            self.servers[server].cluster.flushed().await;
        }
        for _ in 0..3 {
            sleep(Duration::from_secs(1)).await;
            for client in 0..self.clients.len() {
                self.read_all(client).await?;
            }
        }
        self.note_log()?;
        self.check()
    }

    async fn connected_at_last(&mut self, client: usize) -> Outcome {
        for attempt in 0..1_000 {
            self.read_all(client).await?;
            if self.clients[client].line.as_ref().is_some_and(|line| line.is_connected) {
                return Ok(());
            }
            if attempt % 100 == 0 || self.clients[client].line.is_none() {
                self.connect(client, self.attempts, None).await;
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(format!("client {client} does not connect").into())
    }

    pub(super) fn note_log(&self) -> Outcome {
        let mut model = self.model.lock().expect("no panic");
        for entry in self.net.log_entries() {
            let Ok(message) = serde_json::from_slice::<Value>(&entry.data) else { continue };
            let event = &message["packet"]["data"];
            if event[0] == "news" {
                model.log.insert(entry.offset, event[1].as_u64().ok_or("an event has no number")?);
            }
        }
        Ok(())
    }

    fn check(mut self) -> Outcome<Counts> {
        let model = self.model.lock().expect("no panic");
        for (at, client) in self.clients.iter().enumerate() {
            for (number, segment) in client.segments.iter().enumerate() {
                let is_last = number + 1 == client.segments.len();
                let unlogged = model.missing_unlogged(segment, usize::MAX);
                let unlogged = unlogged.filter(|_| is_last && self.persist == Persist::AtEnd);
                let checked = match unlogged {
                    Some(number) => Err(format!("{number}, which was not logged, is missing")),
                    None => model.check(segment, is_last),
                };
                checked.map_err(|error| {
                    let received: Vec<_> = segment.received.iter().map(|received| received.number).collect();
                    let kind = client.kind;
                    format!("client {at} ({kind:?}), session {number}: {error}. It received {received:?}")
                })?;
            }
        }
        let logged = model.log.len() as u64;
        let published = model.emits.iter().filter(|emit| emit.unlogged_for.is_none()).count() as u64;
        let clusters = self.servers.iter().map(|server| &server.cluster).chain(&self.gone);
        let counted: u64 = clusters.map(|it| it.stats().unpublished + it.stats().dropped).sum();
        if logged > published || published - logged > counted {
            return Err(format!("{published} published, {logged} in the log, {counted} counted as lost").into());
        }
        self.counts.forgotten = model.forgotten;
        Ok(self.counts)
    }
}
