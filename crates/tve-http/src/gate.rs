//! Which hosts and origins are ours: the guard against foreign web pages and DNS rebinding.
//!
//! A *host* is asked for; an *origin* asks. A host is ours by its form or by configuration; an origin
//! is ours when it has the host that was asked, so that a page of another address of this machine is
//! as foreign as one of another machine. Ports are not compared.

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use serde_json::{Map, Value};
use std::net::{Ipv4Addr, Ipv6Addr};
use tve_config::Server;

/// Where a proxy says which host it was asked for.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Where a browser says how near the asking page is.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Characters of a foreign name that are repeated.
const SHOWN: usize = 200;

/// The names under which this service may be addressed.
pub(crate) struct Gate {
    /// Lower case, without port.
    names: Vec<String>,
    /// Scheme and host in lower case, without port.
    allowed_origins: Vec<String>,
}

/// Where a request comes from, as far as its headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// No browser page, as far as it shows.
    Unsaid,
    /// A page of the host that was asked.
    Ours,
    /// Not ours, but in `server.allowed_origins`.
    Allowed,
    /// Neither.
    Foreign,
}

/// The host that a request asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Host<'h> {
    /// The request does not say, so it comes from no browser.
    Unsaid,
    /// One of ours, without its port.
    Ours(&'h str),
    /// Another.
    Foreign,
}

impl Gate {
    pub(crate) fn new(server: &Server) -> Self {
        let machine = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
        let mut names = vec!["localhost".to_owned()];
        if !machine.is_empty() {
            names.push(format!("{machine}.local"));
            names.push(machine);
        }
        names.extend(server.hosts.iter().map(|h| h.to_lowercase()));
        let allowed_origins =
            server.allowed_origins.iter().map(|o| without_port(o).to_lowercase()).collect();
        Self { names, allowed_origins }
    }

    /// The host that was asked: what `Host` says, and where the request comes from a proxy that is
    /// trusted (`forwarded`) what that was asked, the last entry of `X-Forwarded-Host`. Of both, each
    /// has to be ours.
    pub(crate) fn host<'h>(&self, headers: &'h HeaderMap, forwarded: bool) -> Host<'h> {
        let mut asked = Host::Unsaid;
        let last = headers.get_all(FORWARDED_HOST).iter().next_back().filter(|_| forwarded);
        for line in headers.get(HOST).into_iter().chain(last) {
            let entry = line.to_str().unwrap_or_default().rsplit(',').next().unwrap_or_default();
            let host = without_port(entry.trim());
            if !self.is_ours(host) {
                return Host::Foreign;
            }
            asked = Host::Ours(host);
        }
        asked
    }

    /// Judges the headers `Origin` and `Sec-Fetch-Site` of a request to `host`.
    pub(crate) fn origin(&self, headers: &HeaderMap, host: Host<'_>) -> Origin {
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin = origins.next();
        if origins.next().is_some() {
            return Origin::Foreign;
        }
        if origin.is_some_and(|origin| self.is_allowed(origin)) {
            return Origin::Allowed;
        }
        if headers.get_all(FETCH_SITE).iter().any(|site| site == "cross-site") {
            return Origin::Foreign;
        }
        let Some(origin) = origin else {
            return Origin::Unsaid;
        };
        let from = origin.to_str().ok().and_then(|origin| without_port(origin).split_once("://"));
        match (from, host) {
            (Some((_, from)), Host::Ours(host)) if from.eq_ignore_ascii_case(host) => Origin::Ours,
            (_, Host::Unsaid | Host::Ours(_) | Host::Foreign) => Origin::Foreign,
        }
    }

    /// The origin to answer with CORS headers.
    pub(crate) fn cors_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.allowed_origins.is_empty() {
            return None;
        }
        headers.get(ORIGIN).filter(|origin| self.is_allowed(origin)).cloned()
    }

    fn is_allowed(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().map(without_port);
        origin.is_ok_and(|o| self.allowed_origins.iter().any(|a| a.eq_ignore_ascii_case(o)))
    }

    fn is_ours(&self, host: &str) -> bool {
        host.parse::<Ipv4Addr>().is_ok()
            || host
                .strip_prefix('[')
                .and_then(|h| h.strip_suffix(']'))
                .is_some_and(|h| h.parse::<Ipv6Addr>().is_ok())
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// What a foreign request says of where it comes from and where it meant to go, for the journal.
pub(crate) fn shown(headers: &HeaderMap) -> Value {
    let text = |name: HeaderName| {
        let value = headers.get(&name)?;
        let shown: String = String::from_utf8_lossy(value.as_bytes())
            .chars()
            .take(SHOWN)
            .flat_map(char::escape_debug)
            .collect();
        Some((name.as_str().to_owned(), Value::String(shown)))
    };
    Value::Object([ORIGIN, HOST].into_iter().filter_map(text).collect::<Map<_, _>>())
}

/// Cuts `:port` off; the colons of an IPv6 literal stand in brackets.
fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon)
            if !host[colon..].contains(']')
                && host[colon + 1..].bytes().all(|b| b.is_ascii_digit()) =>
        {
            &host[..colon]
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(&Server {
            hosts: vec!["extruder.example".into()],
            allowed_origins: vec!["https://dash.example".into()],
            ..Server::default()
        })
    }

    fn with<const N: usize>(lines: [(HeaderName, &str); N]) -> HeaderMap {
        let line = |(name, value)| (name, HeaderValue::from_str(value).unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines.map(line) {
            headers.append(name, value);
        }
        headers
    }

    fn judged<const N: usize>(lines: [(HeaderName, &str); N]) -> Origin {
        let headers = with(lines);
        gate().origin(&headers, gate().host(&headers, false))
    }

    #[test]
    fn hosts_are_ours_by_address_name_or_configuration() {
        for host in [
            "127.0.0.1:5000",
            "[::1]:5000",
            "[::1]",
            "LOCALHOST",
            "10.0.0.7",
            "Extruder.example:80",
        ] {
            let headers = with([(HOST, host)]);
            assert!(matches!(gate().host(&headers, false), Host::Ours(_)), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "[::1", "a:b"]
        {
            let headers = with([(HOST, host)]);
            assert!(matches!(gate().host(&headers, false), Host::Foreign), "{host}");
        }
        assert!(matches!(gate().host(&HeaderMap::new(), false), Host::Unsaid));
    }

    #[test]
    fn what_a_proxy_was_asked_counts_where_the_proxy_is_trusted() {
        for (forwarded, entry, asked) in [
            (false, "extruder.example", Some("127.0.0.1")),
            (true, "extruder.example:443", Some("extruder.example")),
            (true, "evil.example, extruder.example", Some("extruder.example")),
            (true, "extruder.example, evil.example", None),
            (true, "evil.example", None),
            (true, "", None),
        ] {
            let headers = with([(HOST, "127.0.0.1:5000"), (FORWARDED_HOST, entry)]);
            let found = match gate().host(&headers, forwarded) {
                Host::Ours(host) => Some(host),
                Host::Unsaid | Host::Foreign => None,
            };
            assert_eq!(found, asked, "{forwarded} {entry}");
        }
        let foreign = with([(HOST, "evil.example"), (FORWARDED_HOST, "localhost")]);
        assert!(matches!(gate().host(&foreign, true), Host::Foreign));
    }

    #[test]
    fn an_origin_is_ours_when_it_has_the_host_that_was_asked_whatever_its_port() {
        for (host, origin, verdict) in [
            ("127.0.0.1:5000", "http://127.0.0.1:3000", Origin::Ours),
            ("[::1]:5000", "http://[::1]", Origin::Ours),
            ("extruder.example", "https://EXTRUDER.example:8443", Origin::Ours),
            ("127.0.0.1:5000", "http://127.0.0.2:5000", Origin::Foreign),
            ("127.0.0.1:5000", "http://localhost:5000", Origin::Foreign),
            ("10.0.0.7", "http://10.0.0.8", Origin::Foreign),
            ("localhost", "http://extruder.example", Origin::Foreign),
            ("evil.example", "http://evil.example", Origin::Foreign),
            ("localhost", "https://dash.example:8443", Origin::Allowed),
            ("localhost", "http://dash.example", Origin::Foreign),
            ("localhost", "null", Origin::Foreign),
            ("localhost", "", Origin::Foreign),
        ] {
            assert_eq!(judged([(HOST, host), (ORIGIN, origin)]), verdict, "{origin} to {host}");
        }
        assert_eq!(judged([(ORIGIN, "http://localhost")]), Origin::Foreign, "nobody was asked");
        assert_eq!(judged([(HOST, "localhost")]), Origin::Unsaid);
        let ours = (ORIGIN, "http://localhost");
        assert_eq!(judged([(HOST, "localhost"), ours.clone(), ours]), Origin::Foreign, "twice");
    }

    #[test]
    fn a_page_that_its_browser_calls_cross_site_is_foreign_unless_it_is_allowed() {
        let (host, cross) = ((HOST, "localhost"), (FETCH_SITE, "cross-site"));
        assert_eq!(judged([host.clone(), cross.clone()]), Origin::Foreign);
        let ours = (ORIGIN, "http://localhost");
        assert_eq!(judged([host.clone(), ours.clone(), cross.clone()]), Origin::Foreign);
        assert_eq!(judged([host.clone(), ours, (FETCH_SITE, "same-site")]), Origin::Ours);
        assert_eq!(judged([host, (ORIGIN, "https://dash.example"), cross]), Origin::Allowed);
    }

    #[test]
    fn cors_is_for_allowed_origins_alone() {
        assert!(gate().cors_origin(&with([(ORIGIN, "http://127.0.0.1")])).is_none());
        assert!(gate().cors_origin(&with([(ORIGIN, "https://dash.example")])).is_some());
    }
}
