use socketio::{event, events, handlers};

#[event("one", parallel)]
async fn one() {}

#[event(connected)]
fn two() {}

#[event("three", name = "three")]
fn three() {}

#[event(3)]
fn four() {}

#[event("five", "six")]
fn five() {}

#[event(connect, "six")]
fn six() {}

#[event("seven", concurrent, concurrent)]
async fn seven() {}

#[event(b"nine")]
fn nine() {}

#[event("ten",, concurrent)]
async fn ten() {}

struct Chat;

#[handlers]
impl Chat {
    #[event("one", parallel)]
    fn one(&self) {}

    #[event = "two"]
    fn two(&self) {}
}

struct Game;

#[handlers("three")]
impl Game {
    #[event("three")]
    fn three(&self) {}
}

fn main() {
    let _ = (Chat, Game);
    events![one, two, three, four, five, six, seven, nine, ten];
}
