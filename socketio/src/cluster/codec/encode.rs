//! [`encode`]: writes messages in the form of servers on Node.js. What these don't know is in keys
//! and flags that they ignore.

use super::output::{Format, Output, has_binary};
use super::types::{classic, messages};
use crate::cluster::message::{FetchPage, Message, Options, Outgoing, RequestId, ValueRef};
use crate::cluster::{Dialect, Topic};
use crate::wire::packet::Packet;

/// The id of the request that a probe seems to answer. No request has it.
const PROBE: &str = "probe";

/// Appends a message for a topic. `server` is the id of this server.
///
/// Messages that have no form in the dialect are not written: in `Messages` and `Streams`, those
/// that only `Classic` has. The requests that only old members send are not written either.
pub(crate) fn encode(dialect: Dialect, server: &str, topic: Topic<'_>, message: &Outgoing<'_>, out: &mut Vec<u8>) {
    let namespace = topic.namespace();
    let form = match (dialect, topic) {
        (Dialect::Classic, _) => return Classic { server, namespace, out }.message(message),
        (Dialect::Messages, _) => Form::Whole { server, namespace },
        (Dialect::Streams, Topic::Log { .. }) => Form::Data,
        (Dialect::Streams, _) => Form::WholeAsMsgpack { server, namespace },
    };
    encode_cluster_message(&form, message, out);
}

/// The type of a message, if it goes into the log of the dialect `Streams`. The others have
/// answers, or are answers.
pub(crate) fn kind_in_log(message: &Outgoing<'_>) -> Option<u8> {
    let kind = match message {
        Message::Broadcast { request: None, .. } => messages::BROADCAST,
        Message::Join { .. } => messages::JOIN,
        Message::Leave { .. } => messages::LEAVE,
        Message::Disconnect { .. } => messages::DISCONNECT,
        Message::Probe { .. } => messages::PROBE,
        _ => return None,
    };
    u8::try_from(kind).ok()
}

/// How much of a cluster message is written.
enum Form<'e> {
    Whole {
        server: &'e str,
        namespace: &'e str,
    },
    WholeAsMsgpack {
        server: &'e str,
        namespace: &'e str,
    },
    /// Its data alone. The rest is known from the topic.
    Data,
}

impl Form<'_> {
    /// Writes a message with `entries` in its data.
    fn write(&self, out: &mut Vec<u8>, format: Format, kind: u64, entries: usize, data: &dyn Fn(&mut Output<'_>)) {
        let (format, server, namespace) = match self {
            Self::Data => return Output::new(out, format).map(entries, data),
            Self::Whole { server, namespace } => (format, server, namespace),
            Self::WholeAsMsgpack { server, namespace } => (Format::Msgpack, server, namespace),
        };
        Output::new(out, format).map(4, |output| {
            output.key("type").unsigned(kind);
            output.key("data").map(entries, data);
            output.key("uid").text(server);
            output.key("nsp").text(namespace);
        });
    }

    /// Writes a message that has a type alone.
    fn write_without_data(&self, out: &mut Vec<u8>, kind: u64) {
        let (format, server, namespace) = match self {
            // No such message is logged.
            Self::Data => return,
            Self::Whole { server, namespace } => (Format::Json, server, namespace),
            Self::WholeAsMsgpack { server, namespace } => (Format::Msgpack, server, namespace),
        };
        Output::new(out, format).map(3, |output| {
            output.key("type").unsigned(kind);
            output.key("uid").text(server);
            output.key("nsp").text(namespace);
        });
    }
}

struct Classic<'e> {
    server: &'e str,
    namespace: &'e str,
    out: &'e mut Vec<u8>,
}

impl Classic<'_> {
    fn message(&mut self, message: &Outgoing<'_>) {
        match message {
            Message::Broadcast { packet, options, request: None } => self.broadcast(packet, options),
            Message::Broadcast { packet, options, request: Some(request) } => {
                let namespace = self.namespace;
                self.request(Format::Msgpack, Some(request), classic::BROADCAST, 2, |output| {
                    event(output.key("packet"), packet, Some(namespace));
                    output.key("opts").options(options, true);
                });
            }
            Message::Join { options, rooms } => self.change(classic::JOIN, options, 1, |output| {
                output.key("rooms").names(rooms);
            }),
            Message::Leave { options, rooms } => self.change(classic::LEAVE, options, 1, |output| {
                output.key("rooms").names(rooms);
            }),
            Message::Disconnect { options, close, reason } => {
                self.change(classic::DISCONNECT, options, 1 + usize::from(!reason.is_empty()), |output| {
                    disconnect(output, *close, reason);
                });
            }
            Message::Fetch { options, request, page } => {
                let entries = 1 + usize::from(page.is_some());
                self.request(Format::Json, Some(request), classic::FETCH, entries, |output| {
                    output.key("opts").options(options, false);
                    fetch_page(output, page.as_ref());
                });
            }
            Message::FetchRooms { request, page } => {
                let page = (!page.is_all()).then_some(page);
                let entries = usize::from(page.is_some());
                self.request(Format::Json, Some(request), classic::ALL_ROOMS, entries, |output| {
                    fetch_page(output, page);
                });
            }
            Message::ServerEmit { packet, request } => {
                let format = Format::with_binary(has_binary(packet));
                self.request(format, request.as_ref(), classic::SERVER_EMIT, 1, |output| {
                    output.key("data").event(packet);
                });
            }
            Message::FetchIds { .. }
            | Message::OldJoin { .. }
            | Message::OldLeave { .. }
            | Message::OldDisconnect { .. }
            | Message::InitialHeartbeat
            | Message::Heartbeat
            | Message::Close => {}
            Message::Sockets { request, sockets } => self.response(Format::Json, None, request, 1, |output| {
                output.key("sockets").sockets(sockets);
            }),
            Message::SocketIds { request, ids } => self.response(Format::Json, None, request, 1, |output| {
                output.key("sockets").names(ids);
            }),
            Message::Rooms { request, rooms } => self.response(Format::Json, None, request, 1, |output| {
                output.key("rooms").names(rooms);
            }),
            Message::Done { request } => self.response(Format::Json, None, request, 0, |_| {}),
            Message::ClientCount { request, clients } => {
                self.response(Format::Json, Some(classic::CLIENT_COUNT), request, 1, |output| {
                    output.key("clientCount").unsigned(*clients as u64);
                });
            }
            Message::Ack { request, answer, socket } => {
                let entries = usize::from(answer.is_some()) + usize::from(socket.is_some());
                self.response(Format::Msgpack, Some(classic::ACK), request, entries, |output| {
                    ack(output, *answer, socket.as_deref());
                });
            }
            Message::ServerAnswer { request, answer } => {
                let kind = Some(classic::SERVER_EMIT);
                self.response(format_of(*answer), kind, request, usize::from(answer.is_some()), |output| {
                    if let Some(answer) = answer {
                        output.key("data").value(*answer);
                    }
                });
            }
            Message::Probe { number } => Output::new(self.out, Format::Json).map(2, |output| {
                output.key("requestId").text(PROBE);
                output.key("probe").unsigned(*number);
            }),
        }
    }

    fn broadcast(&mut self, packet: &Packet, options: &Options<'_>) {
        // An array of three elements.
        self.out.push(0x93);
        let mut output = Output::new(self.out, Format::Msgpack);
        output.text(self.server);
        event(&mut output, packet, Some(self.namespace));
        output.options(options, true);
    }

    /// Writes a request with `entries` more entries.
    fn request(
        &mut self,
        format: Format,
        request: Option<&RequestId<'_>>,
        kind: u64,
        entries: usize,
        write: impl FnOnce(&mut Output<'_>),
    ) {
        let entries = 2 + usize::from(request.is_some()) + entries;
        Output::new(self.out, format).map(entries, |output| {
            output.key("uid").text(self.server);
            if let Some(request) = request {
                output.key("requestId").text(request);
            }
            output.key("type").unsigned(kind);
            write(output);
        });
    }

    fn change(&mut self, kind: u64, options: &Options<'_>, entries: usize, write: impl FnOnce(&mut Output<'_>)) {
        self.request(Format::Json, None, kind, 1 + entries, |output| {
            output.key("opts").options(options, false);
            write(output);
        });
    }

    /// Writes a response with `entries` more entries. In Node.js it does not say whose it is.
    fn response(
        &mut self,
        format: Format,
        kind: Option<u64>,
        request: &RequestId<'_>,
        entries: usize,
        write: impl FnOnce(&mut Output<'_>),
    ) {
        Output::new(self.out, format).map(2 + usize::from(kind.is_some()) + entries, |output| {
            if let Some(kind) = kind {
                output.key("type").unsigned(kind);
            }
            output.key("requestId").text(request);
            write(output);
            output.key("uid").text(self.server);
        });
    }
}

fn encode_cluster_message(form: &Form<'_>, message: &Outgoing<'_>, out: &mut Vec<u8>) {
    let mut write =
        |format, kind: u64, entries, data: &dyn Fn(&mut Output<'_>)| form.write(out, format, kind, entries, data);
    match message {
        Message::Broadcast { packet, options, request } => {
            let format = Format::with_binary(has_binary(packet));
            write(format, messages::BROADCAST, 2 + usize::from(request.is_some()), &|output| {
                event(output.key("packet"), packet, None);
                if let Some(request) = request {
                    output.key("requestId").text(request);
                }
                output.key("opts").options(options, true);
            });
        }
        Message::Join { options, rooms } => write(Format::Json, messages::JOIN, 2, &|output| {
            output.key("opts").options(options, true);
            output.key("rooms").names(rooms);
        }),
        Message::Leave { options, rooms } => write(Format::Json, messages::LEAVE, 2, &|output| {
            output.key("opts").options(options, true);
            output.key("rooms").names(rooms);
        }),
        Message::Disconnect { options, close, reason } => write(Format::Json, messages::DISCONNECT, 2, &|output| {
            output.key("opts").options(options, true);
            disconnect(output, *close, reason);
        }),
        Message::Fetch { options, request, page } => {
            write(Format::Json, messages::FETCH, 2 + usize::from(page.is_some()), &|output| {
                output.key("opts").options(options, true);
                output.key("requestId").text(request);
                fetch_page(output, page.as_ref());
            });
        }
        Message::ServerEmit { packet, request } => {
            let format = Format::with_binary(has_binary(packet));
            write(format, messages::SERVER_EMIT, 1 + usize::from(request.is_some()), &|output| {
                if let Some(request) = request {
                    output.key("requestId").text(request);
                }
                output.key("packet").event(packet);
            });
        }
        Message::FetchRooms { request, page } => write(Format::Json, messages::FETCH, 3, &|output| {
            output.key("opts").options(&Options::default(), true);
            output.key("requestId").text(request);
            page_of(output.key("roomPage"), page);
        }),
        Message::FetchIds { .. }
        | Message::OldJoin { .. }
        | Message::OldLeave { .. }
        | Message::OldDisconnect { .. }
        | Message::SocketIds { .. }
        | Message::Done { .. } => {}
        Message::Sockets { request, sockets } => write(Format::Json, messages::SOCKETS, 2, &|output| {
            output.key("requestId").text(request);
            output.key("sockets").sockets(sockets);
        }),
        Message::Rooms { request, rooms } => write(Format::Json, messages::SOCKETS, 3, &|output| {
            output.key("requestId").text(request);
            output.key("sockets").sockets(&[]);
            output.key("rooms").names(rooms);
        }),
        Message::ClientCount { request, clients } => write(Format::Json, messages::CLIENT_COUNT, 2, &|output| {
            output.key("requestId").text(request);
            output.key("clientCount").unsigned(*clients as u64);
        }),
        Message::Ack { request, answer, socket } => {
            let entries = 1 + usize::from(answer.is_some()) + usize::from(socket.is_some());
            write(format_of(*answer), messages::ACK, entries, &|output| {
                output.key("requestId").text(request);
                ack(output, *answer, socket.as_deref());
            });
        }
        Message::ServerAnswer { request, answer } => {
            write(format_of(*answer), messages::SERVER_ANSWER, 1 + usize::from(answer.is_some()), &|output| {
                output.key("requestId").text(request);
                ack(output, *answer, None);
            });
        }
        Message::InitialHeartbeat => form.write_without_data(out, messages::INITIAL_HEARTBEAT),
        Message::Heartbeat => form.write_without_data(out, messages::HEARTBEAT),
        Message::Close => form.write_without_data(out, messages::CLOSE),
        Message::Probe { number } => write(Format::Json, messages::PROBE, 2, &|output| {
            output.key("requestId").text(PROBE);
            output.key("probe").unsigned(*number);
        }),
    }
}

fn format_of(answer: Option<ValueRef<'_>>) -> Format {
    Format::with_binary(answer.is_some_and(|answer| !answer.attachments.is_empty()))
}

/// Writes a packet of a broadcast.
fn event(output: &mut Output<'_>, packet: &Packet, namespace: Option<&str>) {
    output.map(2 + usize::from(namespace.is_some()), |output| {
        output.key("type").unsigned(2);
        output.key("data").event(packet);
        if let Some(namespace) = namespace {
            output.key("nsp").text(namespace);
        }
    });
}

fn fetch_page(output: &mut Output<'_>, page: Option<&FetchPage<'_>>) {
    if let Some(page) = page {
        page_of(output.key("page"), page);
    }
}

/// Writes a page. Without a limit it has all that there is.
fn page_of(output: &mut Output<'_>, FetchPage { after, limit }: &FetchPage<'_>) {
    let limit = (*limit < u64::MAX).then_some(*limit);
    output.map(usize::from(after.is_some()) + usize::from(limit.is_some()), |output| {
        if let Some(after) = after {
            output.key("after").text(after);
        }
        if let Some(limit) = limit {
            output.key("limit").unsigned(limit);
        }
    });
}

fn disconnect(output: &mut Output<'_>, close: bool, reason: &str) {
    output.key("close").boolean(close);
    if !reason.is_empty() {
        output.key("reason").text(reason);
    }
}

fn ack(output: &mut Output<'_>, answer: Option<ValueRef<'_>>, socket: Option<&str>) {
    if let Some(answer) = answer {
        output.key("packet").value(answer);
    }
    if let Some(socket) = socket {
        output.key("sid").text(socket);
    }
}
