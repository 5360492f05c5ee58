use socketio::{Hub, event, events, handlers};

#[event("", parallel, concurrent)]
fn many<T, const N: usize>(_value: T, _other: impl Clone) {}

struct Chat;

#[handlers]
impl Chat {
    #[event("connect")]
    fn one(&mut self) {}

    #[event(parallel)]
    fn two<T>(&self, _value: T) {}

    #[event("three", concurrent)]
    fn three(&self) {}
}

fn main() {
    let _ = Hub::builder().events(events![many]).events(Chat);
}
