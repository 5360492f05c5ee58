#![deny(warnings)]

use socketio::{Hub, State, event, events};
use std::sync::RwLock;

trait Clock: Send + Sync {
    fn now(&self) -> u64;
}

struct Fixed(u64);

impl Clock for Fixed {
    fn now(&self) -> u64 {
        self.0
    }
}

type Names = RwLock<Vec<String>>;

#[event("time")]
fn time(clock: State<Box<dyn Clock>>) -> u64 {
    clock.now()
}

#[event("add")]
async fn add(names: State<Names>, clock: socketio::State<Box<dyn Clock>>, name: String) -> u64 {
    names.write().expect("nobody panicked").push(name);
    clock.now()
}

#[test]
fn compiles() {
    let clock: Box<dyn Clock> = Box::new(Fixed(1));
    let hub = Hub::builder().state(clock).state(Names::default()).events(events![time, add]).build();
    assert!(hub.is_ok());
    assert!(Hub::builder().state(Names::default()).events(events![time, add]).build().is_err());
}
