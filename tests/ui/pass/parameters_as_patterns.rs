#![deny(warnings)]

use serde::Deserialize;
use socketio::{event, events};

#[derive(Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

#[event("sum")]
fn sum(Point { x, y }: Point, _: u32, (left, right): (i32, i32), mut start: i32) -> i32 {
    start += x + y + left + right;
    start
}

#[event("first")]
async fn first([first, ..]: [u32; 3]) -> u32 {
    first
}

#[test]
fn compiles() {
    assert_eq!(events![sum, first].names().count(), 2);
}
