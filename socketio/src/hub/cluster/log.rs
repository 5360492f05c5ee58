//! [`MemberLog`]: the log of the engine, as recovery uses it; and what goes through it.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

use super::core::ClusterCore;
use super::member::Member;
use crate::cluster::codec::{self, Malformed, RawPacket, Received};
use crate::cluster::message::{Message, Options};
use crate::cluster::{Dialect, LogEntry, LogRange, Offset, ReadError, Topic};
use crate::hooks::catch::catch_future;
use crate::hub::adapter::{Audience, Packet};
use crate::hub::recovery::namespace::RecoveryOf;
use crate::hub::recovery::shared::delivering::Recipients;
use crate::hub::recovery::shared::{LoggedEvent, Page, Resumed, SharedLog};

/// How long a client that resumes waits until its stored session has been published.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// The reason of a disconnect that ends the old socket of a session that was resumed elsewhere.
pub(super) const RESUMED: &str = "session resumed";
/// The reason of a disconnect by which another server gets the last state of a session.
pub(super) const WANTED: &str = "session wanted";

impl Member {
    /// The recovery of the namespace, if a message is logged for clients that are cut off, in a log
    /// that all servers share.
    pub(super) fn logs(&self, packet: &Packet) -> Option<&Arc<RecoveryOf>> {
        let is_logged = !packet.is_volatile() && !packet.expects_answer();
        self.local().recovery().filter(|recovery| is_logged && recovery.shared().is_some())
    }

    /// Publishes an event to the log, from which this server's sockets get it too. Returns `false`
    /// if that is not possible now.
    pub(super) fn log_event(&self, packet: &Packet, audience: &Audience, session: Option<u64>) -> bool {
        self.core().start();
        let is_logged = self.core().state().is_connected() && self.publish_event(packet, audience, session);
        if !is_logged {
            self.core().counters().unlogged.add(1);
        }
        is_logged
    }

    /// Delivers the event of a log entry.
    pub(super) fn deliver_entry(
        &self,
        recovery: &RecoveryOf,
        offset: Offset,
        packet: &RawPacket<'_>,
        options: &Options<'_>,
    ) -> Result<(), Malformed> {
        let recipients = Recipients { audience: super::receiving::audience(options), session: options.flags.session };
        let decode = || Ok(options.flags.with_policy(packet.packet()?));
        let counters = self.core().counters();
        match recovery.deliver_entry(offset, &recipients, self.local().registry(), decode)? {
            true => counters.delivered.add(1),
            false => counters.skipped.add(1),
        }
        Ok(())
    }
}

/// The log of the engine, for one namespace.
#[derive(Debug)]
pub(super) struct MemberLog {
    core: Arc<ClusterCore>,
    namespace: Arc<str>,
}

impl MemberLog {
    pub(super) fn new(core: &Arc<ClusterCore>, namespace: &str) -> Self {
        Self { core: Arc::clone(core), namespace: namespace.into() }
    }

    /// Publishes that the socket of a session ends, to the server that has it.
    fn publish_end(&self, id: &str, reason: &str) {
        let options = Options { rooms: [id.into()].into_iter().collect(), ..Options::default() };
        let message = Message::Disconnect { options, close: true, reason: reason.into() };
        let Some(kind) = codec::kind_in_log(&message) else { return };
        let topic = Topic::Log { namespace: &self.namespace, server: self.core.server().as_str(), kind };
        self.core.publish(self.core.server().as_str(), &self.namespace, topic, &message, false, None);
    }

    async fn read_page(&self, after: Offset, to: Offset) -> Result<Page, ReadError> {
        let unavailable = |why: &str| ReadError::Unavailable(why.to_owned());
        let log = self.core.engine().log().ok_or_else(|| unavailable("the engine has no log"))?;
        let _permit = self.core.readers().acquire().await;
        let range = LogRange::new(&self.namespace, after, to);
        let read = catch_future(async { log.read(range).await }).await;
        let page = read.unwrap_or_else(|_| Err(unavailable("the engine panicked")))?;
        let mut read = Page { up_to: page.up_to, ..Page::default() };
        for entry in &page.entries {
            // A malformed entry was counted when it was delivered.
            let _malformed = add(&mut read, entry);
        }
        Ok(read)
    }
}

impl SharedLog for MemberLog {
    fn server(&self) -> &str {
        self.core.server().as_str()
    }

    fn position(&self) -> Offset {
        self.core.position()
    }

    fn save(&self, token: &str, session: &[u8]) {
        let topic = Topic::Session { namespace: &self.namespace, token };
        self.core.publish_body(&self.namespace, topic, session, false, None);
    }

    fn take<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<(Option<Bytes>, Offset), String>> {
        Box::pin(async move {
            let log = self.core.engine().log().ok_or("the engine has no log")?;
            // The session may be that of a connection to this server that was just cut.
            let _ = timeout(FLUSH_TIMEOUT, self.core.flushed()).await;
            let taken = catch_future(async { log.take_session(token).await }).await;
            taken.unwrap_or_else(|_| Err("the engine panicked".to_owned()))
        })
    }

    fn read(&self, after: Offset, to: Offset) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(self.read_page(after, to))
    }

    fn request_end<'a>(&'a self, id: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.publish_end(id, WANTED);
            self.core.flushed().await;
        })
    }

    fn end_elsewhere<'a>(&'a self, id: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.publish_end(id, RESUMED);
            self.core.flushed().await;
        })
    }
}

/// Adds what an entry means for clients that resume their sessions.
fn add(page: &mut Page, entry: &LogEntry<'_>) -> Result<(), Malformed> {
    let LogEntry { offset, namespace, server, kind, data } = entry;
    let topic = Topic::Log { namespace, server, kind: *kind };
    let Received { message, .. } = codec::decode(Dialect::Streams, topic, data)?;
    match message {
        Message::Broadcast { packet, options, request: None }
            if !options.flags.volatile && !packet.expects_answer() =>
        {
            let packet = options.flags.with_policy(packet.packet()?);
            let audience = super::receiving::audience(&options);
            page.events.push(LoggedEvent { offset: *offset, packet, audience, session: options.flags.session });
        }
        Message::Disconnect { options, reason, .. } if reason == RESUMED => {
            let id = options.rooms.first().map(|id| id.clone().into_owned());
            page.resumed.extend(id.map(|id| Resumed { id, server: server.clone().into_owned() }));
        }
        _ => {}
    }
    Ok(())
}
