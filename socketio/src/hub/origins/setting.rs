//! Parses the settings `allow_origins` and `public_hosts`. An error describes the accepted form.

use std::net::Ipv4Addr;

use super::origin::{Address, Origin};

/// An origin that may connect, or all origins below a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AllowedOrigin {
    origin: Origin,
    /// Whether the host stands for all hosts below it, and not for itself.
    is_wildcard: bool,
}

impl AllowedOrigin {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::accept(text).ok_or_else(|| accepted(text))
    }

    fn accept(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('/');
        let (text, is_wildcard) = match text.split_once("://*.") {
            Some((scheme, host)) => (&*format!("{scheme}://{host}"), true),
            None => (text, false),
        };
        let origin = Origin::parse(text)?;
        // A page can't have these schemes.
        let is_websocket = matches!(&*origin.scheme, "ws" | "wss");
        let is_possible = !is_websocket && (!origin.is_site() || is_host(&origin.address));
        let has_subdomains = !is_wildcard || !is_ip_address(&origin.address);
        (is_possible && has_subdomains).then_some(Self { origin, is_wildcard })
    }

    /// Returns `true` if a page of this origin may connect.
    pub(super) fn matches(&self, origin: &Origin) -> bool {
        if !self.is_wildcard {
            return self.origin == *origin;
        }
        let labels = origin.address.host.strip_suffix(&*self.origin.address.host);
        let labels = labels.and_then(|labels| labels.strip_suffix('.'));
        origin.scheme == self.origin.scheme
            && origin.address.port == self.origin.address.port
            && labels.is_some_and(|labels| !labels.is_empty())
    }
}

/// Parses a host under which browsers reach the server, with the port that they show.
pub(super) fn public_host(text: &str) -> Result<Address, String> {
    Address::parse(text).filter(is_host).ok_or_else(|| {
        let host = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host = host.split(['/', '?', '#']).next().unwrap_or_default();
        let host = Address::parse(host.rsplit('@').next().unwrap_or_default()).filter(is_host);
        let host = host.map_or("app.example".to_owned(), |host| host.to_string());
        format!("a host without a scheme, and a port if the addresses of pages have one, such as `{host}`")
    })
}

/// Returns `true` if browsers know such a host.
fn is_host(address: &Address) -> bool {
    let name = address.host.strip_suffix('.').unwrap_or(&address.host);
    let labels = || name.split('.');
    // Browsers take such a host for an IPv4 address, and write it as four numbers.
    let is_number = labels().next_back().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    labels().all(|label| !label.is_empty()) && (!is_number || name.parse::<Ipv4Addr>().is_ok())
}

fn is_ip_address(address: &Address) -> bool {
    address.host.starts_with('[') || address.host.parse::<Ipv4Addr>().is_ok()
}

/// Describes the accepted form of an origin, with an example derived from the rejected one.
fn accepted(origin: &str) -> String {
    if origin.eq_ignore_ascii_case("null") {
        return "the origins of single pages; every sandboxed page has the origin `null`, and only `*` allows it"
            .to_owned();
    }
    if !origin.is_ascii() {
        return "the host in ASCII, as browsers send it, such as `https://xn--bcher-kva.example`".to_owned();
    }
    let (scheme, rest) = origin.split_once("://").unwrap_or(("https", origin.trim_start_matches('/')));
    let scheme = match &*scheme.to_ascii_lowercase() {
        "ws" => "http",
        "wss" | "*" => "https",
        _ => scheme,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let example = |authority: &str, default: &str| {
        let example = format!("{scheme}://{authority}");
        AllowedOrigin::accept(&example).map_or(default.to_owned(), |_| example.to_ascii_lowercase())
    };
    if let Some((_, host)) = authority.rsplit_once('*') {
        let host = host.trim_start_matches(|first: char| !first.is_ascii_alphanumeric());
        let example = example(&format!("*.{host}"), "https://*.app.example");
        return format!(
            "a scheme and a host, with `*.` only in front of the whole host, such as `{example}`, or only `*`"
        );
    }
    let example = example(authority, "https://app.example");
    format!("scheme and host, and a port if it is not the scheme's own, such as `{example}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(setting: &str, origin: &str) -> bool {
        AllowedOrigin::parse(setting).expect(setting).matches(&Origin::parse(origin).expect(origin))
    }

    #[test]
    fn origins_are_compared_as_browsers_send_them() {
        for (setting, sent) in [
            ("http://app.example:80", "http://app.example"),
            ("https://app.example:443/", "https://app.example"),
            ("https://app.example:80", "https://app.example:80"),
            ("HTTPS://App.Example", "https://app.example"),
            ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
            ("http://127.0.0.1:08080", "http://127.0.0.1:8080"),
            ("http://app.example.", "http://app.example."),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("app://.", "app://."),
        ] {
            assert!(allows(setting, sent), "{setting}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_or_more_labels() {
        for (setting, origin, expected) in [
            ("https://*.example.org", "https://app.example.org", true),
            ("https://*.example.org", "https://a.b.example.org", true),
            ("https://*.example.org:443/", "https://app.example.org", true),
            ("HTTPS://*.Example.org", "https://app.example.org", true),
            ("http://*.localhost:5173", "http://app.localhost:5173", true),
            ("https://*.example.org", "https://example.org", false),
            ("https://*.example.org", "https://.example.org", false),
            ("https://*.example.org", "https://evilexample.org", false),
            ("https://*.example.org", "https://app.example.org.evil.example", false),
            ("https://*.example.org", "https://app.example.org.", false),
            ("https://*.example.org", "http://app.example.org", false),
            ("https://*.example.org", "https://app.example.org:8443", false),
            ("https://*.example.org:8443", "https://app.example.org:8443", true),
            ("https://*.example.org:8443", "https://app.example.org", false),
        ] {
            assert_eq!(allows(setting, origin), expected, "{origin} with {setting}");
        }
    }

    #[test]
    fn origins_that_no_browser_sends_are_rejected() {
        for (setting, accepted) in [
            ("app.example", "`https://app.example`"),
            ("app.example:8443/chat", "`https://app.example:8443`"),
            ("//app.example", "`https://app.example`"),
            ("https://app.example/chat", "`https://app.example`"),
            ("https://app.example?x=1", "`https://app.example`"),
            ("https://ann:secret@app.example", "`https://app.example`"),
            ("wss://app.example", "`https://app.example`"),
            ("http://app.example:99999", "`https://app.example`"),
            ("http://app.example:+80", "`https://app.example`"),
            ("http://app.example:", "`https://app.example`"),
            ("http://.app.example", "`https://app.example`"),
            ("http://app..example", "`https://app.example`"),
            ("http://127.1", "`https://app.example`"),
            ("http://1.2.3.256", "`https://app.example`"),
            ("http://[::1", "`https://app.example`"),
            ("http://a b", "`https://app.example`"),
            ("file:///", "`https://app.example`"),
            ("1://app.example", "`https://app.example`"),
            ("", "`https://app.example`"),
            (" https://app.example", "`https://app.example`"),
            ("null", "`*`"),
            ("*.example.org", "`https://*.example.org`"),
            ("https://*example.org", "`https://*.example.org`"),
            ("https://app*.example.org", "`https://*.example.org`"),
            ("https://app.*.example.org", "`https://*.example.org`"),
            ("https://*.*.example.org", "`https://*.example.org`"),
            ("https://example.*", "`https://*.app.example`"),
            ("http://localhost:*", "`https://*.app.example`"),
            ("https://*", "`https://*.app.example`"),
            ("https://*.", "`https://*.app.example`"),
            ("https://*.127.0.0.1", "`https://*.app.example`"),
            ("https://*.[::1]", "`https://*.app.example`"),
            ("*://example.org", "`https://example.org`"),
            ("**", "`https://*.app.example`"),
            ("https://b\u{fc}cher.example", "`https://xn--bcher-kva.example`"),
        ] {
            let error = AllowedOrigin::parse(setting).expect_err(setting);
            assert!(error.contains(accepted), "{setting}: {error}");
        }
    }

    #[test]
    fn public_hosts_are_hosts_with_a_port_or_without() {
        for (setting, parsed) in
            [("App.Example", "app.example"), ("app.example:8443", "app.example:8443"), ("[0::1]:80", "[::1]:80")]
        {
            assert_eq!(public_host(setting).map(|host| host.to_string()).as_deref(), Ok(parsed));
        }
        for (setting, accepted) in [
            ("https://app.example:8443/chat", "`app.example:8443`"),
            ("app.example/chat", "`app.example`"),
            ("ann@app.example", "`app.example`"),
            ("*.app.example", "`app.example`"),
            ("app..example", "`app.example`"),
            ("app.example:", "`app.example`"),
            ("", "`app.example`"),
            ("*", "`app.example`"),
            ("b\u{fc}cher.example", "`app.example`"),
        ] {
            let error = public_host(setting).expect_err(setting);
            assert!(error.contains(accepted), "{setting}: {error}");
        }
    }
}
