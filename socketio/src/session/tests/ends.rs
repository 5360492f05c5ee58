//! Tests the guide's table of ends for plain WebSocket connections: the reason, the close frame,
//! and whether queued events and messages are processed.

use super::*;

/// Ends a connection.
type Ending<'a> = dyn Fn(&mut Harness) + 'a;

/// A row of the table: the effects of one way to end a connection.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    reason: DisconnectReason,
    close_frame: Option<u16>,
    /// Whether queued events are handled.
    handled: bool,
    /// Whether queued messages are sent.
    queue_is_sent: bool,
    /// Whether `close` fires.
    on_purpose: bool,
}

/// Applies `end` to a connection with one running and one queued event. Returns its effects.
fn row(end: impl FnOnce(&mut Harness)) -> Row {
    let mut harness = Harness::new(ClientProtocol::Plain, false, false);
    harness.apply(Step::Handled { socket: 0 });
    harness.text(r#"{"event":"e1"}"#);
    harness.apply(Step::Handled { socket: 0 });
    harness.text(r#"{"event":"e2"}"#);
    end(&mut harness);
    let queue_is_sent = !harness.driver.is_discarded;
    (0..5).for_each(|_| harness.apply(Step::Handled { socket: 0 }));
    harness.apply(Step::Written);
    let close_frame = harness.driver.close_frame;
    harness.run_to_close();
    harness.check();
    let model = &harness.driver.sockets[0];
    let (disconnect, on_purpose) = model.end.clone().expect("the socket has ended");
    let handled = model.fired.contains(&Fired::Event(2));
    assert!(model.fired.contains(&Fired::Event(1)), "a running handler completes");
    Row { reason: disconnect.reason(), close_frame, handled, queue_is_sent, on_purpose }
}

#[test]
fn each_end_has_the_documented_effects() {
    use DisconnectReason::*;

    let silence = |harness: &mut Harness| (0..3).for_each(|_| harness.apply(Step::Deadline));
    let disconnect = || End::on_purpose(ServerDisconnect, 1000, String::new());
    let table: [(Row, &Ending<'_>); 11] = [
        (
            Row { reason: TransportClose, close_frame: None, handled: true, queue_is_sent: false, on_purpose: false },
            &|harness| harness.apply(Step::CloseFrame(Some(1000))),
        ),
        (
            Row { reason: TransportError, close_frame: None, handled: true, queue_is_sent: false, on_purpose: false },
            &|harness| harness.apply(Step::Broken { code: None }),
        ),
        (
            Row {
                reason: ParseError,
                close_frame: Some(1002),
                handled: false,
                queue_is_sent: false,
                on_purpose: false,
            },
            &|harness| {
                let cause = Disconnect::new(ParseError).with_code(1002);
                harness.session.on_error(cause, &mut harness.driver);
            },
        ),
        (
            Row { reason: TooLarge, close_frame: Some(1009), handled: false, queue_is_sent: false, on_purpose: false },
            &|harness| {
                let cause = Disconnect::new(TooLarge).with_code(1009);
                harness.session.on_error(cause, &mut harness.driver);
            },
        ),
        (
            Row {
                reason: TransportError,
                close_frame: Some(1008),
                handled: false,
                queue_is_sent: false,
                on_purpose: false,
            },
            &|harness| {
                harness.session.on_all_read(true, &harness.driver);
                harness.apply(Step::Deadline);
            },
        ),
        (
            Row { reason: PingTimeout, close_frame: None, handled: false, queue_is_sent: false, on_purpose: false },
            &silence,
        ),
        (
            Row { reason: Overflow, close_frame: Some(1013), handled: false, queue_is_sent: true, on_purpose: false },
            &|harness| harness.apply(Step::Overflow),
        ),
        (
            Row { reason: ServerClose, close_frame: Some(1000), handled: false, queue_is_sent: true, on_purpose: true },
            &|harness| harness.apply(Step::Close),
        ),
        (
            Row {
                reason: ServerDisconnect,
                close_frame: Some(1000),
                handled: false,
                queue_is_sent: true,
                on_purpose: true,
            },
            &|harness| harness.session.end(disconnect(), &mut harness.driver),
        ),
        (
            Row { reason: Shutdown, close_frame: Some(1001), handled: false, queue_is_sent: true, on_purpose: true },
            &|harness| {
                harness.apply(Step::Shutdown { after: 20 });
            },
        ),
        (
            Row { reason: Shutdown, close_frame: Some(1012), handled: true, queue_is_sent: true, on_purpose: true },
            &|harness| harness.apply(Step::Drain { after: 20 }),
        ),
    ];
    for (expected, end) in table {
        assert_eq!(row(end), expected);
    }
}
