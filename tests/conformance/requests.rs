//! Typed requests to clients.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketio::{AckError, Answerer, Binary, Events, Socket, event, events};
use std::time::Duration;

use crate::events::Chosen;

pub(crate) const EVENTS: Events = events![request, survey];

#[event("riddle", ack = Solution)]
#[derive(Serialize)]
struct Riddle {
    text: String,
    picture: Binary,
}

#[derive(Deserialize, Serialize)]
struct Solution {
    word: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sketch: Option<Binary>,
}

impl Riddle {
    fn new(text: String) -> Self {
        Self { picture: Binary::from(text.clone().into_bytes()), text }
    }
}

/// The outcome of a request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    Solved(Solution),
    Failed(Value),
    Missing(&'static str),
}

impl From<&AckError> for Outcome {
    fn from(error: &AckError) -> Self {
        match error {
            AckError::Failed(error) => Self::Failed(json!({ "code": error.code(), "message": error.message() })),
            AckError::Payload(_) => Self::Missing("invalid"),
            AckError::Timeout => Self::Missing("timeout"),
            _ => Self::Missing("closed"),
        }
    }
}

#[event("request", concurrent)]
async fn request(socket: &Socket, time: u64, text: String) -> Outcome {
    let solution = socket.request(&Riddle::new(text)).timeout(Duration::from_millis(time)).await;
    solution.map_or_else(|error| Outcome::from(&error), Outcome::Solved)
}

#[event("survey", concurrent)]
async fn survey(socket: &Socket, chosen: Chosen, time: u64, text: String) -> Vec<(String, Outcome)> {
    let time = Duration::from_millis(time);
    let mut solutions = chosen.select(socket, |selection| selection.request(&Riddle::new(text)).timeout(time));
    let mut outcomes = Vec::new();
    while let Some((id, solution)) = solutions.next().await {
        outcomes.push((id.to_string(), Outcome::Solved(solution)));
    }
    let missing = |(id, error): &(Answerer, AckError)| (id.to_string(), error.into());
    outcomes.extend(solutions.missing().errors.iter().map(missing));
    outcomes.sort_by(|(one, _), (other, _)| one.cmp(other));
    outcomes
}
