//! Which hosts and origins are ours: the guard against foreign web pages and DNS rebinding.

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderValue, ORIGIN};
use std::net::{Ipv4Addr, Ipv6Addr};
use tve_config::Server;

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
    /// No browser page, or one of ours.
    Ours,
    /// Not ours, but in `server.allowed_origins`.
    Allowed,
    /// Neither.
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

    /// Whether the `Host` header names this machine. A request without one comes from no browser.
    pub(crate) fn host_is_ours(&self, headers: &HeaderMap) -> bool {
        match headers.get(HOST) {
            None => true,
            Some(host) => host.to_str().is_ok_and(|host| self.is_ours(without_port(host))),
        }
    }

    /// Judges the `Origin` header.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> Origin {
        let Some(origin) = headers.get(ORIGIN) else {
            return Origin::Ours;
        };
        let Ok(origin) = origin.to_str() else {
            return Origin::Foreign;
        };
        let origin = without_port(origin);
        if self.allowed_origins.iter().any(|o| o.eq_ignore_ascii_case(origin)) {
            return Origin::Allowed;
        }
        match origin.split_once("://") {
            Some((_, host)) if self.is_ours(host) => Origin::Ours,
            _ => Origin::Foreign,
        }
    }

    /// The origin to answer with CORS headers.
    pub(crate) fn cors_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.allowed_origins.is_empty() {
            return None;
        }
        let origin = headers.get(ORIGIN)?;
        (self.origin(headers) == Origin::Allowed).then(|| origin.clone())
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

    fn with(name: hyper::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
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
            assert!(gate().host_is_ours(&with(HOST, host)), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "[::1", "a:b"]
        {
            assert!(!gate().host_is_ours(&with(HOST, host)), "{host}");
        }
        assert!(gate().host_is_ours(&HeaderMap::new()));
    }

    #[test]
    fn an_origin_is_ours_allowed_or_foreign_whatever_its_port() {
        let judge = |o| gate().origin(&with(ORIGIN, o));
        assert_eq!(judge("http://127.0.0.1:3000"), Origin::Ours);
        assert_eq!(judge("http://extruder.example"), Origin::Ours);
        assert_eq!(judge("https://dash.example:8443"), Origin::Allowed);
        for foreign in ["https://evil.example", "null", "http://dash.example", ""] {
            assert_eq!(judge(foreign), Origin::Foreign, "{foreign}");
        }
    }

    #[test]
    fn cors_is_for_allowed_origins_alone() {
        assert!(gate().cors_origin(&with(ORIGIN, "http://127.0.0.1")).is_none());
        assert!(gate().cors_origin(&with(ORIGIN, "https://dash.example")).is_some());
    }
}
