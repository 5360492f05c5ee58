//! Answers to the requests of other servers.

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

use super::details::details;
use super::member::Member;
use crate::cluster::codec::{Malformed, RawPacket};
use crate::cluster::message::{Message, ValueRef};
use crate::hub::adapter::sink::Collector;
use crate::hub::adapter::{Answerer, Audience, Packet, ServerId};
use crate::hub::server_events::ServerAck;
use crate::hub::socket::Socket;
use crate::session::received::ReceivedAnswer;
use crate::wire::scan::Scanner;

/// How long clients are waited for if the request does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time that clients are waited for.
const MAX_TIMEOUT: Duration = Duration::from_secs(3_600);

impl Member {
    /// Tells another server which sockets are here.
    pub(super) fn tell_sockets(&self, server: Option<&str>, request: Cow<'_, str>, sockets: &[Socket]) {
        let sockets = sockets.iter().map(details).collect();
        self.reply(server, &Message::Sockets { request, sockets });
    }

    /// Asks the sockets of this server, and passes their answers to the server that asked.
    pub(super) fn ask_local(
        self: &Arc<Self>,
        server: Option<&str>,
        request: &str,
        question: Packet,
        audience: &Audience,
        milliseconds: Option<u64>,
    ) {
        let sockets = self.local().sockets(audience);
        self.reply(server, &Message::ClientCount { request: request.into(), clients: sockets.len() });
        let Some(runtime) = self.core().runtime().filter(|_| !sockets.is_empty()) else { return };
        let time = milliseconds.map_or(DEFAULT_TIMEOUT, Duration::from_millis).min(MAX_TIMEOUT);
        let (collector, sink) = Collector::new(time);
        sink.ask(question, &sockets);
        drop(sink);
        let (member, server, request) = (Arc::clone(self), server.map(str::to_owned), request.to_owned());
        runtime.spawn(async move {
            let _ = timeout(time, async {
                while let Some((from, answer)) = poll_fn(|context| collector.poll_next(context)).await {
                    if let Ok(answer) = answer {
                        member.tell_ack(server.as_deref(), &request, &from, &answer);
                    }
                }
            })
            .await;
            drop(collector.close());
        });
    }

    /// Passes on the answer of a client. There is room for one argument.
    fn tell_ack(&self, server: Option<&str>, request: &str, from: &Answerer, answer: &ReceivedAnswer) {
        let failed;
        let (text, attachments) = match answer {
            ReceivedAnswer::One(text) => (&**text, None),
            ReceivedAnswer::Many(text, attachments) => (&**text, attachments.as_ref()),
            ReceivedAnswer::Failed(error) => {
                failed = format!(r#"{{"error":{error}}}"#);
                (&*failed, None)
            }
            ReceivedAnswer::TooDeep(_) => return,
        };
        let first = Scanner::new(text).value();
        let attachments = attachments.map(|attachments| &**attachments).unwrap_or_default();
        let answer = first.map(|json| ValueRef { json, attachments });
        let socket = from.id().map(|id| id.as_str().into());
        self.reply(server, &Message::Ack { request: request.into(), answer, socket });
    }

    /// Calls the listeners for an event of another server.
    pub(super) fn receive_server_event(
        self: &Arc<Self>,
        server: Option<&str>,
        packet: &RawPacket<'_>,
        request: Option<Cow<'_, str>>,
    ) -> Result<(), Malformed> {
        let packet = packet.packet()?;
        let from = server.map(ServerId::from);
        let Some(request) = request else {
            self.local().received(&packet, from);
            return Ok(());
        };
        let (member, request, to) = (Arc::downgrade(self), request.into_owned(), from.clone());
        let ack = ServerAck::new(move |answer| {
            let Some(member) = member.upgrade() else { return };
            let (json, attachments) = (answer.json(), answer.attachments());
            let answer = (!json.is_empty()).then_some(ValueRef { json, attachments });
            let to = to.as_ref().map(ServerId::as_str);
            member.reply(to, &Message::ServerAnswer { request: request.as_str().into(), answer });
        });
        self.local().received_request(&packet, from, ack);
        Ok(())
    }
}
