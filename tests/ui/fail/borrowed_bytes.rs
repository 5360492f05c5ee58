use socketio::{PayloadError, event, handlers};

type Raw<'a> = &'a [u8];

#[event("slice")]
fn slice(_data: &[u8]) {}

#[event("alias")]
async fn alias(_name: String, _data: Raw<'_>) {}

#[event("optional")]
fn optional<'a>(_data: Option<&'a [u8]>) {}

#[event("checked")]
fn checked(_data: Result<&[u8], PayloadError>) {}

struct Files;

#[handlers]
impl Files {
    #[event("upload")]
    fn upload(&self, _data: &[u8]) {}
}

fn main() {
    let _ = (slice, alias, optional, checked, Files);
}
