//! The payload of the `echo` example. It borrows from the message.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

#[derive(Deserialize, Serialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    room: u32,
    #[serde(borrow)]
    text: Cow<'a, str>,
}
