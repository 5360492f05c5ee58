//! The commands of tests.

use serde_json::{Value, json};
use socketio::cluster::Health;
use socketio::{AnyValue, EventError, Events, RawArgs, RemoteSocket, State, event, events};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::Member;
use crate::overview;
use crate::selection::Chosen;

pub(crate) const EVENTS: Events = events![command];

/// Runs a verb. The ack is `{ result }` or `{ error }`.
#[event("command", concurrent)]
async fn command(
    member: State<Member>,
    verb: String,
    chosen: Chosen,
    args: RawArgs<'_>,
) -> Result<AnyValue, EventError> {
    let args = args.skip(2);
    let result = match verb.as_str() {
        "start" | "stop" | "burst" | "stats" | "health" => local(&member, &verb, &chosen, args)?,
        "remoteEmit" | "remoteAsk" | "remoteJoin" | "remoteLeave" | "remoteDisconnect" => {
            remote(&member, &verb, &chosen, args).await?
        }
        verb if overview::VERBS.contains(&verb) => overview::run(chosen.namespace(&member.hub), verb, args).await?,
        _ => match verb.strip_prefix("emitter ") {
            Some(verb) => emitter(&member, verb, &chosen, args).await?,
            None => cluster(&member, &verb, &chosen, args).await?,
        },
    };
    Ok(AnyValue::from_iter([("result", result)]))
}

/// The verbs of a namespace and of selections.
async fn cluster(member: &Member, verb: &str, chosen: &Chosen, args: RawArgs<'_>) -> Result<AnyValue, EventError> {
    let namespace = chosen.namespace(&member.hub);
    let selected = chosen.of(&namespace);
    // The first argument is the name of an event, or the only argument of the verb.
    let event = || Ok::<_, EventError>((args.first::<String>()?, args.skip(1)));
    match verb {
        "emit" => selected.emit(event()?)?,
        "send" => match args.first::<AnyValue>()?.to_binary() {
            Some(bytes) => selected.send(bytes)?,
            None => selected.send(args.first::<String>()?)?,
        },
        "emitWithAck" => {
            let answers = selected.emit_with_ack::<AnyValue>(event()?).await.map_err(|error| error.to_string())?;
            return Ok(answered(answers.is_complete(), None, answers.into_values()));
        }
        "fetch" => {
            let fetched = selected.fetch_sockets().await?;
            if fetched.silent > 0 {
                return Err(format!("{} servers are silent", fetched.silent).into());
            }
            return Ok(Value::from_iter(fetched.sockets.iter().map(details)).into());
        }
        "join" => selected.sockets_join(args.first::<Vec<String>>()?),
        "leave" => selected.sockets_leave(args.first::<Vec<String>>()?),
        "disconnect" => match args.first()? {
            true => selected.close_sockets(),
            false => selected.disconnect_sockets(),
        },
        "serverEmit" => namespace.server_emit(event()?)?,
        "serverRequest" => {
            let asked = namespace.server_request::<AnyValue>(event()?).timeout(chosen.timeout());
            let answers = asked.await?;
            let silent = answers.silent;
            return Ok(answered(silent == 0 && answers.errors.is_empty(), Some(silent), answers.into_values()));
        }
        "servers" => return Ok(u64::try_from(namespace.servers().await?).unwrap_or_default().into()),
        "rooms" => {
            let rooms = namespace.all_rooms().await?;
            return Ok(AnyValue::from_iter(rooms.rooms));
        }
        "flushed" => {
            if let Some(cluster) = member.hub.cluster() {
                cluster.flushed().await;
            }
        }
        _ => return Err(format!("there is no verb {verb}").into()),
    }
    Ok(AnyValue::default())
}

/// What is done to one socket that was fetched.
async fn remote(member: &Member, verb: &str, chosen: &Chosen, args: RawArgs<'_>) -> Result<AnyValue, EventError> {
    let namespace = chosen.namespace(&member.hub);
    let fetched = chosen.of(&namespace).fetch_sockets().await?;
    let [socket] = &fetched.sockets[..] else {
        return Err(
            format!("{} sockets were found, {} servers are silent", fetched.sockets.len(), fetched.silent).into()
        );
    };
    let event = || Ok::<_, EventError>((args.first::<String>()?, args.skip(1)));
    match verb {
        "remoteEmit" => socket.emit(event()?)?,
        "remoteAsk" => {
            let asked = socket.timeout(chosen.timeout()).emit_with_ack::<AnyValue>(event()?);
            return Ok(asked.await.map_err(|error| error.to_string())?);
        }
        "remoteJoin" => args.first::<Vec<String>>()?.iter().for_each(|room| socket.join(room)),
        "remoteLeave" => socket.leave(args.first::<String>()?),
        _ => match args.first()? {
            true => socket.close(),
            false => socket.disconnect(),
        },
    }
    Ok(AnyValue::default())
}

/// The verbs of an emitter, which shares nothing with the member.
async fn emitter(member: &Member, verb: &str, chosen: &Chosen, args: RawArgs<'_>) -> Result<AnyValue, EventError> {
    let emitter = chosen.emitter(&member.emitter);
    let selected = chosen.of_emitter(&emitter);
    let event = || Ok::<_, EventError>((args.first::<String>()?, args.skip(1)));
    let published = match verb {
        "emit" => selected.emit(event()?),
        "join" => selected.sockets_join(args.first::<Vec<String>>()?),
        "leave" => selected.sockets_leave(args.first::<Vec<String>>()?),
        "disconnect" => match args.first()? {
            true => selected.close_sockets(),
            false => selected.disconnect_sockets(),
        },
        "serverEmit" => emitter.server_emit(event()?),
        _ => return Err(format!("an emitter has no verb {verb}").into()),
    };
    published.await.map_err(|error| error.to_string())?;
    Ok(AnyValue::default())
}

/// The verbs for tests of faults.
fn local(member: &Member, verb: &str, chosen: &Chosen, args: RawArgs<'_>) -> Result<AnyValue, EventError> {
    let namespace = chosen.namespace(&member.hub);
    let cluster = member.hub.cluster().ok_or_else(|| EventError::from("there is no cluster".to_owned()))?;
    Ok(match verb {
        "start" => {
            let [pause, bytes]: [usize; 2] = args.first()?;
            member.traffic.start(namespace, Duration::from_millis(pause as u64), bytes);
            AnyValue::default()
        }
        "stop" => member.traffic.stop().into(),
        "burst" => {
            let [count, bytes]: [usize; 2] = args.first()?;
            member.traffic.burst(&namespace, count, bytes).into()
        }
        "health" => health(&cluster.health()).into(),
        _ => {
            let stats = cluster.stats();
            json!({
                "queued": stats.queued, "published": stats.published, "dropped": stats.dropped,
                "unpublished": stats.unpublished, "received": stats.received, "delivered": stats.delivered,
                "skipped": stats.skipped, "own": stats.own, "missed": stats.missed,
                "malformed": stats.malformed, "oversized": stats.oversized, "silent": stats.silent,
                "reconnects": stats.reconnects, "gaps": stats.gaps, "pending": stats.pending_requests,
            })
            .into()
        }
    })
}

fn health(health: &Health) -> Value {
    match health {
        Health::Up { lag } => json!({ "state": "up", "lag": lag.as_secs_f64() * 1e3 }),
        Health::Starting { error } => json!({ "state": "starting", "error": error }),
        Health::Degraded { error, .. } => json!({ "state": "degraded", "error": error }),
        _ => json!({ "state": "stopped" }),
    }
}

/// `silent` is the number of servers that did not answer.
fn answered(complete: bool, silent: Option<usize>, answers: impl Iterator<Item = AnyValue>) -> AnyValue {
    let mut fields = vec![("answers", AnyValue::from_iter(answers)), ("complete", complete.into())];
    fields.extend(silent.map(|servers| ("silent", AnyValue::from(servers as u64))));
    AnyValue::from_iter(fields)
}

fn millis(time: Option<SystemTime>) -> Option<u128> {
    time?.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_millis())
}

/// A fetched socket with the names of Node.js.
fn details(socket: &RemoteSocket) -> Value {
    let handshake = &socket.handshake;
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: BTreeMap<_, _> = handshake.headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    let mut rooms = socket.rooms.clone();
    rooms.sort();
    json!({
        "id": socket.id,
        "rooms": rooms,
        "data": socket.attributes.iter().collect::<BTreeMap<_, _>>(),
        "handshake": {
            "headers": headers,
            "time": millis(handshake.time),
            "address": handshake.address,
            "xdomain": handshake.xdomain,
            "secure": handshake.secure,
            "issued": handshake.issued,
            "url": handshake.url,
            "query": handshake.query,
            "auth": handshake.auth,
        },
    })
}
