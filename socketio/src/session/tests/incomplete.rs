//! A message that has arrived in part has a deadline, which stands still while reading is paused.

use super::*;

const FULL: Inbox = Inbox { events: 4, bytes: 0, overhead: 0, awaits_answer: false };

impl Harness {
    /// The driver has read everything, and a part of a message is left.
    fn all_read(&mut self, is_partial: bool) {
        self.session.on_all_read(is_partial, &self.driver);
    }

    /// Lets this time pass. Returns whether the connection is still open.
    fn is_open_after(&mut self, milliseconds: u32) -> bool {
        self.driver.now += milliseconds * MILLISECOND;
        self.session.note_activity();
        self.session.on_deadline(self.driver.now, &mut self.driver);
        self.session.is_open()
    }
}

fn harness(client: ClientProtocol) -> Harness {
    let mut harness = Harness::new(client, false, false);
    harness.text("40");
    harness
}

#[test]
fn the_rest_of_a_message_has_a_deadline() {
    for client in [ClientProtocol::Plain, ClientProtocol::Engine, ClientProtocol::SocketIo, ClientProtocol::Parsed] {
        let mut harness = harness(client);
        harness.all_read(false);
        assert!(harness.is_open_after(15));
        harness.all_read(true);
        assert!(harness.is_open_after(14));
        // More of the same message, and a control frame.
        harness.all_read(true);
        harness.receive(Message::Ping("".into()));
        assert!(!harness.is_open_after(1));
        assert_eq!(harness.driver.close_frame, Some(1008));
        let (end, _) = harness.driver.sockets[0].end.clone().expect("the socket has ended");
        assert_eq!((end.reason(), end.code()), (DisconnectReason::TransportError, Some(1008)));
    }
}

#[test]
fn a_complete_message_ends_the_deadline() {
    let mut harness = harness(ClientProtocol::SocketIo);
    for _ in 0..10 {
        harness.all_read(true);
        assert!(harness.is_open_after(10));
        harness.text("3");
    }
    // The attachments of a packet belong to it.
    harness.text(r#"452-["e1"]"#);
    harness.all_read(false);
    assert!(harness.is_open_after(10));
    harness.receive(Message::binary(vec![0]));
    harness.text("3");
    harness.all_read(false);
    assert!(!harness.is_open_after(5));
}

#[test]
fn the_last_attachment_ends_the_deadline() {
    for client in [ClientProtocol::SocketIo, ClientProtocol::Parsed] {
        let mut harness = harness(client);
        harness.text(r#"451-["e1"]"#);
        harness.all_read(false);
        assert!(harness.is_open_after(10));
        harness.receive(Message::binary(vec![0]));
        assert!(harness.is_open_after(10));
    }
}

#[test]
fn the_deadline_stands_still_while_reading_is_paused() {
    let mut harness = harness(ClientProtocol::Plain);
    harness.all_read(true);
    assert!(harness.is_open_after(10));
    assert!(!harness.session.may_read(&FULL));
    assert!(harness.is_open_after(10));
    harness.all_read(true);
    assert!(harness.is_open_after(14));
    assert!(!harness.is_open_after(1));
}
