//! What fuzz targets need to see of the inside. Compiled for them alone.

use crate::wire::envelope::{self, Args, Envelope};

/// What a text was read as.
#[derive(Debug)]
pub enum Read {
    /// An event; the arguments as they stand between the brackets of a list.
    Event {
        /// Its name.
        name: String,
        /// Its arguments.
        args: String,
    },
    /// An answer.
    Answer,
    /// An ordinary message.
    Message,
}

/// Reads a text as plain WebSocket connections do.
pub fn read_envelope(text: &str) -> Read {
    match envelope::read(text) {
        Some(Envelope::Event { name, args: Args::One(args) | Args::Many(args), .. }) => {
            Read::Event { name: name.into_owned(), args: args.to_owned() }
        }
        Some(Envelope::Answer { .. }) => Read::Answer,
        None => Read::Message,
    }
}
