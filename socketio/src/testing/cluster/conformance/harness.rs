//! [`Harness`] and [`Faults`]: what an author of an engine gives to the suite.

use crate::cluster::{BoxFuture, Engine, Topic};
use crate::testing::cluster::SimNet;

/// Makes the engines of one cluster, which only the servers of one case use.
pub trait Harness: Sync {
    /// Creates the engine of one more server. The name tells [faults](Faults) which server they
    /// concern.
    fn engine(&self, name: &str) -> Box<dyn Engine>;

    /// What can be made to fail. Cases that need faults are skipped without it.
    fn faults(&self) -> Option<&dyn Faults> {
        None
    }
}

/// What a case needs to make fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Need {
    /// Nothing.
    Nothing,
    /// [`Faults::restart`].
    Restart,
    /// [`Faults::stop`] and [`Faults::start`].
    Stop,
    /// [`Faults::cut`].
    Cut,
    /// [`Faults::hang`] and [`Faults::resume`].
    Hang,
    /// [`Faults::inject`].
    Inject,
    /// An engine with a [log](crate::cluster::EventLog), and [`Faults::hang`] and
    /// [`Faults::resume`].
    Log,
    /// The same as [`Log`](Self::Log), and [`Faults::trim_log`].
    TrimLog,
    /// The same as [`Log`](Self::Log), and [`Faults::replace_log`].
    ReplaceLog,
    /// [`Faults::simulation`]: faults that only a simulated network has.
    Simulation,
}

/// Makes the servers' connections fail. Each method that [`provides`](Self::provides) does not
/// name may do nothing.
pub trait Faults: Sync {
    /// Whether cases with this need can run.
    fn provides(&self, need: Need) -> bool;

    /// Restarts what carries the messages: all connections and subscriptions end.
    fn restart(&self) -> BoxFuture<'_, ()> {
        nothing()
    }

    /// Stops what carries the messages. Attempts to connect fail until [`start`](Self::start).
    fn stop(&self) -> BoxFuture<'_, ()> {
        nothing()
    }

    /// Starts it again.
    fn start(&self) -> BoxFuture<'_, ()> {
        nothing()
    }

    /// Ends the connections of one server, which can connect again at once.
    fn cut<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        let _ = server;
        nothing()
    }

    /// Lets nothing pass from and to one server, whose connections and subscriptions stay.
    fn hang<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        let _ = server;
        nothing()
    }

    /// Ends [`hang`](Self::hang).
    fn resume<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        let _ = server;
        nothing()
    }

    /// Publishes bytes that no server has made.
    fn inject<'a>(&'a self, topic: Topic<'a>, body: &'a [u8]) -> BoxFuture<'a, ()> {
        let _ = (topic, body);
        nothing()
    }

    /// Removes all entries of the log. Later ones have greater offsets.
    fn trim_log(&self) -> BoxFuture<'_, ()> {
        nothing()
    }

    /// Replaces the log by an empty one, as if its data was lost: the sessions too.
    fn replace_log(&self) -> BoxFuture<'_, ()> {
        nothing()
    }

    /// The simulated network, if this is one.
    fn simulation(&self) -> Option<&SimNet> {
        None
    }
}

fn nothing() -> BoxFuture<'static, ()> {
    Box::pin(std::future::ready(()))
}
