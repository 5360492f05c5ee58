//! What fuzz targets need to see of the inside. Compiled for them alone.

use http::{Extensions, Request as HttpRequest};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::stream::Stream;
use crate::hub::Hub;
use crate::hub::connections::Admission;
use crate::socket::handshake::Request;
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

/// A plain WebSocket connection of a hub, over a stream on which the handshake is done. It has ended when the future does.
///
/// # Panics
///
/// The hub shuts down, or has as many connections as it may have.
pub fn connection<S>(hub: &Hub, stream: S) -> impl Future<Output = ()> + Send + use<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (parts, ()) = HttpRequest::new(()).into_parts();
    let request = Request::new(&parts, std::iter::empty(), None, None);
    let admission = Admission::to(hub).expect("a place for the connection");
    hub.websocket().begin(Stream::Other(Box::new(stream)), Vec::new(), request, Extensions::new(), admission)
}
