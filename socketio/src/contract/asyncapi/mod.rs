//! Exports contracts as AsyncAPI documents, and serves a page that shows a document and sends its
//! events.
//!
//! [`schemas`] gathers the JSON Schemas of payloads, [`document`](mod@document) writes the document
//! around them, and [`docs`] serves it with the page. [`markdown`] renders its doc comments.

mod docs;
mod document;
mod info;
mod markdown;
mod schemas;

pub use docs::DocsRoutes;
pub(crate) use document::document;
pub use info::AsyncApiInfo;
#[cfg(feature = "typescript")]
pub(crate) use schemas::Forms;
pub(crate) use schemas::SchemaSource;
#[cfg(feature = "http-emit")]
pub(crate) use schemas::{Maker, Schemas};
