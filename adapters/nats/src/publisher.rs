//! [`Publisher`]: publishes batches on a connection, and waits until the server has them.

use async_nats::{Client, Subject};
use bytes::Bytes;
use socketio::cluster::{PublishBatch, PublishError, Topic};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::echo::Echo;
use crate::subjects::Subjects;

/// How long the server may take until it makes some progress.
const PATIENCE: Duration = Duration::from_secs(2);
/// After so many bytes the server is asked how far it is.
const STEP: usize = 1 << 20;

/// Publishes on a connection that is up.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) client: Client,
    pub(crate) echo: Subject,
    /// The number of the last echo that was asked for.
    pub(crate) asked: AtomicU64,
    /// The number of the last echo that arrived. It is closed with the connection.
    pub(crate) arrived: watch::Receiver<u64>,
}

/// What was sent, and not yet confirmed.
#[derive(Default)]
struct Sent {
    /// The echoes that were asked for, with the messages that were sent since the one before.
    steps: VecDeque<(u64, usize)>,
    confirmed: usize,
}

impl Publisher {
    /// Publishes messages in their order. An echo behind them shows that the server has them all.
    pub(crate) async fn publish(&self, subjects: &Subjects, batch: &PublishBatch) -> Result<(), PublishError> {
        let mut sent = Sent::default();
        let result = self.send(subjects, batch, &mut sent).await;
        // What the server has confirmed is published, whatever happens to the rest.
        let unpublished = batch.len() - sent.confirmed;
        match result {
            Ok(()) if unpublished == 0 => Ok(()),
            Ok(()) => Err(PublishError { unpublished, reason: "a message is larger than the server permits".into() }),
            Err(reason) => Err(PublishError { unpublished, reason: reason.into() }),
        }
    }

    async fn send(&self, subjects: &Subjects, batch: &PublishBatch, sent: &mut Sent) -> Result<(), &'static str> {
        let max_payload = self.client.max_payload();
        let mut last: Option<(Topic<'_>, Option<Subject>)> = None;
        let mut messages = batch.iter().peekable();
        let mut step = Vec::new();
        while messages.peek().is_some() {
            let mut bytes = 0;
            while bytes < STEP
                && let Some((topic, body)) = messages.next()
            {
                // Messages of a topic mostly follow each other.
                let subject = match &last {
                    Some((known, subject)) if *known == topic => subject.clone(),
                    _ => last.insert((topic, subjects.subject(topic))).1.clone(),
                };
                if let Some(subject) = subject
                    && body.len() <= max_payload
                {
                    bytes += body.len();
                    step.push((subject, body));
                }
            }
            self.send_step(&mut step, bytes, sent).await?;
            self.note_echoes(sent);
        }
        let mut arrived = self.arrived.clone();
        while !sent.steps.is_empty() {
            match timeout(PATIENCE, arrived.changed()).await {
                Ok(Ok(())) => self.note_echoes(sent),
                Ok(Err(_)) => return Err("the connection was lost"),
                Err(_) => return Err("the server does not answer in time"),
            }
        }
        Ok(())
    }

    /// Sends messages and asks for an echo.
    async fn send_step(
        &self,
        step: &mut Vec<(Subject, &[u8])>,
        bytes: usize,
        sent: &mut Sent,
    ) -> Result<(), &'static str> {
        let mut bodies = Vec::with_capacity(bytes);
        step.iter().for_each(|(_, body)| bodies.extend_from_slice(body));
        let mut bodies = Bytes::from(bodies);
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        sent.steps.push_back((number, step.len()));
        let send = async {
            for (subject, body) in step.drain(..) {
                self.client
                    .publish(subject, bodies.split_to(body.len()))
                    .await
                    .map_err(|_| "the connection was lost")?;
            }
            let echo = Echo::Published(number).bytes();
            self.client.publish(self.echo.clone(), echo).await.map_err(|_| "the connection was lost")
        };
        timeout(PATIENCE, send).await.unwrap_or(Err("the server does not read"))
    }

    fn note_echoes(&self, sent: &mut Sent) {
        let arrived = *self.arrived.borrow();
        while let Some((number, messages)) = sent.steps.front().copied()
            && number <= arrived
        {
            sent.confirmed += messages;
            sent.steps.pop_front();
        }
    }
}
