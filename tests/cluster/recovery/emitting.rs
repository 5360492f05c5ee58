//! Emits of servers and sockets, and who should receive them.

use socketio::{EmitError, Socket};

use super::model::{Audience, Emit, ROOMS};
use super::plan::Target;
use super::stage::{Outcome, Server, Stage};

impl Stage {
    /// Emits, and notes who should receive it.
    pub(super) fn emit(&mut self, server: usize, target: Target) -> Outcome {
        let number = self.model.lock().expect("no panic").emits.len();
        let event = ("news", number);
        let room = |room: usize| ROOMS[room % 3];
        let (mut emitter, mut audience) = (server, Audience::default());
        let hub = &self.servers[server].hub;
        let cluster_of = |server: usize| self.servers.iter().find(|other| other.number == server).map(|it| &it.cluster);
        let mut before = self.servers[server].cluster.stats().unlogged;
        let mut own = |sid: &str| {
            let server = self.model.lock().expect("no panic").sessions.get(sid).map(|session| session.server)?;
            before = cluster_of(server)?.stats().unlogged;
            emitter = self.servers.iter().position(|other| other.number == server)?;
            Some(())
        };
        let emitted = match target {
            Target::All => hub.emit(event),
            Target::Room(one) => {
                audience.rooms = vec![room(one).to_owned()];
                hub.to(room(one)).emit(event)
            }
            Target::Rooms(one, other) => {
                audience.rooms = vec![room(one).to_owned(), room(other).to_owned()];
                hub.to(room(one)).to(room(other)).emit(event)
            }
            Target::Except(one) => {
                audience.except = vec![room(one).to_owned()];
                hub.except(room(one)).emit(event)
            }
            Target::RoomExcept(one, other) => {
                (audience.rooms, audience.except) = (vec![room(one).to_owned()], vec![room(other).to_owned()]);
                hub.to(room(one)).except(room(other)).emit(event)
            }
            Target::Id(client) => {
                let Some((sid, _)) = self.session(client) else { return Ok(()) };
                audience.rooms = vec![sid.clone()];
                hub.emit_to(&sid, event)
            }
            Target::Socket(client) => {
                let Some((sid, socket)) = self.session(client) else { return Ok(()) };
                // The sockets of a server that is gone emit no more.
                let Some(()) = own(&sid) else { return Ok(()) };
                audience.session = Some(sid);
                socket.emit(event)
            }
            Target::OthersIn { client, room: one } => {
                let Some((sid, socket)) = self.session(client) else { return Ok(()) };
                let Some(()) = own(&sid) else { return Ok(()) };
                (audience.rooms, audience.except) = (vec![room(one).to_owned()], vec![sid]);
                socket.to(room(one)).emit(event)
            }
        };
        match emitted {
            Ok(()) => {}
            Err(EmitError::Closed | EmitError::NotFound(_) | EmitError::Unreachable) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let emitter = &self.servers[emitter];
        let is_logged = emitter.cluster.stats().unlogged == before;
        let unlogged_for = (!is_logged).then(|| self.sockets_of(emitter, &audience));
        self.model.lock().expect("no panic").emits.push(Emit { audience, unlogged_for });
        self.counts.emitted += 1;
        Ok(())
    }

    /// The sessions of an audience whose sockets are on a server.
    fn sockets_of(&self, server: &Server, audience: &Audience) -> Vec<String> {
        let model = self.model.lock().expect("no panic");
        let here = model.sessions.iter().filter(|(_, session)| session.server == server.number);
        let here = here.filter(|(sid, session)| server.hub.socket(sid.as_str()).as_ref() == Some(&session.socket));
        let belongs = |(sid, socket): (&String, &Socket)| {
            let is_in = |room: &String| room == sid || socket.is_in(room);
            audience.session.as_ref().is_none_or(|only| only == sid)
                && (audience.rooms.is_empty() || audience.rooms.iter().any(is_in))
                && !audience.except.iter().any(is_in)
        };
        here.map(|(sid, session)| (sid, &session.socket))
            .filter(|it| belongs(*it))
            .map(|(sid, _)| sid.clone())
            .collect()
    }
}
