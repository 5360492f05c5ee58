//! The namespaces `/project-{id}`: a project's builds, and who looks at them.

use serde::{Deserialize, Serialize};
use socketio::{EmitError, Events, JoinError, Socket, SocketId, event, events};

pub(crate) const EVENTS: Events = events![arrive, leave, watch, unwatch, report];

/// A build, as it is reported, and as those who watch its branch are told.
#[event("built")]
#[derive(Serialize, Deserialize)]
struct Build {
    branch: String,
    passed: bool,
}

/// Somebody who looks at a project, or no longer.
#[derive(Serialize)]
struct Visit<'a> {
    project: &'a str,
    visitor: SocketId,
}

impl<'a> Visit<'a> {
    fn of(visitor: &'a Socket) -> Self {
        Self { project: id_of(visitor.namespace()).unwrap_or_default(), visitor: visitor.id() }
    }
}

/// The id of the project that a namespace is for.
pub(crate) fn id_of(namespace: &str) -> Option<&str> {
    namespace.strip_prefix("/project-")
}

#[event(connect)]
fn arrive(socket: &Socket) -> Result<(), EmitError> {
    socket.hub().of("/admin").emit(("visited", Visit::of(socket)))
}

#[event(disconnect)]
fn leave(socket: &Socket) -> Result<(), EmitError> {
    socket.hub().of("/admin").emit(("left", Visit::of(socket)))
}

#[event("watch")]
fn watch(socket: &Socket, branch: String) -> Result<(), String> {
    socket.join(branch).map_err(|error: JoinError| error.to_string())
}

#[event("unwatch")]
fn unwatch(socket: &Socket, branch: String) {
    socket.leave(branch);
}

/// Answers with how many others are told.
#[event("report")]
fn report(socket: &Socket, build: Build) -> Result<usize, EmitError> {
    let watching = socket.to(&build.branch).sockets().len();
    socket.to(&build.branch).emit(&build)?;
    Ok(watching)
}
