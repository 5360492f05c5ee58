//! Removes entries that are too old, and finds out how far the stream reaches back.

use bytes::Bytes;
use std::mem;
use std::time::Duration;
use tokio::time::sleep;

use super::Log;
use super::commands::{Settings, write};
use super::continuity::StreamInfo;
use crate::resp;

/// How often it is done. More often if entries are kept for a short time.
const INTERVAL: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);

impl Log {
    /// Does it again and again, while the engine is connected.
    pub(crate) async fn keep_up(&self) {
        let mut can_trim = true;
        loop {
            let retained = self.shared.retention.lock().entries;
            if let Err(error) = self.measure(retained, &mut can_trim).await {
                tracing::debug!(stream = self.settings.stream, %error, "old entries of the stream were not removed");
            }
            sleep((retained / 4).clamp(SHORTEST, INTERVAL)).await;
        }
    }

    async fn measure(&self, retained: Duration, can_trim: &mut bool) -> Result<(), String> {
        let asked = self.query(2, |bytes| {
            write(bytes, &["TIME"]);
            self.settings.info(bytes);
        });
        let replies = asked.await?;
        let [time, info] = &*replies else { return Err("no reply".into()) };
        let now = milliseconds(time).ok_or("an unexpected reply of TIME")?;
        let Some(info) = StreamInfo::read(info)? else { return Ok(()) };
        // Redis removes entries in groups, so that there are mostly some more.
        let is_full = info.length >= self.settings.max_len;
        let reach = info.first.filter(|_| is_full).map(|first| Duration::from_millis(now.saturating_sub(first.epoch)));
        let is_short = reach.is_some_and(|reach| reach < retained);
        let was_short = {
            let mut known = self.shared.reach.lock();
            known.reach = reach;
            mem::replace(&mut known.is_short, is_short)
        };
        if is_short && !was_short {
            let Settings { stream, max_len, .. } = &*self.settings;
            tracing::warn!(
                stream,
                max_len,
                ?reach,
                ?retained,
                "the stream reaches back less than entries should be kept; it needs a greater max_len"
            );
        }
        if *can_trim && let Ok(retained) = u64::try_from(retained.as_millis()) {
            let replies = self.query(1, |bytes| self.settings.trim(bytes, now.saturating_sub(retained))).await?;
            if let Some(error) = replies.first().and_then(|reply| resp::reply(reply).ok()?.0.ok().err()) {
                // Redis knows it from version 6.2 on.
                *can_trim = false;
                return Err(error);
            }
        }
        Ok(())
    }
}

/// The time in the reply of `TIME`.
fn milliseconds(reply: &Bytes) -> Option<u64> {
    let (reply, _) = resp::reply(reply).ok()?;
    let [seconds, micros] = reply.array()? else { return None };
    let (seconds, micros): (u64, u64) = (seconds.text()?.parse().ok()?, micros.text()?.parse().ok()?);
    seconds.checked_mul(1000)?.checked_add(micros / 1000)
}
