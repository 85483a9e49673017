//! Where a server listens.

use std::convert::Infallible;
use std::fmt;
use std::net::Ipv6Addr;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a server listens: the path of a Unix socket, a TCP port of this machine, a name within this
/// process, or sockets that the process was started with.
///
/// | written | means |
/// |---|---|
/// | `/tmp/run.sock`, `run.sock`, `unix:PATH` | a Unix socket; at most 107 bytes, checked when it is used |
/// | `tcp:HOST:PORT`, `tcp:[::1]:PORT` | TCP; `localhost` listens on both `127.0.0.1` and `::1`; port 0 takes a free one |
/// | `mem:NAME` | memory, within this process, for tests; at most 107 bytes |
/// | `fd:N` | the inherited descriptor `N`: for a server a socket that listens, for a client one that is connected |
/// | `systemd:` | for a server: all sockets that systemd has passed |
/// | `systemd:NAME` | those with this `FileDescriptorName=` |
///
/// Text before a colon (`name:rest`) is never taken for a path: write `./name:rest` for such a file.
///
/// # Inherited sockets
///
/// They are stream sockets, of Unix or of TCP on a loopback address, and the same rules hold as for
/// those that dip opens: [`Access`](crate::Access) decides by the credentials of the peer, and a
/// server on TCP must say `insecure_no_auth = true`. A Unix socket keeps the mode it has, and its
/// path stays when the server stops.
///
/// A number is taken once, for good: the socket is closed on `exec` from then on and does not block,
/// and the number is closed (0, 1 and 2 become `/dev/null`). What is refused is left as it is. On Linux,
/// a descriptor that is closed on `exec` is refused: this process has opened it itself. A client has one connection on
/// `fd:N`, whatever the size of its pool, and cannot renew it.
///
/// systemd's are described by `$LISTEN_PID`, `$LISTEN_FDS` and `$LISTEN_FDNAMES`
/// ([sd_listen_fds(3)](https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html));
/// the socket unit says `Accept=no`. The variables are left as they are.
///
/// ```
/// use dip::Address;
///
/// let address: Address = "tcp:localhost:7000".parse()?;
/// assert_eq!(address, Address::Tcp { host: "localhost".into(), port: 7000 });
/// assert_eq!("unix:/tmp/run.sock".parse::<Address>()?.to_string(), "/tmp/run.sock");
/// # Ok::<(), dip::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// The path of a Unix socket. A relative path starts at the current directory.
    Unix(PathBuf),
    /// A TCP port of a host.
    Tcp {
        /// A name or an IP address; an IPv6 address stands without its brackets.
        host: String,
        /// The port; 0 lets a listener take a free one.
        port: u16,
    },
    /// A name within this process, free for the next listener when the one that has it is dropped.
    Memory(String),
    /// The number of an inherited descriptor.
    Fd(RawFd),
    /// Sockets that systemd has passed.
    Systemd {
        /// What they are called; `None` stands for all.
        name: Option<String>,
    },
}

/// Why a text is not an [`Address`]. Its `Display` says what is accepted.
#[derive(Clone, PartialEq, Eq)]
pub struct AddressError {
    address: String,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    Empty,
    Nul,
    NotYet,
    Abstract,
    UnknownPrefix,
    NoTcp,
    NoPort,
    Port,
    Host,
    Ipv6,
    Name,
    Descriptor,
}

/// The longest name of a `mem:` address, in bytes.
const NAME_LIMIT: usize = 107;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|reason| AddressError { address: text.to_owned(), reason })
    }
}

fn parse(text: &str) -> Result<Address, Reason> {
    if text.starts_with('\0') {
        return Err(Reason::Abstract);
    }
    if text.contains('\0') {
        return Err(Reason::Nul);
    }
    if let Some(rest) = text.strip_prefix("tcp:") {
        return parse_tcp(rest);
    }
    if let Some(name) = text.strip_prefix("mem:") {
        return match name.len() {
            1..=NAME_LIMIT => Ok(Address::Memory(name.to_owned())),
            _ => Err(Reason::Name),
        };
    }
    if let Some(number) = text.strip_prefix("fd:") {
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let fd = number.parse().ok().filter(|_| digits);
        return fd.map(Address::Fd).ok_or(Reason::Descriptor);
    }
    if let Some(name) = text.strip_prefix("systemd:") {
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        return Ok(Address::Systemd { name });
    }
    if text.starts_with("nats:") {
        return Err(Reason::NotYet);
    }
    let path = match text.strip_prefix("unix:") {
        Some(path) => path,
        None if has_prefix(text) && parse_tcp(text).is_ok() => return Err(Reason::NoTcp),
        None if has_prefix(text) => return Err(Reason::UnknownPrefix),
        None => text,
    };
    match path.as_bytes() {
        [] => Err(Reason::Empty),
        // `@name` is how other tools write an abstract socket.
        [b'@', ..] => Err(Reason::Abstract),
        _ => Ok(Address::Unix(path.into())),
    }
}

fn has_prefix(text: &str) -> bool {
    text.split_once(':').is_some_and(|(prefix, _)| !prefix.contains('/'))
}

fn parse_tcp(rest: &str) -> Result<Address, Reason> {
    let (host, port) = rest.rsplit_once(':').ok_or(Reason::NoPort)?;
    let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
        Some(Some(host)) if host.parse::<Ipv6Addr>().is_ok() => host,
        Some(_) => return Err(Reason::Ipv6),
        None if host.contains(':') => return Err(Reason::Ipv6),
        None if host.is_empty() || host.contains(|c: char| c == '/' || c.is_whitespace()) => {
            return Err(Reason::Host);
        }
        None => host,
    };
    // `u16::from_str` would take `+80`.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::Port);
    }
    let port = port.parse().map_err(|_| Reason::Port)?;
    Ok(Address::Tcp { host: host.to_owned(), port })
}

impl Address {
    /// Whether a client can have one connection only.
    pub(crate) fn is_one_connection(&self) -> bool {
        matches!(self, Self::Fd(_))
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self::Unix(path.into())
    }
}

impl From<&PathBuf> for Address {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

impl TryFrom<&str> for Address {
    type Error = AddressError;

    fn try_from(text: &str) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<&String> for Address {
    type Error = AddressError;

    fn try_from(text: &String) -> Result<Self, AddressError> {
        text.parse()
    }
}

/// What [`Address`] parses back, unless the path is not UTF-8, or a name or a number could not have
/// been written.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
            Self::Unix(path) => {
                let text = path.to_string_lossy();
                if text.starts_with('@') || has_prefix(&text) {
                    f.write_str("./")?;
                }
                f.write_str(&text)
            }
            Self::Memory(name) => write!(f, "mem:{name}"),
            Self::Fd(fd) => write!(f, "fd:{fd}"),
            Self::Systemd { name } => write!(f, "systemd:{}", name.as_deref().unwrap_or_default()),
        }
    }
}

impl AddressError {
    /// The text that is not an address.
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// So that `impl TryInto<Address>` takes an [`Address`] and a [`Path`] too.
impl From<Infallible> for AddressError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an address: ", self.address)?;
        match self.reason {
            Reason::Empty => f.write_str("there is no path"),
            Reason::Nul => f.write_str("it contains a NUL byte"),
            Reason::NotYet => f.write_str("`nats:` is not yet supported"),
            Reason::Abstract => f.write_str(
                "abstract socket names are not yet supported; write `./@NAME` for a file",
            ),
            Reason::UnknownPrefix => f.write_str(
                "what stands before the colon is no known prefix; write `./NAME` for a file",
            ),
            Reason::NoTcp => {
                let address = &self.address;
                write!(f, "did you mean `tcp:{address}`? Otherwise write `./NAME` for a file")
            }
            Reason::NoPort => f.write_str("the port is missing"),
            Reason::Port => f.write_str("the port must be a number from 0 to 65535"),
            Reason::Host => f.write_str("the host must be a name or an IP address"),
            Reason::Ipv6 => f.write_str("an IPv6 address must stand in brackets, as in `[::1]`"),
            Reason::Name => write!(f, "the name must have 1 to {NAME_LIMIT} bytes"),
            Reason::Descriptor => f.write_str("the descriptor must be a number, as in `fd:3`"),
        }?;
        f.write_str(
            "; accepted are PATH, unix:PATH, tcp:HOST:PORT, mem:NAME, fd:N, systemd: and \
             systemd:NAME",
        )
    }
}

impl fmt::Debug for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressError")
            .field("address", &self.address)
            .field("reason", &self.reason)
            .finish()
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(path: &str) -> Address {
        Address::Unix(path.into())
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }

    #[test]
    fn paths_are_unix_sockets() {
        for (text, address) in [
            ("/tmp/run.sock", unix("/tmp/run.sock")),
            ("relative.sock", unix("relative.sock")),
            ("unix:/tmp/run.sock", unix("/tmp/run.sock")),
            ("unix:a:b", unix("a:b")),
            ("./a:b", unix("./a:b")),
            ("/tmp/12:00.sock", unix("/tmp/12:00.sock")),
        ] {
            assert_eq!(text.parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn tcp_takes_names_and_both_kinds_of_ip_address() {
        for (text, address) in [
            ("tcp:localhost:7000", tcp("localhost", 7000)),
            ("tcp:127.0.0.1:0", tcp("127.0.0.1", 0)),
            ("tcp:[::1]:65535", tcp("::1", 65535)),
        ] {
            assert_eq!(text.parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn display_is_parsed_back() {
        for address in [
            unix("/tmp/run.sock"),
            unix("relative.sock"),
            tcp("localhost", 1),
            tcp("::1", 1),
            Address::Memory("a:b".into()),
            Address::Fd(3),
            Address::Systemd { name: None },
            Address::Systemd { name: Some("jobs.socket".into()) },
        ] {
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        for odd in ["a:b", "@name", "tcp:x:1"] {
            assert_eq!(unix(odd).to_string().parse(), Ok(unix(&format!("./{odd}"))));
        }
    }

    #[test]
    fn memory_and_inherited_sockets_have_prefixes() {
        let named = |name: Option<&str>| Address::Systemd { name: name.map(str::to_owned) };
        let longest = "x".repeat(107);
        for (text, address) in [
            ("mem:jobs", Address::Memory("jobs".into())),
            (&*format!("mem:{longest}"), Address::Memory(longest)),
            ("fd:0", Address::Fd(0)),
            ("fd:17", Address::Fd(17)),
            ("systemd:", named(None)),
            ("systemd:jobs", named(Some("jobs"))),
        ] {
            assert_eq!(text.parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong_and_what_is_accepted() {
        for (text, says) in [
            ("", "there is no path"),
            ("unix:", "there is no path"),
            ("mem:", "the name must have 1 to 107 bytes"),
            (&*format!("mem:{}", "x".repeat(108)), "the name must have 1 to 107 bytes"),
            ("fd:", "the descriptor must be a number"),
            ("fd:-1", "the descriptor must be a number"),
            ("fd:+3", "the descriptor must be a number"),
            ("fd:2147483648", "the descriptor must be a number"),
            ("nats://host", "`nats:` is not yet supported"),
            ("@name", "abstract"),
            ("\0name", "abstract"),
            ("unix:@name", "abstract"),
            ("a\0b", "NUL"),
            ("localhost:80", "did you mean `tcp:localhost:80`?"),
            ("[::1]:80", "did you mean `tcp:[::1]:80`?"),
            ("localhost:http", "no known prefix"),
            ("tcp:localhost", "port is missing"),
            ("tcp:localhost:", "0 to 65535"),
            ("tcp:localhost:+1", "0 to 65535"),
            ("tcp:localhost:65536", "0 to 65535"),
            ("tcp::80", "host"),
            ("tcp://localhost:80", "host"),
            ("tcp:::1:80", "brackets"),
            ("tcp:[localhost]:80", "brackets"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(says), "{text:?}: {error}");
            let accepted = "; accepted are PATH, unix:PATH, tcp:HOST:PORT, mem:NAME, fd:N, ";
            assert!(error.contains(accepted), "{error}");
        }
    }
}
