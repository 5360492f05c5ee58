//! The protocol of one connection, without I/O, clock or tasks.

pub(crate) mod disconnect;
