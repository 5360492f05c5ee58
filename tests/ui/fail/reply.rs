use socketio::{Args, EventError, event, events, handlers};

struct Receipt {
    _at: u64,
}

type Answer<T> = Result<T, EventError>;

#[event("value")]
fn value() -> Receipt {
    Receipt { _at: 0 }
}

#[event("later")]
async fn later() -> Receipt {
    Receipt { _at: 0 }
}

#[event("list")]
fn list() -> Vec<Receipt> {
    Vec::new()
}

#[event("fallible")]
fn fallible() -> Result<Receipt, EventError> {
    Ok(Receipt { _at: 0 })
}

#[event("alias")]
async fn alias() -> Answer<Receipt> {
    Ok(Receipt { _at: 0 })
}

#[event("several")]
fn several() -> Args<(u32, Receipt)> {
    Args((1, Receipt { _at: 0 }))
}

#[event("not_several")]
fn not_several() -> Answer<Args<u32>> {
    Ok(Args(1))
}

#[event("closure")]
fn closure() -> impl Fn() {
    || ()
}

struct Chat;

#[handlers]
impl Chat {
    #[event("value")]
    fn value(&self) -> Receipt {
        Receipt { _at: 0 }
    }
}

fn main() {
    let _ = Chat;
    events![value, later, list, fallible, alias, several, not_several, closure];
}
