//! The table of the guide's page on delivery: how a plain WebSocket connection ends, and what
//! becomes of events that wait.

use super::*;

/// Something that ends a connection.
type Ending<'a> = dyn Fn(&mut World) + 'a;

/// What the table says of one way to end.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    reason: DisconnectReason,
    close_frame: Option<u16>,
    /// Whether events that wait are handled.
    handled: bool,
    /// Whether messages that are queued go out.
    go_out: bool,
    /// Whether `close` fires.
    on_purpose: bool,
}

/// A connection with one event that runs and one that waits, after `end` and all that comes of it.
fn row(end: impl FnOnce(&mut World)) -> Row {
    let mut world = World::new(Speaks::Plain, false, false);
    world.take(Step::Handled { socket: 0 });
    world.text(r#"{"event":"e1"}"#);
    world.take(Step::Handled { socket: 0 });
    world.text(r#"{"event":"e2"}"#);
    end(&mut world);
    let go_out = !world.driver.is_discarded;
    (0..5).for_each(|_| world.take(Step::Handled { socket: 0 }));
    world.take(Step::Written);
    let close_frame = world.driver.close_frame;
    world.run_out();
    world.check();
    let model = &world.driver.sockets[0];
    let (disconnect, on_purpose) = model.end.clone().expect("it has ended");
    let handled = model.fired.contains(&Fired::Event(2));
    assert!(model.fired.contains(&Fired::Event(1)), "a handler that runs goes on");
    Row { reason: disconnect.reason(), close_frame, handled, go_out, on_purpose }
}

#[test]
fn the_ways_to_end_are_those_of_the_table() {
    use DisconnectReason::*;

    let silence = |world: &mut World| (0..3).for_each(|_| world.take(Step::Deadline));
    let disconnect = || End::on_purpose(ServerDisconnect, 1000, String::new());
    let table: [(Row, &Ending<'_>); 9] = [
        (
            Row { reason: TransportClose, close_frame: None, handled: true, go_out: false, on_purpose: false },
            &|world| world.take(Step::CloseFrame(Some(1000))),
        ),
        (
            Row { reason: TransportError, close_frame: None, handled: true, go_out: false, on_purpose: false },
            &|world| world.take(Step::Broken { code: None }),
        ),
        (
            Row { reason: ParseError, close_frame: Some(1002), handled: false, go_out: false, on_purpose: false },
            &|world| {
                let cause = Disconnect::new(ParseError).with_code(1002);
                world.session.broken(cause, &mut world.driver);
            },
        ),
        (
            Row { reason: TooLarge, close_frame: Some(1009), handled: false, go_out: false, on_purpose: false },
            &|world| {
                let cause = Disconnect::new(TooLarge).with_code(1009);
                world.session.broken(cause, &mut world.driver);
            },
        ),
        (Row { reason: PingTimeout, close_frame: None, handled: false, go_out: false, on_purpose: false }, &silence),
        (
            Row { reason: Overflow, close_frame: Some(1013), handled: false, go_out: true, on_purpose: false },
            &|world| world.take(Step::Overflow),
        ),
        (
            Row { reason: ServerClose, close_frame: Some(1000), handled: false, go_out: true, on_purpose: true },
            &|world| world.take(Step::Close),
        ),
        (
            Row { reason: ServerDisconnect, close_frame: Some(1000), handled: false, go_out: true, on_purpose: true },
            &|world| world.session.end(disconnect(), &mut world.driver),
        ),
        (Row { reason: Shutdown, close_frame: Some(1001), handled: false, go_out: true, on_purpose: true }, &|world| {
            world.take(Step::Shutdown { after: 20 });
        }),
    ];
    for (expected, end) in table {
        assert_eq!(row(end), expected);
    }
}
