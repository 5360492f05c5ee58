//! The zoo with types that clients send too, so that each has a schema for reading.

use socketio::{contract, event};

use super::*;

macro_rules! received {
    ($($event:literal $function:ident($ty:ident))*) => {
        $(
            #[event($event)]
            fn $function(_value: $ty) {}
        )*
    };
}

received! {
    "unit" unit(Unit)
    "newtype" newtype(Newtype)
    "tuple" tuple(Tuple)
    "empty" empty(Empty)
    "numbers" numbers(Numbers)
    "options" options(Options)
    "external" external(External)
    "internal" internal(Internal)
    "adjacent" adjacent(Adjacent)
    "untagged" untagged(Untagged)
    "renamed" renamed(Renamed)
    "flattened" flattened(Flattened)
    "skipped" skipped(Skipped)
    "maps" maps(Maps)
    "generic" generic(Generic)
    "arrays" arrays(Arrays)
    "others" others(Others)
}

contract! {
    #[export(asyncapi, typescript)]
    pub(crate) Both {
        "/" {
            receives [
                unit, newtype, tuple, empty, numbers, options, external, internal, adjacent, untagged, renamed, flattened,
                skipped, maps, generic, arrays, others,
            ]
            emits [
                Unit, Newtype, Tuple, Empty, Numbers, Options, External, Internal, Adjacent, Untagged, Renamed, Flattened,
                Skipped, Maps, Generic, Arrays, Others,
            ]
        }
    }
}
