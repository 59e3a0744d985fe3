//! Where the front listens, and where it refuses to.

use crate::error::FrontError;
use crate::tls::Tls;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket};
use tve_config::Config;

/// Where the service listens unless it is told.
pub(crate) const DEFAULT_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 5000);

/// Connections that may wait to be accepted, as in the socket unit. The usual 128 are fewer than come
/// at once when every panel of a plant starts, and the next one is told nothing for a second.
const BACKLOG: u32 = 1024;

/// Bytes that the kernel keeps for a client that does not read, which it doubles. By itself it would go
/// up to some MiB, for each of thousands of connections.
const KERNEL_SENDS: usize = 32 * 1024;

/// Bytes that the kernel takes from a client before the service reads them, which it doubles, too.
const KERNEL_TAKES: usize = 16 * 1024;

/// The socket that was inherited, else one on `address`.
pub(crate) fn listener(
    address: SocketAddr,
    inherited: Option<std::net::TcpListener>,
    config: &Config,
    insecure_open: bool,
) -> Result<TcpListener, FrontError> {
    let fault = |source| FrontError::Listen { address, source };
    let listener = match inherited {
        None => listen(address).map_err(fault)?,
        Some(inherited) => {
            let address = inherited.local_addr().map_err(fault)?;
            check_reach(address, config, insecure_open)?;
            TcpListener::from_std(inherited).map_err(fault)?
        }
    };
    // Every connection gets the sizes of its listener.
    set_socket_send_buffer_size(&listener, KERNEL_SENDS).map_err(|e| fault(e.into()))?;
    set_socket_recv_buffer_size(&listener, KERNEL_TAKES).map_err(|e| fault(e.into()))?;
    Ok(listener)
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The connections of the last service may still be closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Beyond loopback there must be both a login and TLS, or somebody who has said that the network
/// is trusted.
pub(crate) fn check_reach(
    address: SocketAddr,
    config: &Config,
    insecure_open: bool,
) -> Result<(), FrontError> {
    if address.ip().is_loopback() || insecure_open {
        return Ok(());
    }
    if !config.security.enabled {
        return Err(FrontError::Open { address });
    }
    if config.server.tls.is_none() {
        return Err(FrontError::Plain { address });
    }
    Ok(())
}

/// What the `server` section names must be there.
pub(crate) fn check_files(config: &Config) -> Result<Option<Arc<Tls>>, FrontError> {
    if let Some(path) = &config.server.www
        && !Path::new(path).is_dir()
    {
        return Err(FrontError::Www { path: path.clone() });
    }
    let tls = config.server.tls.as_ref().map(Tls::load).transpose()?;
    Ok(tls.map(Arc::new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn beyond_loopback_there_must_be_a_login_and_tls_or_somebody_who_says_so() {
        let (plain, mut secure) = (Config::default(), Config::default());
        secure.security.enabled = true;
        let mut whole = secure.clone();
        whole.server.tls = Some(tve_config::Tls { cert: "c".into(), key: "k".into() });
        let mut only_tls = whole.clone();
        only_tls.security.enabled = false;
        let far: SocketAddr = "0.0.0.0:5000".parse().unwrap();
        let near: SocketAddr = "[::1]:5000".parse().unwrap();
        let judge = |address, config| check_reach(address, config, false);
        assert!(matches!(judge(far, &plain), Err(FrontError::Open { .. })));
        assert!(matches!(judge(far, &only_tls), Err(FrontError::Open { .. })));
        assert!(matches!(judge(far, &secure), Err(FrontError::Plain { .. })));
        assert!(judge(far, &whole).is_ok());
        for config in [&plain, &secure, &whole, &only_tls] {
            assert!(judge(near, config).is_ok());
            assert!(check_reach(far, config, true).is_ok());
        }
    }

    #[tokio::test]
    async fn a_burst_of_connections_waits_to_be_accepted_and_is_not_lost() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody accepts, so one that finds no room would be told nothing until its time is over.
        let limit = Duration::from_millis(800);
        let burst: Vec<_> = (0..600)
            .map_while(|_| std::net::TcpStream::connect_timeout(&address, limit).ok())
            .collect();
        assert_eq!(burst.len(), 600);
    }
}
