//! Questions to other servers: their answers are collected until all have answered or the time is
//! up.

use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

use super::adapter::options;
use super::collecting::{Collect, wait};
use super::details::remote_socket;
use super::member::Member;
use super::requests::{self, Answer, Pending, Requests};
use crate::cluster::message::{FetchPage, Message, Outgoing, ReceivedValue};
use crate::hooks::catch::catch_future;
use crate::hub::adapter::{
    Adapter, AllRooms, AnswerSink, Answerer, Audience, BoxFuture, Fetched, Packet, RequestError, ServerId,
    ServerReplies, ServerReply,
};
use crate::hub::listing::{Page, Selecting};
use crate::session::time::after;

/// How long a namespace without sockets waits for its subscription to the answers.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(1);

impl Member {
    /// Asks the sockets of this server and of the others.
    pub(super) fn ask(self: &Arc<Self>, question: Packet, audience: &Audience, answers: AnswerSink) {
        match (self.begin(), self.core().runtime()) {
            (Ok(Some(pending)), Some(runtime)) => {
                let sender = audience.except_id();
                let mut options = options(audience, sender.as_deref());
                options.flags.volatile = question.is_volatile();
                options.flags.timeout = u64::try_from(answers.timeout().as_millis()).ok();
                let request = Some(pending.id().to_owned().into());
                let asked = self.send(pending, &Message::Broadcast { packet: &question, options, request });
                runtime.spawn(asked.collect_acks(answers.clone()));
            }
            _ => answers.silent(self.core().unreached()),
        }
        self.local().ask(question, audience, answers);
    }

    /// Asks for the sockets of the audience: for all, or for those of a page.
    pub(super) fn fetch(
        self: &Arc<Self>,
        audience: &Audience,
        page: Option<&Page>,
        time: Duration,
    ) -> BoxFuture<'static, Result<Fetched, RequestError>> {
        let local = match page {
            Some(page) => self.local().fetch_page(audience, page, time),
            None => self.local().fetch(audience, time),
        };
        let sender = audience.except_id();
        let asked = self.begin().map(|pending| {
            let pending = pending?;
            let request = pending.id().to_owned().into();
            let page = page.map(fetch_page);
            Some(self.send(pending, &Message::Fetch { options: options(audience, sender.as_deref()), request, page }))
        });
        let member = Arc::clone(self);
        Box::pin(async move {
            let mut fetched = local.await?;
            for socket in &mut fetched.sockets {
                socket.server = Some(member.core().server().clone());
            }
            let remote = |server: Option<ServerId>, answer| {
                if let Answer::Sockets(sockets) = answer {
                    fetched.sockets.extend(sockets.into_iter().map(|socket| remote_socket(socket, server.clone())));
                }
            };
            fetched.silent = member.collect(asked?, time, remote).await;
            Ok(fetched)
        })
    }

    /// Asks for the names of a page of rooms. Members that do not know pages answer with all their
    /// rooms, or with all their sockets.
    pub(super) fn fetch_rooms(
        self: &Arc<Self>,
        page: &Page,
        time: Duration,
    ) -> BoxFuture<'static, Result<AllRooms, RequestError>> {
        let local = self.local().room_page(page);
        let asked = self.begin().map(|pending| {
            let pending = pending?;
            let request = pending.id().to_owned().into();
            Some(self.send(pending, &Message::FetchRooms { request, page: fetch_page(page) }))
        });
        let (member, page) = (Arc::clone(self), page.clone());
        Box::pin(async move {
            let mut names = Selecting::names(&page);
            local.iter().for_each(|name| names.offer_name(name));
            let remote = |_, answer| match answer {
                Answer::Rooms(rooms) => rooms.iter().for_each(|name| names.offer_name(name)),
                Answer::Sockets(sockets) => {
                    sockets.iter().flat_map(|socket| &socket.rooms).for_each(|name| names.offer_name(name));
                }
                _ => {}
            };
            let silent = member.collect(asked?, time, remote).await;
            Ok(AllRooms { rooms: names.into_names(), silent })
        })
    }

    pub(super) fn server_request(
        self: &Arc<Self>,
        event: &Packet,
        time: Duration,
    ) -> BoxFuture<'static, Result<ServerReplies, RequestError>> {
        let asked = self.begin().map(|pending| {
            let pending = pending?;
            let request = Some(pending.id().to_owned().into());
            Some(self.send(pending, &Message::ServerEmit { packet: event, request }))
        });
        let member = Arc::clone(self);
        Box::pin(async move {
            let mut replies = Vec::new();
            let remote = |server, answer| {
                if let Answer::Server(value) = answer {
                    let value = value.unwrap_or_else(nothing);
                    // The codec has checked the text.
                    replies.extend(ServerReply::new(server, &value.json, &value.attachments));
                }
            };
            let silent = member.collect(asked?, time, remote).await;
            Ok(ServerReplies { replies, silent })
        })
    }

    /// Begins a request. `None` while the other servers can't be asked.
    fn begin(&self) -> Result<Option<Pending>, RequestError> {
        self.core().start();
        if self.core().state().is_connected() { Requests::begin(self.core()).map(Some) } else { Ok(None) }
    }

    /// Publishes a question. A namespace that is not in the cluster subscribes to the answers
    /// first.
    fn send(self: &Arc<Self>, pending: Pending, question: &Outgoing<'_>) -> Asked {
        let body = if self.is_joined() {
            self.publish_to_all(question);
            None
        } else {
            self.core().subscribe(self.reply_topic());
            Some(self.core().encode(self.question_topic(), question))
        };
        let subscribed = body.is_some();
        Asked { member: Arc::clone(self), pending, since: Instant::now(), unsent: body, subscribed }
    }

    /// Passes the answers to `take`. Returns the number of servers that did not answer.
    async fn collect(
        &self,
        asked: Option<Asked>,
        time: Duration,
        take: impl FnMut(Option<ServerId>, Answer) + Send,
    ) -> usize {
        match asked {
            Some(asked) => asked.collect(time, take).await,
            None => self.core().unreached(),
        }
    }
}

/// The page as other servers are told it.
fn fetch_page(page: &Page) -> FetchPage<'_> {
    match page.is_all() {
        true => FetchPage::ALL,
        false => FetchPage { after: page.cursor().map(Into::into), limit: page.size() as u64 },
    }
}

/// A question that was sent, or is about to be.
struct Asked {
    member: Arc<Member>,
    pending: Pending,
    since: Instant,
    /// What is to be published when the subscription to the answers is in effect.
    unsent: Option<Vec<u8>>,
    /// Whether there is a subscription for this question alone.
    subscribed: bool,
}

impl Asked {
    /// Publishes the question if that is still to be done.
    async fn send(&mut self) {
        let Some(body) = self.unsent.take() else { return };
        let core = self.member.core();
        let _ = timeout(SUBSCRIBE_TIMEOUT, catch_future(async { core.engine().subscribed().await })).await;
        self.member.publish_question(&body);
    }

    async fn collect(mut self, time: Duration, take: impl FnMut(Option<ServerId>, Answer) + Send) -> usize {
        self.send().await;
        let mut answers = Answers { answered: 0, until: after(self.since, time), take };
        let others = wait(&self.member, &mut self.pending, &mut answers).await;
        let silent = others.saturating_sub(answers.answered);
        self.member.core().counters().silent.add(silent as u64);
        silent
    }

    /// Passes the answers of sockets to the sink.
    async fn collect_acks(mut self, sink: AnswerSink) {
        self.send().await;
        let mut acks = Acks { counted: 0, expected: 0, answered: 0, since: self.since, sink };
        let others = wait(&self.member, &mut self.pending, &mut acks).await;
        let silent = others.saturating_sub(acks.counted);
        self.member.core().counters().silent.add(silent as u64);
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.subscribed {
            self.member.core().unsubscribe(self.member.reply_topic());
            self.member.retract();
        }
    }
}

/// Collects one answer of each server.
struct Answers<F> {
    answered: usize,
    until: Instant,
    take: F,
}

impl<F: FnMut(Option<ServerId>, Answer) + Send> Collect for Answers<F> {
    fn expect(&mut self, _others: usize) {}

    fn take(&mut self, (server, answer): requests::From) {
        self.answered += 1;
        (self.take)(server, answer);
    }

    fn is_complete(&self, others: usize) -> bool {
        self.answered >= others
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.until)
    }
}

/// Collects the number of sockets of each server, and the answer of each socket.
struct Acks {
    /// The servers that told their number.
    counted: usize,
    expected: usize,
    answered: usize,
    since: Instant,
    sink: AnswerSink,
}

impl Collect for Acks {
    /// The asker may stop to wait before this task does, and is told at any time what is missing.
    fn expect(&mut self, others: usize) {
        self.sink.set_uncounted(others.saturating_sub(self.counted));
    }

    fn take(&mut self, (_, answer): requests::From) {
        match answer {
            Answer::ClientCount(clients) => {
                self.counted += 1;
                self.expected = self.expected.saturating_add(clients);
                self.sink.expect(clients);
            }
            Answer::Ack { value, socket } => {
                self.answered += 1;
                let from = socket.map_or(Answerer::Elsewhere, |id| Answerer::Id(id.as_str().into()));
                let value = value.unwrap_or_else(nothing);
                // The codec has checked the text.
                let _ = self.sink.answer(from, &value.json, &value.attachments);
            }
            _ => {}
        }
    }

    fn is_complete(&self, others: usize) -> bool {
        self.counted >= others && self.answered >= self.expected
    }

    /// The asker may change the time that it waits, or stop to wait.
    fn deadline(&self) -> Option<Instant> {
        (!self.sink.is_closed()).then(|| after(self.since, self.sink.timeout()))
    }
}

fn nothing() -> ReceivedValue {
    ReceivedValue { json: String::new(), attachments: Vec::new() }
}
