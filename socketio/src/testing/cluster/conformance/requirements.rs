//! The requirements that the cases check. Most come from reports of what broke in clusters of other
//! frameworks.

pub(super) const R1: &str = "after a reconnect, subscriptions are restored and proved by a probe";
pub(super) const R2: &str = "the engine never gives up, and health comes from the probe";
pub(super) const R7: &str = "a loss is an event, reported after the subscriptions are back";
pub(super) const R8: &str = "connections that are half open are found by a probe with a deadline";
pub(super) const R9: &str = "a server that does not answer costs its own answer, not all";
pub(super) const R10: &str = "a wrong number of servers does not make requests hang or fail";
pub(super) const R11: &str = "a server goes on reading a log that was replaced";
pub(super) const R13: &str = "while the engine is away, clients stay, local delivery works, losses are counted";
pub(super) const R14: &str = "errors of the engine never close connections of clients";
pub(super) const R15: &str = "a slow server loses nothing that is not counted";
pub(super) const R16: &str = "messages without a local audience are skipped";
pub(super) const R17: &str = "sockets need no subscriptions of their own by default";
pub(super) const R18: &str = "ids of sockets have 20 characters, and other ids are reached too";
pub(super) const R19: &str = "unsubscribing frees what subscribing made";
pub(super) const R32: &str = "sent is received plus counted losses";
pub(super) const R35: &str = "a lost request is a result, not an exception";
pub(super) const R37: &str = "after several failed attempts the subscriptions are restored";
pub(super) const R38: &str = "a failure to connect is a value";

pub(super) const AUDIENCE: &str = "an emit reaches each selected socket on all servers once";
pub(super) const PAYLOAD: &str = "payloads arrive as they were sent, with binary data";
pub(super) const EMIT_TO: &str = "emit_to reaches the sockets with the id on all servers";
pub(super) const SET_ID: &str = "ids that are set are unique on each server";
pub(super) const NAMESPACES: &str = "namespaces of the same path act as one, others are apart";
pub(super) const DETACHED: &str = "a handle to an absent dynamic namespace publishes, and asks";
pub(super) const CHANGES: &str = "sockets join, leave and disconnect wherever they are";
pub(super) const LOCAL: &str = "what is local concerns this server alone";
pub(super) const FETCH: &str = "fetch_sockets describes the sockets of all servers";
pub(super) const ANSWERS: &str = "answers of all servers arrive, and missing ones are counted";
pub(super) const SERVER_EVENTS: &str = "server events reach the other servers, never oneself, never clients";
pub(super) const EMITTER: &str = "an emitter reaches the clients of all servers, and is no server";
pub(super) const COUNT: &str = "servers are counted while they take part";
pub(super) const ALL_ROOMS: &str = "all_rooms lists the rooms of all servers";
pub(super) const LOG: &str = "each server handles every entry of the log once, in order, also after it was cut off";
pub(super) const LOG_GAP: &str = "entries that were removed before a server has read them are a gap";
pub(super) const ENTRIES: &str = "what is read from the log is complete, or refused";
pub(super) const SESSIONS: &str = "a stored session is taken once";
pub(super) const ORDER: &str = "messages that one task emits to one room arrive in order";
pub(super) const ONCE: &str = "a message arrives at most once";
pub(super) const FLUSHED: &str = "flushed waits until emits are published and joins are in effect";
pub(super) const QUEUE: &str = "the queue is bounded, what exceeds it is dropped and counted";
pub(super) const HEALTH: &str = "health is known within 5 seconds";
pub(super) const TOO_MANY: &str = "too many pending requests are refused";
pub(super) const MALFORMED: &str = "messages that are not understood are dropped and counted";
pub(super) const SHUTDOWN: &str = "shutdown publishes what is queued, and ends all subscriptions";
