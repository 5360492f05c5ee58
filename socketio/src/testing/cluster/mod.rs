//! What tests of an [`Engine`](crate::cluster::Engine) need instead of a hub.

mod recorder;

pub use recorder::{OwnedTopic, Recorded, Recorder, batch};
