#![deny(warnings)]
#![deny(missing_docs)]

//! Everything that is public here is documented.

/// Chatting.
pub mod chat {
    use socketio::{Events, event, events, handlers};

    /// Says something.
    ///
    /// ```
    /// # not a handler
    /// ```
    #[event("say")]
    #[inline]
    #[allow(unused_variables)]
    pub fn say(#[allow(unused_mut)] mut text: String) {}

    /** Counts. */
    #[must_use]
    #[event("count")]
    #[deprecated = "nobody counts"]
    pub fn count() -> u32 {
        0
    }

    #[doc = include_str!("docs_and_attributes.rs")]
    #[event("included")]
    pub async fn included() {}

    /// What was said.
    #[event("said")]
    #[derive(Debug, serde::Serialize)]
    pub struct Said {
        /// The text.
        pub text: String,
    }

    /// A chat.
    #[derive(Debug)]
    pub struct Chat;

    /// Its handlers.
    #[handlers]
    impl Chat {
        /// Typing.
        #[event("typing")]
        #[inline]
        pub fn typing(&self) {}
    }

    /// The events.
    #[allow(deprecated)]
    pub const EVENTS: Events = events![say, count, included];
}

#[test]
fn compiles() {
    assert_eq!(chat::EVENTS.names().count(), 3);
}
