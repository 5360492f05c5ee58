//! What a contract is exported as is written above its name, once and with its word.

use socketio::{AsyncApiContract, contract};

contract! {
    #[export]
    Nothing { "/" {} }
}

contract! {
    #[export(typescript, python)]
    Python { "/" {} }
}

contract! {
    #[export(typescript)]
    #[cfg_attr(all(), export(typescript))]
    Twice { "/" {} }
}

contract! { Silent { "/" {} } }

fn documented<C: AsyncApiContract>() {}

fn main() {
    documented::<Silent>();
    let _ = (Nothing, Python, Twice);
}
