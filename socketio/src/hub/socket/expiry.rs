//! The proof of identity of a [`Socket`]'s client: when it runs out, and whether a new one is being
//! decided.
//!
//! The timer of the connection has the deadline, so that a socket needs no task. A socket without
//! an expiry has no data here.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::Instant as TokioInstant;

use super::Socket;
use super::lifecycle::CONNECTED;
use crate::event::message::IntoMessage;
use crate::event::rate_limit::{Bucket, Limited};
use crate::hub::aliases::Command;
use crate::hub::reauthentication::{REAUTHENTICATE, Reauthentication, ReauthenticationRequest};
use crate::hub::selection::EmitError;
use crate::session::time::after;

/// How long a client waits that sends a new proof while another one is being decided.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Expiry {
    expires: Option<Expires>,
    /// When the client is asked for a new one. `None`: it was asked.
    ask_at: Option<Instant>,
    /// Whether a new one is being decided.
    is_deciding: bool,
    /// Counts the proofs that the client sends.
    bucket: Option<Bucket>,
}

/// When a proof of identity runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expires {
    /// By the wall clock.
    at: SystemTime,
    /// By the runtime's clock, as it was when this was set.
    until: Instant,
}

impl Expires {
    pub(crate) fn at(at: SystemTime) -> Self {
        let lifetime = at.duration_since(SystemTime::now()).unwrap_or_default();
        Self { at, until: after(now(), lifetime) }
    }

    /// Whether it has run out at `now`.
    pub(crate) fn is_over(self, now: Instant) -> bool {
        self.until <= now
    }
}

/// What is to be done about a socket's proof of identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The client is to be asked for a new one.
    Ask,
    /// It has run out.
    Expired,
}

impl Expiry {
    fn set(&mut self, expires: Expires, settings: &Reauthentication) {
        let now = now();
        let lifetime = expires.until.saturating_duration_since(now);
        self.expires = Some(expires);
        self.ask_at = Some(after(now, lifetime - settings.ask_before.min(lifetime / 2)));
    }

    /// Until when the old identity is in force. A decision that began in time may take a little
    /// longer.
    fn until(&self, settings: &Reauthentication) -> Option<Instant> {
        let Expires { until, .. } = self.expires?;
        Some(if self.is_deciding { after(until, settings.grace) } else { until })
    }

    fn deadline(&self, settings: &Reauthentication) -> Option<Instant> {
        let until = self.until(settings)?;
        // A client that sends a new proof already is only asked if that is refused.
        let ask_at = self.ask_at.filter(|_| !self.is_deciding);
        Some(ask_at.map_or(until, |ask_at| ask_at.min(until)))
    }

    /// Takes what is due at `now`.
    fn take_due(&mut self, now: Instant, settings: &Reauthentication) -> Option<Due> {
        if self.until(settings).is_some_and(|until| until <= now) {
            (self.expires, self.ask_at) = (None, None);
            return Some(Due::Expired);
        }
        self.ask_at.take_if(|ask_at| *ask_at <= now).map(|_| Due::Ask)
    }
}

/// The time of the runtime's clock, which tests can pause.
fn now() -> Instant {
    TokioInstant::now().into_std()
}

/// Proof of identity.
impl Socket {
    /// Sets when the client's proof of identity runs out, such as the `exp` of a JWT.
    ///
    /// Some time [before](Reauthentication::ask_before), the server asks the client for a new
    /// proof. The handler of `#[event(reauthenticate)]` receives it, and calls this again if it
    /// accepts it. At the expiry the client is disconnected, or the application's
    /// [hook](Reauthentication::on_expired) decides. See
    /// [authentication](crate::guide::authentication).
    ///
    /// The time is that of the wall clock when this is called; if the clock is set later, the
    /// expiry does not move. A session that is [resumed](crate::guide::recovery) keeps its expiry.
    ///
    /// ```
    /// use socketio::{Handshake, Refusal, Socket, event};
    /// use std::time::{Duration, SystemTime};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Auth {
    ///     token: String,
    /// }
    /// # fn verify(token: &str) -> Result<u64, Refusal> { Ok(u64::from(token.len() as u32)) }
    ///
    /// #[event(connect)]
    /// fn joined(socket: &Socket, handshake: Handshake<'_>) -> Result<(), Refusal> {
    ///     let auth: Auth = handshake.auth().map_err(|_| "sign in first")?;
    ///     prove(socket, &auth)
    /// }
    ///
    /// #[event(reauthenticate)]
    /// fn renewed(socket: &Socket, auth: Auth) -> Result<(), Refusal> {
    ///     prove(socket, &auth)
    /// }
    ///
    /// fn prove(socket: &Socket, auth: &Auth) -> Result<(), Refusal> {
    ///     let exp = verify(&auth.token)?; // seconds since 1970
    ///     socket.expires_at(SystemTime::UNIX_EPOCH + Duration::from_secs(exp));
    ///     Ok(())
    /// }
    /// ```
    pub fn expires_at(&self, at: SystemTime) {
        self.set_expires(Expires::at(at));
    }

    /// Sets when the client's proof of identity runs out.
    pub(crate) fn set_expires(&self, expires: Expires) {
        let settings = &self.hub().config().reauthentication;
        let (before, after) = self.with_side(|side| {
            let expiry = side.expiry.get_or_insert_default();
            let before = expiry.deadline(settings);
            expiry.set(expires, settings);
            self.0.has_expiry.store(true, Ordering::Release);
            (before, expiry.deadline(settings))
        });
        // A timer that fires too early is set again.
        if before.is_none_or(|before| after.is_some_and(|after| after < before)) {
            self.peer().handle.post(Command::ResetTimer);
        }
        self.tell_changed();
    }

    /// Sets that the client's proof of identity runs out after this time. See
    /// [`expires_at`](Self::expires_at).
    pub fn expires_in(&self, time: Duration) {
        let (wall, century) = (SystemTime::now(), Duration::from_secs(u32::MAX.into()));
        let at = wall.checked_add(time).unwrap_or(wall + century);
        self.set_expires(Expires { at, until: after(now(), time) });
    }

    /// The client's proof of identity does not run out any more.
    pub fn never_expires(&self) {
        if !self.0.has_expiry.load(Ordering::Acquire) {
            return;
        }
        self.with_side(|side| {
            if let Some(expiry) = &mut side.expiry {
                (expiry.expires, expiry.ask_at) = (None, None);
            }
            self.0.has_expiry.store(false, Ordering::Release);
        });
        self.tell_changed();
    }

    /// When the client's proof of identity runs out. `None`: it does not, or it has run out and the
    /// socket was [kept](crate::AfterExpiry::Keep).
    pub fn expiry(&self) -> Option<SystemTime> {
        self.expires().map(|expires| expires.at)
    }

    pub(crate) fn expires(&self) -> Option<Expires> {
        if !self.0.has_expiry.load(Ordering::Acquire) {
            return None;
        }
        self.0.side.lock().as_ref()?.expiry.as_ref()?.expires
    }

    /// Asks the client for a new proof of identity now, in addition to the time before its
    /// [expiry](Self::expires_at): it receives the event `reauthenticate`, and sends an event of
    /// the same name. A client that does not know the event sends nothing.
    ///
    /// # Errors
    ///
    /// The client does not accept messages now.
    pub fn ask_to_reauthenticate(&self) -> Result<(), EmitError> {
        let expires_in = self.expires().map(|expires| {
            let left = expires.until.saturating_duration_since(now());
            u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
        });
        // It is no message of the application, so it is in no log for clients that are cut off.
        self.deliver(&(&ReauthenticationRequest { expires_in }).into_packet()?)
    }

    /// When [`take_due`](Self::take_due) must be called.
    pub(crate) fn expiry_deadline(&self) -> Option<Instant> {
        if !self.0.has_expiry.load(Ordering::Acquire) || self.0.phase.load(Ordering::Acquire) != CONNECTED {
            return None;
        }
        self.0.side.lock().as_ref()?.expiry.as_ref()?.deadline(&self.hub().config().reauthentication)
    }

    /// Takes what is due at `now` about the client's proof of identity.
    pub(crate) fn take_due(&self, now: Instant) -> Option<Due> {
        self.expiry_deadline().filter(|deadline| *deadline <= now)?;
        let settings = &self.hub().config().reauthentication;
        let mut side = self.0.side.lock();
        let due = side.as_mut()?.expiry.as_mut()?.take_due(now, settings);
        if due == Some(Due::Expired) {
            // Another task may set a new expiry, but not before the lock is free.
            self.0.has_expiry.store(false, Ordering::Release);
        }
        drop(side);
        if due == Some(Due::Expired) {
            self.tell_changed();
        }
        due
    }

    /// Whether an event is a new proof of identity, which the application decides.
    pub(crate) fn takes_proof(&self, event: &str) -> bool {
        event == REAUTHENTICATE && self.namespace_inner().handler(REAUTHENTICATE).is_some()
    }

    /// Begins to decide about a new proof of identity. [`decided`](Self::decided) ends it. Returns
    /// an error if there are too many, or another one is being decided.
    pub(crate) fn begin_deciding(&self) -> Result<(), Limited> {
        let settings = &self.hub().config().reauthentication;
        self.with_side(|side| {
            let expiry = side.expiry.get_or_insert_default();
            let now = TokioInstant::now();
            expiry.bucket.get_or_insert_with(|| Bucket::new(now)).admit(settings.rate_limit, now)?;
            if std::mem::replace(&mut expiry.is_deciding, true) {
                return Err(Limited { retry_after: RETRY_AFTER, is_first: false });
            }
            Ok(())
        })
    }

    /// A new proof of identity was decided, or its event was dropped.
    pub(crate) fn decided(&self) {
        self.with_side(|side| {
            if let Some(expiry) = &mut side.expiry {
                expiry.is_deciding = false;
            }
        });
        // The deadline may be earlier now. The application may have dropped the event elsewhere.
        if self.0.has_expiry.load(Ordering::Acquire) {
            self.peer().handle.post(Command::ResetTimer);
        }
    }
}
