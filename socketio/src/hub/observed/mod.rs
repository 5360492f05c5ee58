//! A hub's metrics, for the crates `metrics` and `opentelemetry`.
//!
//! Most are the figures of [`HubStats`](super::stats::HubStats) and are read when a tool asks for
//! them: [`figures`] lists these. [`Observers`] has the two histograms, which are recorded as
//! things happen: how long connections last, and how long handlers run. [`facade`] and [`otel`]
//! pass both on.
//!
//! Labels have values of fixed lists, and names of handlers, which are known when the program is
//! compiled. Nothing that a client sends becomes a label.

#[cfg(feature = "metrics")]
pub(crate) mod facade;
mod figures;
#[cfg(feature = "opentelemetry")]
mod otel;
mod timing;

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::event::handler::{Handler, Key};
use crate::hub::hub_builder::HubBuilder;
use crate::hub::namespace_builder::NamespaceBuilder;
use crate::session::disconnect::DisconnectReason;
pub(crate) use timing::Timing;

/// The label of events whose name is not that of a handler.
const OTHER: &str = "_other";

/// The upper bounds of the buckets of `socketio.server.connection.duration`, in seconds.
#[cfg(feature = "opentelemetry")]
const CONNECTION_BOUNDS: [f64; 14] =
    [0.01, 0.1, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0];

/// The upper bounds of the buckets of `socketio.server.handler.duration`, in seconds.
#[cfg(feature = "opentelemetry")]
const HANDLER_BOUNDS: [f64; 14] =
    [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

/// The names and units of the two histograms.
const CONNECTION_DURATION: Described = Described {
    name: "socketio.server.connection.duration",
    description: "How long connections lasted, until they began to close",
};
const HANDLER_DURATION: Described = Described {
    name: "socketio.server.handler.duration",
    description: "How long handlers ran, from their call to their answer",
};

struct Described {
    name: &'static str,
    description: &'static str,
}

/// What the builder says about metrics.
#[derive(Default)]
pub(super) struct Settings {
    times_handlers: bool,
}

/// Metrics.
impl HubBuilder {
    /// Measures how long each handler runs, as the metric `socketio.server.handler.duration` with
    /// the labels `socketio.event` and `socketio.outcome`. Default: no. See
    /// [metrics](crate::guide::metrics).
    ///
    /// It reads the clock twice for each event that has a handler. Listeners are not measured.
    ///
    /// ```
    /// use socketio::{Hub, event, events};
    ///
    /// #[event("say")]
    /// fn say(_text: String) {}
    ///
    /// let hub = Hub::builder().time_handlers().events(events![say]).build()?;
    /// # Ok::<(), socketio::BuildError>(())
    /// ```
    pub fn time_handlers(mut self) -> Self {
        self.observed.times_handlers = true;
        self
    }
}

/// The histograms of a hub, once they are registered.
pub(crate) struct Observers {
    /// When the hub was built.
    built: Instant,
    /// The labels of handlers, sorted. `None`: handlers are not timed.
    handlers: Option<Box<[&'static str]>>,
    #[cfg(feature = "metrics")]
    facade: OnceLock<facade::Histograms>,
    #[cfg(feature = "opentelemetry")]
    otel: OnceLock<otel::Histograms>,
}

impl Observers {
    pub(super) fn new(builder: &HubBuilder) -> Self {
        let namespaces = builder.namespaces.values().chain(builder.dynamic.iter().map(|(_, namespace)| namespace));
        let handlers = builder.observed.times_handlers.then(|| {
            let labels = namespaces.flat_map(NamespaceBuilder::handlers).map(|handler| HandlerLabel::of(handler).0);
            let labels: BTreeSet<_> = labels.chain([OTHER]).collect();
            labels.into_iter().collect()
        });
        Self {
            built: now(),
            handlers,
            #[cfg(feature = "metrics")]
            facade: OnceLock::new(),
            #[cfg(feature = "opentelemetry")]
            otel: OnceLock::new(),
        }
    }

    /// Notes when a connection begins.
    pub(crate) fn begin(&self) -> Begun {
        Begun(self.milliseconds())
    }

    /// Milliseconds since the hub was built. They begin anew after 49 days.
    fn milliseconds(&self) -> u32 {
        now().saturating_duration_since(self.built).as_millis() as u32
    }

    /// Records how long a connection has lasted that begins to close.
    pub(crate) fn closing(&self, begun: &Begun, reason: DisconnectReason, polls: bool) {
        let duration = Duration::from_millis(self.milliseconds().wrapping_sub(begun.0).into());
        let (status, transport) = (Status::of(reason), Transport::of(polls));
        #[cfg(feature = "metrics")]
        if let Some(histograms) = self.facade.get() {
            histograms.connection(status, transport, duration);
        }
        #[cfg(feature = "opentelemetry")]
        if let Some(histograms) = self.otel.get() {
            histograms.connection(status, transport, duration);
        }
    }

    /// Records how long a handler has run.
    fn handled(&self, label: HandlerLabel, outcome: HandlerOutcome, duration: Duration) {
        #[cfg(feature = "metrics")]
        if let Some(histograms) = self.facade.get() {
            histograms.handler(label, outcome, duration);
        }
        #[cfg(feature = "opentelemetry")]
        if let Some(histograms) = self.otel.get() {
            histograms.handler(label, outcome, duration);
        }
    }
}

/// The time of the runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// When a connection has begun. It is small, because each connection has one.
pub(crate) struct Begun(u32);

/// The label of a handler: its event's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandlerLabel(&'static str);

impl HandlerLabel {
    pub(crate) fn of(handler: &'static Handler) -> Self {
        Self(match handler.key {
            Key::Name(_) | Key::Lifecycle(_) => handler.key.as_str(),
            Key::Fallback | Key::Invalid => OTHER,
        })
    }
}

/// Values of a label, as a list that is known when the program is compiled.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($variant,)*
        }

        impl $name {
            #[cfg_attr(not(feature = "metrics"), allow(dead_code))]
            const ALL: &[Self] = &[$(Self::$variant,)*];

            const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

label! {
    /// How a connection ended: the label `socketio.connection.status`.
    Status {
        NormalClosure = "normal_closure",
        Timeout = "timeout",
        AppShutdown = "app_shutdown",
        Error = "error",
    }
}

label! {
    /// The label `socketio.transport`.
    Transport {
        WebSockets = "web_sockets",
        LongPolling = "long_polling",
    }
}

label! {
    /// How a handler ended: the label `socketio.outcome`.
    HandlerOutcome {
        Ok = "ok",
        Error = "error",
        InvalidPayload = "invalid_payload",
        Timeout = "timeout",
        Panic = "panic",
        Dropped = "dropped",
    }
}

impl Status {
    fn of(reason: DisconnectReason) -> Self {
        match reason {
            DisconnectReason::TransportClose
            | DisconnectReason::ClientDisconnect
            | DisconnectReason::ServerDisconnect
            | DisconnectReason::ServerClose
            | DisconnectReason::Expired => Self::NormalClosure,
            DisconnectReason::PingTimeout => Self::Timeout,
            DisconnectReason::Shutdown => Self::AppShutdown,
            DisconnectReason::TransportError
            | DisconnectReason::ParseError
            | DisconnectReason::TooLarge
            | DisconnectReason::Overflow
            | DisconnectReason::Aborted => Self::Error,
        }
    }
}

impl Transport {
    fn of(polls: bool) -> Self {
        if polls { Self::LongPolling } else { Self::WebSockets }
    }
}
