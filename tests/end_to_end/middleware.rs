//! Middleware around connections, which it can refuse, and around events, which it can read,
//! change, answer and refuse.

use serde_json::json;
use socketio::{
    Args, EventError, Hub, IncomingEvent, NamespaceBuilder, Next, RawArgs, Refusal, Socket, State, event, events,
};
use socketio_tests::{Gate, Log, Seen, log, serve};

#[event("add")]
fn add(one: i64, other: i64, log: State<Log>) -> i64 {
    log.note(format_args!("add {one} {other}"));
    one + other
}

#[event("beside", concurrent)]
async fn beside(number: u32, gate: State<Gate>) -> u32 {
    gate.pass().await;
    number
}

#[event(fallback)]
fn fallback(args: RawArgs<'_>) -> String {
    args.json().to_owned()
}

#[event(error)]
fn error(error: EventError, log: State<Log>) {
    log.note(format_args!("error {} of {:?}", error.code(), error.event()));
}

fn hub(fill: impl FnOnce(NamespaceBuilder) -> NamespaceBuilder) -> (Hub, Seen, Gate) {
    let ((log, seen), gate) = (log(), Gate::default());
    let builder = Hub::builder().state(log).state(gate.clone()).namespace("/", fill);
    (builder.events(events![add, beside, fallback, error]).build().expect("a hub"), seen, gate)
}

#[tokio::test]
async fn events_pass_middleware_in_registration_order() {
    let (log, mut seen) = log();
    let (first, second, own) = (log.clone(), log.clone(), log);
    let (hub, mut handled, _) = hub(|namespace| {
        namespace
            .event_middleware(move |event: IncomingEvent, next: Next| {
                let log = first.clone();
                async move {
                    log.note(format_args!("first {} {}", event.name(), event.args().json()));
                    let passed = next.run(event).await;
                    log.note("first again");
                    passed
                }
            })
            .event_middleware(move |event: IncomingEvent, next: Next| {
                second.note(format_args!("second from {}", event.socket().connected()));
                next.run(event)
            })
    });
    hub.on("add", |payload| {
        let _ = payload.ack().send("too late");
    });
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    seen.expect(&["first nobody handles this ", "second from true", "first again"]).await;
    server.hub.sockets()[0].event_middleware(move |event: IncomingEvent, next: Next| {
        own.note(format_args!("own {}", event.name()));
        next.run(event)
    });
    assert_eq!(client.ask_all("add", json!([1, 2])).await["data"], 3);
    handled.expect(&["add 1 2"]).await;
    seen.expect(&["first add 1,2", "second from true", "own add", "first again"]).await;
}

#[tokio::test]
async fn middleware_can_change_answer_and_refuse_events() {
    async fn change(mut event: IncomingEvent, next: Next) -> Result<(), EventError> {
        match event.name() {
            "add" => {
                let (one, other) = (event.json::<i64>().unwrap_or_default(), 10);
                event.set_args(Args((one * 2, other)))?;
            }
            "cached" => {
                event.ack().send("from the cache")?;
                return Ok(());
            }
            "forbidden" => return Err(EventError::new("forbidden", "not you").with_data(7)),
            "swallowed" => return Ok(()),
            _ => {}
        }
        next.run(event).await
    }
    let (hub, mut seen, _) = hub(|namespace| namespace.event_middleware(change));
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask_all("add", json!([4, 5])).await["data"], 18);
    seen.expect(&["add 8 10"]).await;
    assert_eq!(client.ask("cached", 1).await["data"], "from the cache");
    assert_eq!(
        client.ask("forbidden", 1).await["error"],
        json!({ "code": "forbidden", "message": "not you", "data": 7 })
    );
    seen.expect(&["error forbidden of Some(\"forbidden\")"]).await;
    assert_eq!(client.ask("swallowed", 1).await["error"]["code"], "unanswered");
    assert_eq!(client.ask("other", json!([1])).await["data"], "[1]");
    client.emit("forbidden", 1).await;
    seen.expect(&["error forbidden of Some(\"forbidden\")"]).await;
}

#[tokio::test]
async fn a_panic_in_middleware_is_answered_with_internal_and_the_connection_stays_open() {
    async fn fragile(event: IncomingEvent, next: Next) -> Result<(), EventError> {
        assert!(event.name() != "bomb", "a bomb");
        next.run(event).await
    }
    let (hub, mut seen, _) = hub(|namespace| namespace.event_middleware(fragile));
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    assert_eq!(client.ask("bomb", 1).await["error"]["code"], "internal");
    assert!(seen.next().await.starts_with("error internal"));
    assert_eq!(client.ask_all("add", json!([1, 1])).await["data"], 2);
}

#[tokio::test]
async fn concurrent_handlers_stay_concurrent_behind_middleware() {
    let (hub, _seen, gate) = hub(|namespace| {
        namespace.event_middleware(|event: IncomingEvent, next: Next| async move { next.run(event).await })
    });
    let server = serve(hub).await;
    let mut client = server.connect("ann").await;
    client.emit("beside", 1).await;
    client.settle().await;
    assert_eq!(client.ask_all("add", json!([1, 1])).await["data"], 2);
    gate.open();
}

#[tokio::test]
async fn connections_pass_middleware_before_the_connect_handler() {
    #[event(connect)]
    fn connect(log: State<Log>) {
        log.note("connect");
    }
    let (log, mut seen) = log();
    let builder = Hub::builder().state(log.clone()).events(events![connect]);
    let (first, second) = (log.clone(), log);
    let builder = builder
        .middleware(move |socket: Socket| {
            first.note("first");
            let refused = socket.query("refuse").is_some();
            async move { if refused { Err(Refusal::new("not today").with_data(1)) } else { Ok(()) } }
        })
        .middleware(move |socket: Socket| {
            second.note(format_args!("second, connected: {}", socket.connected()));
            async move { socket.join("let in").map_err(|error| error.to_string()) }
        });
    let server = serve(builder.build().expect("a hub")).await;
    let mut client = server.connect("ann").await;
    client.settle().await;
    seen.expect(&["first", "second, connected: false", "connect"]).await;
    assert_eq!(server.hub.to("let in").sockets().len(), 1);
    {
        let mut client = server.connect_to("/ws/bob?refuse=yes").await;
        assert_eq!(client.closed().await, Some((1008, "not today".to_owned())));
        seen.expect(&["first"]).await;
        seen.expect_nothing();
    }
}
