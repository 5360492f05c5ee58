//! Contracts as AsyncAPI documents, and the page that shows one and tries it.
//!
//! [`schemas`] gathers the JSON Schemas of what the events carry, [`document`](mod@document) writes the rest around them, and [`docs`] serves
//! it together with the page.

mod docs;
mod document;
mod info;
mod schemas;

pub use docs::DocsRoutes;
pub(crate) use document::document;
pub use info::AsyncApiInfo;
pub(crate) use schemas::SchemaSource;
