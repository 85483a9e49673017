//! TCP on this machine only: which addresses a host stands for, and listening on all of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::address::Address;
use super::bind::{BindError, Options};
use super::incoming::Incoming;

/// Why a host cannot be used.
pub(super) enum Unusable {
    NotLoopback(IpAddr),
    Unknown(io::Error),
}

/// The addresses that `host` stands for. All of them are loopback addresses.
///
/// Cancel safe.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Unusable> {
    match literal(host, port) {
        Some(found) => on_loopback(found),
        None => on_loopback(lookup_host((host, port)).await.map_err(Unusable::Unknown)?.collect()),
    }
}

/// The same on a thread that may wait for the resolver, as long as that takes.
pub(super) fn resolve_blocking(host: &str, port: u16) -> Result<Vec<SocketAddr>, Unusable> {
    match literal(host, port) {
        Some(found) => on_loopback(found),
        None => on_loopback((host, port).to_socket_addrs().map_err(Unusable::Unknown)?.collect()),
    }
}

/// What needs no looking up.
fn literal(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        // On some machines the name stands for only one of the two.
        return Some(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    host.parse::<IpAddr>().ok().map(|ip| vec![(ip, port).into()])
}

fn on_loopback(mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Unusable> {
    found.sort_unstable();
    found.dedup();
    match found.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
        Some(address) => Err(Unusable::NotLoopback(address.ip())),
        None => Ok(found),
    }
}

/// Has the kernel ask a peer that has said nothing for so long whether it is there, twice.
pub(super) fn keep_alive(socket: impl AsFd, every: Duration) -> io::Result<()> {
    /// The kernel counts no further.
    const LONGEST: Duration = Duration::from_secs(32_767);
    if every > LONGEST {
        return Ok(());
    }
    let (socket, every) = (socket.as_fd(), every.max(Duration::from_secs(1)));
    sockopt::set_tcp_keepidle(socket, every)?;
    sockopt::set_tcp_keepintvl(socket, every)?;
    sockopt::set_tcp_keepcnt(socket, 2)?;
    Ok(sockopt::set_socket_keepalive(socket, true)?)
}

/// How many free ports are tried until one is free on all addresses.
const FREE_PORTS: usize = 16;

/// Listens on all addresses of the host, on one port, which is returned with the sockets.
///
/// Cancel safe.
pub(super) async fn bind(
    host: &str,
    port: u16,
    options: &Options,
) -> Result<(Vec<Incoming>, u16), BindError> {
    let address = || Address::Tcp { host: host.to_owned(), port };
    let failed = |step, source| BindError::Io { step, at: address().to_string(), source };
    let addresses = resolve(host, port).await.map_err(|error| match error {
        Unusable::NotLoopback(ip) => BindError::NotLoopback { address: address(), ip },
        Unusable::Unknown(error) => failed("look up the host of", error),
    })?;
    if !options.insecure_no_auth {
        return Err(BindError::NoAuth { address: address() });
    }

    let attempts = if port == 0 { FREE_PORTS } else { 1 };
    for _ in 0..attempts {
        match listen_on_all(&addresses) {
            Ok(bound) => return Ok(bound),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(failed("listen on", error)),
        }
    }
    Err(BindError::PortInUse { address: address() })
}

fn listen_on_all(addresses: &[SocketAddr]) -> io::Result<(Vec<Incoming>, u16)> {
    let mut sockets = Vec::new();
    let mut port = None;
    let mut missing = None;
    for &(mut address) in addresses {
        address.set_port(port.unwrap_or(address.port()));
        match listen(address) {
            Ok(socket) => {
                port = Some(socket.local_addr()?.port());
                sockets.push(Incoming::new(socket.into_std()?.into())?);
            }
            // A machine without IPv6, or without IPv4.
            Err(error) if is_missing(&error) => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    match port {
        Some(port) => Ok((sockets, port)),
        None => Err(missing.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restarted server must not wait for old connections to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    // The kernel cuts the backlog to what it allows.
    socket.listen(u32::MAX)
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::AFNOSUPPORT)
}
