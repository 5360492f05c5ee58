#![deny(warnings)]

use socketio::{Events, events};

mod outer {
    use socketio::{Events, event, events};

    #[event("public")]
    pub fn public() {}

    #[event("crate")]
    pub(crate) async fn in_crate() {}

    #[event("private")]
    fn private() {}

    pub mod inner {
        use socketio::{Events, event, events};

        #[event("above")]
        pub(super) fn above() {}

        #[event("within")]
        pub(in crate::visibility::outer) fn within() {}

        #[event("self")]
        pub(self) fn itself() {}

        pub(crate) const EVENTS: Events = events![itself, super::private];
    }

    pub const EVENTS: Events = events![private, inner::above, inner::within];
}

const EVENTS: Events = events![outer::public, outer::in_crate];

#[test]
fn compiles() {
    assert_eq!(EVENTS.names().collect::<Vec<_>>(), ["public", "crate"]);
    assert_eq!(outer::EVENTS.names().collect::<Vec<_>>(), ["private", "above", "within"]);
    assert_eq!(outer::inner::EVENTS.names().collect::<Vec<_>>(), ["self", "private"]);
}
