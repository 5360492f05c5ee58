//! [`SimHarness`]: runs the suite on a simulated network.

use std::future::ready;

use super::harness::{Faults, Harness, Need};
use crate::cluster::{BoxFuture, Dialect, Engine, EngineTraits, Topic};
use crate::testing::cluster::SimNet;

/// Runs the suite on a [`SimNet`]. All cases can run on it: those about the log with the dialect
/// [`Streams`](Dialect::Streams).
#[derive(Debug)]
pub struct SimHarness {
    net: SimNet,
    traits: EngineTraits,
}

impl SimHarness {
    /// Creates a harness whose engines have these properties.
    pub fn new(net: SimNet, traits: EngineTraits) -> Self {
        Self { net, traits }
    }
}

impl Harness for SimHarness {
    fn engine(&self, name: &str) -> Box<dyn Engine> {
        Box::new(self.net.engine_with(name, self.traits))
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }
}

impl Faults for SimHarness {
    fn provides(&self, need: Need) -> bool {
        match need {
            Need::Log | Need::TrimLog | Need::ReplaceLog => self.traits.dialect == Dialect::Streams,
            _ => true,
        }
    }

    fn restart(&self) -> BoxFuture<'_, ()> {
        self.net.restart();
        Box::pin(ready(()))
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        self.net.stop();
        Box::pin(ready(()))
    }

    fn start(&self) -> BoxFuture<'_, ()> {
        self.net.start();
        Box::pin(ready(()))
    }

    fn cut<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        self.net.cut(server);
        Box::pin(ready(()))
    }

    fn hang<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        self.net.hang(server);
        Box::pin(ready(()))
    }

    fn resume<'a>(&'a self, server: &'a str) -> BoxFuture<'a, ()> {
        self.net.resume(server);
        Box::pin(ready(()))
    }

    fn inject<'a>(&'a self, topic: Topic<'a>, body: &'a [u8]) -> BoxFuture<'a, ()> {
        self.net.inject(topic, body.to_vec());
        Box::pin(ready(()))
    }

    fn trim_log(&self) -> BoxFuture<'_, ()> {
        self.net.trim_log(0);
        Box::pin(ready(()))
    }

    fn replace_log(&self) -> BoxFuture<'_, ()> {
        self.net.replace_log();
        Box::pin(ready(()))
    }

    fn simulation(&self) -> Option<&SimNet> {
        Some(&self.net)
    }
}
