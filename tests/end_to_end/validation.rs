//! Payload validation: a violation is answered like a payload that does not decode.

use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketio::{Args, Binary, BuildProblem, Event, Events, Hub, PayloadError, Valid, event, events};
use socketio_tests::{Client, serve};
use std::borrow::Cow;
use std::collections::HashMap;

#[event("profile")]
#[derive(Debug, Deserialize, Serialize, Validate)]
#[serde(rename_all = "camelCase")]
struct Profile<'a> {
    #[garde(length(min = 2, max = 8))]
    #[serde(borrow)]
    nick_name: Cow<'a, str>,
    #[garde(dive)]
    user: User,
    #[garde(dive)]
    #[serde(default)]
    friends: Vec<User>,
    #[garde(dive)]
    #[serde(flatten)]
    place: Place,
    #[garde(dive)]
    #[serde(default)]
    relatives: HashMap<String, User>,
    #[garde(length(max = 3))]
    #[serde(default)]
    picture: Option<Picture>,
    #[garde(dive)]
    #[serde(default)]
    plans: Vec<Plan>,
}

#[derive(Debug, Deserialize, Serialize, Validate)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Plan {
    MoveTo {
        #[garde(dive)]
        new_place: Place,
    },
    Marry(#[garde(dive)] User),
    Wait(#[garde(range(max = 10))] u8, #[garde(range(max = 59))] u8),
}

#[derive(Debug, Deserialize, Serialize, Validate)]
struct User {
    #[garde(range(min = 18, max = 150))]
    age: u8,
}

#[derive(Debug, Deserialize, Serialize, Validate)]
struct Place {
    #[garde(ascii)]
    #[serde(default)]
    town: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct Picture(Binary);

impl garde::rules::length::HasSimpleLength for Picture {
    fn length(&self) -> usize {
        self.0.len()
    }
}

#[event]
fn profile(profile: Valid<Profile<'_>>) -> String {
    format!("{} is {}", profile.nick_name, profile.user.age)
}

#[event("async")]
async fn asynchronous(first: u8, user: Valid<User>) -> u8 {
    first + user.into_inner().age
}

#[event("optional")]
fn optional(user: Option<Valid<User>>) -> Option<u8> {
    user.map(|user| user.age)
}

#[event("checked")]
fn checked(
    user: Result<Valid<User>, PayloadError>,
    other: Result<Option<Valid<User>>, PayloadError>,
) -> Args<(Value, Value)> {
    let told = |error: PayloadError| json!([error.argument(), error.path(), error.message(), error.others().len()]);
    let user = user.map_or_else(told, |user| json!(user.age));
    Args((user, other.map_or_else(told, |other| json!(other.map(|other| other.age)))))
}

/// The largest value that a hub accepts, as the context of a rule.
struct Most(u32);

#[derive(Deserialize, Validate)]
#[garde(context(Most as most))]
struct Order {
    #[garde(custom(at_most(most.0)))]
    count: u32,
}

fn at_most(most: u32) -> impl FnOnce(&u32, &Most) -> garde::Result {
    move |count, _| match *count > most {
        true => Err(garde::Error::new(format!("no more than {most}"))),
        false => Ok(()),
    }
}

#[event("order")]
fn order(order: Valid<Order>) -> u32 {
    order.count
}

const EVENTS: Events = events![profile, asynchronous, optional, checked, order];

async fn client() -> Client {
    let hub = Hub::builder().state(Most(3)).events(EVENTS).build().expect("a hub");
    serve(hub).await.connect("ann").await
}

fn invalid(path: Option<&str>, message: &str) -> Value {
    let mut error = json!({ "code": "invalid_payload", "message": message, "argument": 0 });
    if let Some(path) = path {
        error["path"] = path.into();
    }
    json!({ "id": "ask", "error": error })
}

#[tokio::test]
async fn a_valid_payload_reaches_the_handler() {
    let mut client = client().await;
    assert_eq!(Valid::<Profile<'_>>::NAME, "profile");
    let profile = json!({ "nickName": "ann", "user": { "age": 20 }, "friends": [{ "age": 21 }], "town": "Ulm" });
    assert_eq!(client.ask("profile", profile).await["data"], "ann is 20");
    assert_eq!(client.ask_all("async", json!([1, { "age": 20 }, 3])).await["data"], 21);
    assert_eq!(client.ask("order", json!({ "count": 3 })).await["data"], 3);
}

#[tokio::test]
async fn a_violation_is_answered_like_a_payload_that_does_not_decode() {
    let mut client = client().await;
    let profile = |change: Value| {
        let mut profile = json!({ "nickName": "ann", "user": { "age": 20 } });
        profile.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        profile
    };
    for (change, path, message) in [
        (json!({ "user": { "age": 300 } }), "user.age", "invalid value: integer `300`, expected u8"),
        (json!({ "user": { "age": 7 } }), "user.age", "lower than 18"),
        (json!({ "friends": [{ "age": 20 }, { "age": 7 }] }), "friends[1].age", "lower than 18"),
        (
            json!({ "plans": [{ "marry": { "age": 20 } }, { "marry": { "age": 7 } }] }),
            "plans[1].marry.age",
            "lower than 18",
        ),
        (
            json!({ "plans": [{ "marry": { "age": 300 } }] }),
            "plans[0].marry.age",
            "invalid value: integer `300`, expected u8",
        ),
        (
            json!({ "plans": [{ "moveTo": { "newPlace": { "town": "Köln" } } }] }),
            "plans[0].moveTo.newPlace.town",
            "not ascii",
        ),
        (json!({ "plans": [{ "wait": [1, 70] }] }), "plans[0].wait[1]", "greater than 59"),
        (json!({ "plans": [{ "wait": [1, 300] }] }), "plans[0].wait[1]", "invalid value: integer `300`, expected u8"),
        (json!({ "nickName": "a" }), "nickName", "length is lower than 2"),
        (json!({ "town": "Köln" }), "town", "not ascii"),
        (json!({ "relatives": { "my_son": { "age": 7 } } }), "relatives.my_son.age", "lower than 18"),
        (json!({ "picture": "AQIDBA==" }), "picture", "length is greater than 3"),
    ] {
        assert_eq!(client.ask("profile", profile(change)).await, invalid(Some(path), message));
    }
    let young = json!({ "age": 7 });
    for (arguments, mut expected) in
        [(json!([1, young]), invalid(Some("age"), "lower than 18")), (json!([1]), invalid(None, "missing argument"))]
    {
        expected["error"]["argument"] = 1.into();
        assert_eq!(client.ask_all("async", arguments).await, expected);
    }
    assert_eq!(client.ask("order", json!({ "count": 4 })).await, invalid(Some("count"), "no more than 3"));
}

#[tokio::test]
async fn the_first_violation_is_the_error_and_its_data_lists_all() {
    let mut client = client().await;
    let answer = client.ask("profile", json!({ "nickName": "a", "user": { "age": 7 }, "town": "Köln" })).await;
    let all = json!([
        { "path": "nickName", "message": "length is lower than 2" },
        { "path": "town", "message": "not ascii" },
        { "path": "user.age", "message": "lower than 18" },
    ]);
    let (path, message) = (&all[0]["path"], &all[0]["message"]);
    let error = json!({ "code": "invalid_payload", "argument": 0, "path": path, "message": message, "data": all });
    assert_eq!(answer["error"], error);
    let friends = vec![json!({ "age": 7 }); 1_000];
    let answer = client.ask("profile", json!({ "nickName": "ann", "user": { "age": 20 }, "friends": friends })).await;
    assert_eq!(answer["error"]["data"].as_array().map(Vec::len), Some(32));
}

#[tokio::test]
async fn an_optional_payload_may_be_missing_and_a_result_leaves_errors_to_the_handler() {
    let mut client = client().await;
    assert_eq!(client.ask_all("optional", json!([])).await["data"], Value::Null);
    assert_eq!(client.ask("optional", Value::Null).await["data"], Value::Null);
    assert_eq!(client.ask("optional", json!({ "age": 20 })).await["data"], 20);
    assert_eq!(client.ask("optional", json!({ "age": 7 })).await, invalid(Some("age"), "lower than 18"));

    let (young, old) = (json!({ "age": 7 }), json!({ "age": 20 }));
    let violation = |argument| json!([argument, "age", "lower than 18", 0]);
    let missing = json!([0, null, "missing argument", 0]);
    for (args, answer) in [
        (json!([old, old]), json!([20, 20])),
        (json!([old]), json!([20, null])),
        (json!([young, young]), json!([violation(0), violation(1)])),
        (json!([]), json!([missing, null])),
    ] {
        assert_eq!(client.ask_all("checked", args).await["args"], answer);
    }
}

mod no_clients {
    use super::*;

    #[tokio::test]
    async fn build_fails_without_the_context_of_rules() {
        let error = Hub::builder().events(events![order]).build().expect_err("there is no `Most`");
        let [BuildProblem::MissingState { event: "order", state }] = error.problems() else { panic!("{error}") };
        assert!(state.ends_with("Most"));
        Hub::builder().events(events![profile]).build().expect("rules without a context need nothing");
    }

    #[test]
    fn validated_handlers_can_be_called_as_functions() {
        let user = Valid::new(User { age: 20 }, &()).expect("old enough");
        assert_eq!(optional(Some(user)), Some(20));
        let error = Valid::new(User { age: 7 }, &()).expect_err("too young");
        assert_eq!((error.path(), error.message()), (Some("age"), "lower than 18"));
    }
}
