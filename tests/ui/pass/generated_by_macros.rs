#![deny(warnings)]

use socketio::{Events, Hub, Socket, event, events, handlers};

macro_rules! handler {
    ($(#[$attribute:meta])* $name:ident, $event:literal, $payload:ty => $body:expr) => {
        #[event($event)]
        $(#[$attribute])*
        fn $name(socket: &Socket, payload: $payload) -> Option<String> {
            let _ = socket.id();
            let body: fn($payload) -> Option<String> = $body;
            body(payload)
        }
    };
}

handler!(upper, "upper", String => |text| Some(text.to_uppercase()));
handler!(
    /// Documented.
    sum, "sum", Vec<u32> => |numbers| Some(numbers.iter().sum::<u32>().to_string())
);

macro_rules! later {
    ($visibility:vis $name:ident($($parameter:ident: $ty:ty),*) -> $output:ty $body:block) => {
        #[event("later")]
        $visibility async fn $name($($parameter: $ty),*) -> $output $body
    };
}

later!(pub(crate) add(x: u32, y: Option<u32>) -> Result<u32, String> { Ok(x + y.unwrap_or(0)) });

macro_rules! payload {
    ($name:ident<$lifetime:lifetime> = $event:literal { $($field:ident: $ty:ty),* }) => {
        #[event($event)]
        #[derive(serde::Serialize, serde::Deserialize)]
        struct $name<$lifetime> {
            $($field: $ty),*
        }
    };
}

payload!(Moved<'a> = "moved" { who: &'a str, x: f64 });

macro_rules! inferred {
    ($name:ident: $payload:ty) => {
        #[event]
        fn $name(payload: $payload) -> usize {
            std::mem::size_of_val(&payload)
        }
    };
}

inferred!(moved: Moved<'_>);

macro_rules! service {
    ($name:ident { $($event:literal => $method:ident),* }) => {
        struct $name;

        #[handlers]
        impl $name {
            $(
                #[event($event)]
                fn $method(&self, _text: String) {}
            )*
        }
    };
}

service!(Chat { "say" => say, "shout" => shout });

macro_rules! table {
    ($($path:path),* ; $($table:expr),*) => {
        events![$($path,)* $(..$table),*]
    };
}

macro_rules! local {
    ($event:literal) => {{
        #[event($event)]
        fn local() {}

        events![local]
    }};
}

const EVENTS: Events = table![upper, self::sum, crate::generated_by_macros::add; events![moved]];

#[test]
fn compiles() {
    let _ = Moved { who: "me", x: 1.0 }.x;
    assert_eq!(EVENTS.names().collect::<Vec<_>>(), ["upper", "sum", "later", "moved"]);
    assert_eq!(local!("local").names().collect::<Vec<_>>(), ["local"]);
    assert!(Hub::builder().events(EVENTS).events(Chat).build().is_ok());
}
