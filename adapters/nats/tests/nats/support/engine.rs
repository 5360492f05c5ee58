//! [`Member`]: an engine with a recorder as its hub.

use bytes::Bytes;
use socketio::cluster::{Engine, Topic};
use socketio::testing::cluster::{OwnedTopic, Recorded, Recorder, batch};
use socketio_nats::Nats;

/// An engine, and what it reported.
pub(crate) struct Member {
    pub(crate) engine: Nats,
    pub(crate) recorder: Recorder,
}

pub(crate) const MAIN: Topic<'_> = Topic::Main { namespace: "/" };

pub(crate) fn reply(server: &str) -> Topic<'_> {
    Topic::Reply { namespace: "/", server }
}

impl Member {
    /// Starts an engine that subscribes to these topics.
    pub(crate) fn start(engine: Nats, topics: &[Topic<'_>]) -> Self {
        let (inbox, recorder) = Recorder::new();
        for topic in topics {
            engine.subscribe(*topic);
        }
        engine.start(inbox);
        Self { engine, recorder }
    }

    /// Starts an engine, and waits until it is connected.
    pub(crate) async fn connect(engine: Nats, topics: &[Topic<'_>]) -> Self {
        let mut member = Self::start(engine, topics);
        member.connected().await;
        member
    }

    pub(crate) async fn connected(&mut self) {
        self.recorder.until(|recorded| *recorded == Recorded::Connected).await;
    }

    pub(crate) async fn disconnected(&mut self) -> String {
        let recorded = self.recorder.until(|recorded| matches!(recorded, Recorded::Disconnected(_))).await;
        match recorded {
            Recorded::Disconnected(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn publish(&self, topic: Topic<'_>, body: &str) {
        self.engine.publish(&batch([(topic, body.as_bytes())])).await.unwrap();
    }

    /// The next message is this one.
    pub(crate) async fn expect(&mut self, topic: Topic<'_>, body: &str) {
        let (received, bytes): (OwnedTopic, Bytes) = self.recorder.message().await;
        assert_eq!((received, &*bytes), (topic.into(), body.as_bytes()));
    }

    /// Publishes and receives.
    pub(crate) async fn works(&mut self, body: &str) {
        for topic in [MAIN, reply("a")] {
            self.publish(topic, body).await;
            self.expect(topic, body).await;
        }
    }
}
