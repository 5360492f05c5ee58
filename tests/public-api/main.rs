//! Prints the public items of a crate, one per line, from the JSON that rustdoc writes.
//! `tests/check-public-api` runs it.

#![allow(clippy::print_stdout, reason = "this is what it is for")]

use public_api::Builder;
use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let json = env::args().nth(1).ok_or("usage: public-api FILE.json")?;
    // Blanket and auto trait implementations are the same for most types, so they are omitted.
    let builder = Builder::from_rustdoc_json(json).omit_blanket_impls(true).omit_auto_trait_impls(true);
    print!("{}", builder.build()?);
    Ok(())
}
