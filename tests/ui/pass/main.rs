//! Code that must compile without a warning. Each module is one case, and its test runs it.
//!
//! The cases are modules of one program because trybuild links each passing case separately.

#![allow(
    missing_docs,
    unused_qualifications,
    unreachable_pub,
    clippy::all,
    reason = "the cases say themselves which lints they keep to"
)]

pub mod ack_alone;
pub mod async_handlers;
pub mod blocking;
pub mod concurrent;
pub mod conditions;
pub mod conditions_of_parameters_and_items;
pub mod contracts;
pub mod contracts_without_exports;
pub mod docs_and_attributes;
pub mod emitted;
pub mod errors_of_the_framework;
pub mod errors_with_codes;
pub mod fallback;
pub mod functions_stay_functions;
pub mod generated_by_macros;
pub mod handlers;
pub mod handlers_of_lifecycle_events;
pub mod handlers_with_inferred_names;
pub mod handlers_with_parameters;
pub mod lifecycle_events;
pub mod lifecycle_names_as_events;
pub mod lifetimes;
pub mod lints;
pub mod listeners;
pub mod names_inferred;
pub mod names_of_any_text;
pub mod names_of_generated_locals;
pub mod names_of_generated_types;
pub mod names_of_other_things;
pub mod names_that_are_constants;
pub mod no_prelude;
pub mod parameters_around_the_event;
pub mod parameters_as_patterns;
pub mod parameters_by_another_name;
pub mod parameters_by_the_dozen;
pub mod parameters_checked_by_the_handler;
pub mod parameters_of_ones_own;
pub mod parameters_of_the_payload;
pub mod parameters_that_may_be_missing;
pub mod paths_to_the_attribute;
pub mod payload_types;
pub mod payload_types_that_ask;
pub mod payloads_with_rules;
pub mod reauthenticate;
pub mod replies;
pub mod replies_borrowed_from_the_event;
pub mod replies_of_several_arguments;
pub mod replies_that_may_fail;
pub mod replies_without_a_name;
pub mod state_shared_and_asked_for;
pub mod tables;
pub mod tables_in_functions;
pub mod tables_of_imported_handlers;
pub mod timeout;
pub mod visibility;

#[test]
fn every_case_is_a_module() {
    socketio_tests::assert_modules(include_str!("main.rs"), concat!(env!("CARGO_MANIFEST_DIR"), "/ui/pass"));
}
