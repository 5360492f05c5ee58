//! Engines that break a rule: the suite must find each of them.

use socketio::cluster::{
    BoxFuture, Dialect, Engine, EngineTraits, Inbox, PublishBatch, PublishError, RoomTopics, Topic,
};
use socketio::testing::cluster::conformance::{Faults, Harness, SimHarness, cases};
use socketio::testing::cluster::{SimNet, batch};

/// What an engine does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Duplicates,
    Loses,
    ReversesBatches,
    HidesThatPublishingFailed,
    CountsOneTooMany,
    CountsAlways1,
    DoesNotWaitForSubscriptions,
    NeverUnsubscribes,
    IgnoresTopicsOfRooms,
}

#[derive(Debug)]
struct Broken {
    engine: Box<dyn Engine>,
    fault: Fault,
}

impl Engine for Broken {
    fn traits(&self) -> EngineTraits {
        self.engine.traits()
    }

    fn start(&self, inbox: Inbox) {
        self.engine.start(inbox);
    }

    fn subscribe(&self, topic: Topic<'_>) {
        if self.fault != Fault::IgnoresTopicsOfRooms || !matches!(topic, Topic::Room { .. }) {
            self.engine.subscribe(topic);
        }
    }

    fn unsubscribe(&self, topic: Topic<'_>) {
        if self.fault != Fault::NeverUnsubscribes {
            self.engine.unsubscribe(topic);
        }
    }

    fn subscribed(&self) -> BoxFuture<'_, ()> {
        if self.fault == Fault::DoesNotWaitForSubscriptions { Box::pin(async {}) } else { self.engine.subscribed() }
    }

    fn publish<'a>(&'a self, messages: &'a PublishBatch) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(async move {
            match self.fault {
                Fault::ReversesBatches => {
                    let reversed: Vec<_> = messages.iter().collect();
                    self.engine.publish(&batch(reversed.into_iter().rev())).await
                }
                Fault::HidesThatPublishingFailed => {
                    let _ = self.engine.publish(messages).await;
                    Ok(())
                }
                _ => self.engine.publish(messages).await,
            }
        })
    }

    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<usize, String>> {
        Box::pin(async move {
            match (self.engine.servers(namespace).await, self.fault) {
                (Ok(servers), Fault::CountsOneTooMany) => Ok(servers + 1),
                (Ok(_), Fault::CountsAlways1) => Ok(1),
                (servers, _) => servers,
            }
        })
    }

    fn reconnect(&self) {
        self.engine.reconnect();
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        self.engine.stop()
    }
}

struct BrokenHarness {
    harness: SimHarness,
    fault: Fault,
}

impl Harness for BrokenHarness {
    fn engine(&self, name: &str) -> Box<dyn Engine> {
        Box::new(Broken { engine: self.harness.engine(name), fault: self.fault })
    }

    fn faults(&self) -> Option<&dyn Faults> {
        self.harness.faults()
    }
}

/// Whether the case passes with an engine that has this fault.
fn passes(name: &str, fault: Fault, rooms: RoomTopics) -> bool {
    let case = cases().find(|case| case.name() == name).unwrap_or_else(|| panic!("there is no case `{name}`"));
    let net = SimNet::seeded(1);
    net.duplicate(if fault == Fault::Duplicates { 1.0 } else { 0.0 });
    net.drop_messages(if fault == Fault::Loses { 0.2 } else { 0.0 });
    let harness = SimHarness::new(net, EngineTraits::new(Dialect::Messages).rooms(rooms));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(case.run(&BrokenHarness { harness, fault })).is_ok()
}

#[test]
fn the_suite_finds_engines_that_break_a_rule() {
    let found = [
        (Fault::Duplicates, "no_message_arrives_twice"),
        (Fault::Duplicates, "a_socket_in_several_rooms_receives_once"),
        (Fault::Loses, "a_thousand_emits_to_a_room_arrive_in_order"),
        (Fault::Loses, "without_losses_the_counters_agree"),
        (Fault::ReversesBatches, "a_thousand_emits_to_a_room_arrive_in_order"),
        (Fault::ReversesBatches, "messages_of_all_kinds_keep_their_order"),
        (Fault::HidesThatPublishingFailed, "losses_of_an_outage_are_counted"),
        (Fault::HidesThatPublishingFailed, "messages_whose_publishing_fails_are_counted"),
        (Fault::CountsOneTooMany, "servers_are_counted"),
        (Fault::CountsOneTooMany, "the_sockets_of_all_servers_are_fetched"),
        (Fault::CountsAlways1, "clients_of_all_servers_answer"),
        (Fault::CountsAlways1, "servers_answer_each_other"),
        (Fault::DoesNotWaitForSubscriptions, "flushed_joins_are_in_effect"),
        (Fault::NeverUnsubscribes, "rooms_that_come_and_go_leave_no_subscription"),
        (Fault::NeverUnsubscribes, "ids_that_come_and_go_leave_no_subscription"),
        (Fault::IgnoresTopicsOfRooms, "a_room_has_members_on_several_servers"),
    ];
    let rooms = RoomTopics::DynamicPrivate;
    let wrong: Vec<_> = found
        .into_iter()
        .filter(|(fault, name)| passes(name, *fault, rooms) || !passes(name, Fault::None, rooms))
        .collect();
    assert!(wrong.is_empty(), "not found, or found in an engine without a fault: {wrong:?}");
}
