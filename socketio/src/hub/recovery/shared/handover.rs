//! A session is taken from the cluster. If its old server may still have it, that server stores its
//! last state first.

use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::saved::SavedSession;
use super::{MAX_WAIT, Shared};
use crate::hub::recovery::RecoveryFailure;
use crate::hub::recovery::namespace::RecoveryOf;
use crate::wire::offset::Offset;

/// How long the old server may take to store the last state of a session. Then it counts as dead.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(1);
/// The first pause before the session is read again. Each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// A session that was taken from the cluster.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) stored: Bytes,
    pub(super) saved: SavedSession,
    /// The last entry of the log at that moment.
    pub(super) end: Offset,
}

impl Shared {
    /// Takes the last state of a session.
    pub(super) async fn take_last(&self, recovery: &Arc<RecoveryOf>, token: &str) -> Result<Taken, RecoveryFailure> {
        let taken = self.take(token).await?.ok_or(RecoveryFailure::Unknown)?;
        if !self.may_be_live_elsewhere(&taken) {
            return Ok(taken);
        }
        let (sender, receiver) = oneshot::channel();
        let (recovery, token) = (Arc::clone(recovery), token.to_owned());
        // The client may be cut off meanwhile. Then the session is stored again.
        tokio::spawn(async move {
            let Some(shared) = recovery.shared() else { return };
            let last = shared.wait_for_last(&token, taken).await;
            if let Err(Ok(unused)) = sender.send(last) {
                shared.log.save(&token, &unused.stored);
            }
        });
        receiver.await.unwrap_or(Err(RecoveryFailure::Unavailable))
    }

    /// Whether another server stored the session while the client was connected to it.
    fn may_be_live_elsewhere(&self, taken: &Taken) -> bool {
        taken.saved.is_live() && taken.saved.server() != Some(self.log.server())
    }

    async fn take(&self, token: &str) -> Result<Option<Taken>, RecoveryFailure> {
        let taken = timeout(MAX_WAIT, self.log.take(token)).await;
        let Ok(Ok((stored, end))) = taken else { return Err(RecoveryFailure::Unavailable) };
        let Some(stored) = stored else { return Ok(None) };
        let saved = SavedSession::decode(&stored).filter(|saved| saved.pid == token);
        Ok(Some(Taken { stored, saved: saved.ok_or(RecoveryFailure::Unknown)?, end }))
    }

    /// Lets the old server end its connection, and waits until it has stored the session. What was
    /// taken is the last state if that server is dead.
    async fn wait_for_last(&self, token: &str, mut taken: Taken) -> Result<Taken, RecoveryFailure> {
        let until = Instant::now() + HANDOVER_TIMEOUT;
        let _late = timeout(HANDOVER_TIMEOUT, self.log.request_end(&taken.saved.sid)).await;
        let mut pause = FIRST_PAUSE;
        while self.may_be_live_elsewhere(&taken) && Instant::now() < until {
            sleep_until(until.min(Instant::now() + pause)).await;
            pause *= 2;
            if let Some(newer) = self.take(token).await? {
                taken = newer;
            }
        }
        Ok(taken)
    }
}
