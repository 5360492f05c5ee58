//! The verbs that ask all servers what they have, or end what they have.

use serde_json::{Value, json};
use socketio::{AnyValue, EventError, Namespace, NamespaceStats, Page, RawArgs};

pub(crate) const VERBS: [&str; 3] = ["disconnectWhere", "fetchStats", "roomPages"];

pub(crate) async fn run(namespace: Namespace, verb: &str, args: RawArgs<'_>) -> Result<AnyValue, EventError> {
    Ok(match verb {
        "disconnectWhere" => {
            let (attribute, value) = args.first::<(String, Value)>()?;
            let ended = namespace.disconnect_where(attribute, value).await?;
            json!({ "sockets": ended.sockets, "sessions": ended.sessions, "silent": ended.silent })
        }
        "fetchStats" => {
            let fetched = namespace.fetch_stats().await?;
            let others: Vec<_> = fetched.others.iter().map(|other| stats(other.stats)).collect();
            json!({
                "total": stats(fetched.total), "here": stats(fetched.here), "others": others,
                "silent": fetched.silent,
            })
        }
        _ => {
            let (mut pages, mut silent) = (Vec::new(), 0);
            let mut next = Some(Page::new().limit(args.first()?));
            while let Some(page) = next {
                let fetched = namespace.fetch_rooms(&page).await?;
                pages.push(fetched.rooms);
                silent += fetched.silent;
                next = fetched.next;
            }
            json!({ "pages": pages, "silent": silent })
        }
    }
    .into())
}

fn stats(stats: NamespaceStats) -> Value {
    json!({ "sockets": stats.sockets, "connecting": stats.connecting, "rooms": stats.rooms })
}
