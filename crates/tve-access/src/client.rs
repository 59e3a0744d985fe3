//! Who asks, and from where.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use tve_config::Role;

/// On whose behalf a request is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Name of the user or token; `None` without a login.
    pub user: Option<Arc<str>>,
    /// What the caller may do.
    pub role: Role,
    /// Where the request comes from, proxies looked through.
    pub address: IpAddr,
    /// Whether `user` is a token, which is no person.
    pub by_token: bool,
}

/// What lock-out and limits count by: a user, or nobody, at an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Client {
    user: Option<Arc<str>>,
    address: IpAddr,
}

impl Client {
    /// `user` at `address`. Of an IPv6 address the first 64 bits count: whoever has one has all of
    /// its network.
    pub fn new(user: Option<&str>, address: IpAddr) -> Self {
        Self { user: user.map(Arc::from), address: account_of(address) }
    }
}

/// The address that counts for `address`: of IPv6 the first 64 bits, because whoever has one has all
/// of its network; what maps IPv4 is that.
pub fn account_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & (!0 << 64)))
        }
        address @ (IpAddr::V4(_) | IpAddr::V6(_)) => address,
    }
}

impl From<&Caller> for Client {
    fn from(caller: &Caller) -> Self {
        Self::new(caller.user.as_deref(), caller.address)
    }
}

/// The address of a client whose connection comes from `peer`.
///
/// Where `peer` is one of the `trusted` proxies, that is the last entry of `X-Forwarded-For` (its
/// header lines in `forwarded`, in order) that is no trusted proxy itself: everything left of it
/// could have been written by the client. An entry that is no address ends the search at the proxy
/// that has sent it.
pub fn address_of<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[IpAddr],
) -> IpAddr {
    let mut address = peer.to_canonical();
    let mut entries = forwarded.rev().flat_map(|line| line.rsplit(','));
    while trusted.iter().any(|proxy| proxy.to_canonical() == address) {
        match entries.next().and_then(parse) {
            Some(before) => address = before,
            None => break,
        }
    }
    address
}

/// An address, with or without port, IPv6 with or without brackets.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.strip_prefix('[').and_then(|e| e.strip_suffix(']')).unwrap_or(entry);
    let address = bare
        .parse()
        .or_else(|_| entry.parse::<std::net::SocketAddr>().map(|with_port| with_port.ip()))
        .ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        let proxies = [ip("127.0.0.1"), ip("10.0.0.2")];
        let of = |peer, lines: &[&str]| address_of(ip(peer), lines.iter().copied(), &proxies);
        assert_eq!(of("192.168.1.9", &["1.2.3.4"]), ip("192.168.1.9"), "anybody can write it");
        assert_eq!(of("127.0.0.1", &[]), ip("127.0.0.1"));
        assert_eq!(of("127.0.0.1", &["1.2.3.4"]), ip("1.2.3.4"));
        assert_eq!(of("::ffff:127.0.0.1", &["1.2.3.4"]), ip("1.2.3.4"));
        assert_eq!(of("127.0.0.1", &["6.6.6.6, 1.2.3.4"]), ip("1.2.3.4"), "6.6.6.6 is a claim");
        assert_eq!(of("127.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"]), ip("1.2.3.4"));
        assert_eq!(of("127.0.0.1", &["6.6.6.6", "1.2.3.4:99,10.0.0.2"]), ip("1.2.3.4"));
        assert_eq!(of("127.0.0.1", &["[2001:db8::1]:4711"]), ip("2001:db8::1"));
        assert_eq!(of("127.0.0.1", &["1.2.3.4, unknown"]), ip("127.0.0.1"));
        assert_eq!(of("127.0.0.1", &["127.0.0.1, 10.0.0.2"]), ip("127.0.0.1"));
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let client = |text| Client::new(Some("anna"), ip(text));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8::1"));
        assert_ne!(client("10.0.0.1"), client("10.0.0.2"));
    }
}
