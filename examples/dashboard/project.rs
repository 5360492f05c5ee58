//! The namespaces `/project-{id}`: a project's builds and viewers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{EmitError, Events, JoinError, Socket, SocketId, event, events};
use ts_rs::TS;

pub(crate) const EVENTS: Events = events![arrive, leave, watch, unwatch, report];

/// A build, as it is reported, and as it is sent to those who watch its branch.
#[event("built")]
#[derive(Serialize, Deserialize, JsonSchema, TS)]
pub(crate) struct Build {
    branch: String,
    passed: bool,
}

/// A viewer of a project.
#[derive(Serialize, JsonSchema, TS)]
struct Visit<'a> {
    project: &'a str,
    visitor: SocketId,
}

#[event("visited")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Visited<'a>(Visit<'a>);

#[event("left")]
#[derive(Serialize, JsonSchema, TS)]
pub(crate) struct Left<'a>(Visit<'a>);

impl<'a> Visit<'a> {
    fn of(visitor: &'a Socket) -> Self {
        Self { project: id_of(visitor.namespace()).unwrap_or_default(), visitor: visitor.id() }
    }
}

/// The id of a namespace's project.
pub(crate) fn id_of(namespace: &str) -> Option<&str> {
    namespace.strip_prefix("/project-")
}

#[event(connect)]
fn arrive(socket: &Socket) -> Result<(), EmitError> {
    socket.hub().of("/admin").emit(&Visited(Visit::of(socket)))
}

#[event(disconnect)]
fn leave(socket: &Socket) -> Result<(), EmitError> {
    socket.hub().of("/admin").emit(&Left(Visit::of(socket)))
}

#[event("watch")]
pub(crate) fn watch(socket: &Socket, branch: String) -> Result<(), String> {
    socket.join(branch).map_err(|error: JoinError| error.to_string())
}

#[event("unwatch")]
pub(crate) fn unwatch(socket: &Socket, branch: String) {
    socket.leave(branch);
}

/// Answers with the number of other sockets that receive the build.
#[event("report")]
pub(crate) fn report(socket: &Socket, build: Build) -> Result<usize, EmitError> {
    let watching = socket.to(&build.branch).sockets().len();
    socket.to(&build.branch).emit(&build)?;
    Ok(watching)
}
