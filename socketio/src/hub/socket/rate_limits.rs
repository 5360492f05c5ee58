//! Rate limits of a single [`Socket`].

use super::Socket;
use crate::event::rate_limit::Limited;

impl Socket {
    /// Counts an event that the client sent. Returns an error if the event exceeds a limit.
    pub(crate) fn admit(&self, event: &str) -> Result<(), Limited> {
        let (all, own) = (self.hub().config().rate_limit, self.namespace_inner().event_limit(event));
        if all.is_none() && own.is_none() {
            return Ok(());
        }
        self.with_side(|side| side.buckets.get_or_insert_default().admit(all, own))
    }
}
