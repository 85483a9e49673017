//! From an address to a server, on the wire that it speaks.

use std::fmt;
use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{classic, native};
use crate::client::{CLASSIC_ONLY, Unreached, Wire, is_remembered, remember, unwelcome};
use crate::connection::{Unwelcome, fields};
use crate::limits::Limits;
use crate::session::handshake::{Heard, Probe, agree};
use crate::transport::{Access, Address, Socket};
use crate::wire::classic::MAX_REPLY_TEXT;
use crate::wire::hello::{App, Hello};

/// Where a client connects, and as whom.
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) access: Access,
    pub(super) id: Option<Uuid>,
    pub(super) app: Option<App>,
    /// `None`: the one that the server speaks.
    pub(super) wire: Option<Wire>,
    pub(super) limits: Limits,
    /// What tells this client from others.
    pub(super) instance: [u8; 16],
}

pub(super) enum Place {
    Address(Address),
    /// A socket that was connected once, by somebody else.
    Socket(Option<Socket>),
}

/// A connection to a server.
pub(super) enum Line {
    Native(Box<native::Connection>),
    Classic(classic::Connection),
}

impl Line {
    pub(super) fn wire(&self) -> Wire {
        match self {
            Self::Native(_) => Wire::Native,
            Self::Classic(_) => Wire::Classic,
        }
    }

    pub(super) fn is_open(&mut self) -> bool {
        match self {
            Self::Native(connection) => connection.is_open(),
            Self::Classic(connection) => connection.is_open(),
        }
    }
}

impl Place {
    /// Where it is, if it can be named.
    pub(super) fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) => Some(address),
            Self::Socket(_) => None,
        }
    }

    /// Whether there is one connection to be had, and never another.
    pub(super) fn is_one_connection(&self) -> bool {
        match self {
            Self::Address(address) => address.is_one_connection(),
            Self::Socket(_) => true,
        }
    }
}

impl Target {
    /// Connects, and finds out which wire the server speaks.
    pub(super) fn dial(&mut self, deadline: Instant) -> Result<Line, Unreached> {
        let address = match &mut self.place {
            Place::Socket(socket) => {
                let socket = socket.take().ok_or(Unreached::Over)?;
                return self.greet(socket, None, deadline);
            }
            Place::Address(address) => address.clone(),
        };
        let connect =
            || Socket::connect(&address, &self.access, deadline).map_err(Unreached::Connect);
        if self.wire == Some(Wire::Classic) || (self.wire.is_none() && is_remembered(&address)) {
            let line = connect().and_then(|socket| self.classic(socket, &address, deadline));
            if line.is_err() {
                remember(&address, false);
            }
            return line;
        }
        self.greet(connect()?, Some(&address), deadline)
    }

    /// Offers the native wire to a server.
    fn greet(
        &self,
        mut socket: Socket,
        address: Option<&Address>,
        deadline: Instant,
    ) -> Result<Line, Unreached> {
        let fields = fields(&self.limits, self.instance, self.id, self.app.clone(), true);
        let hello = Hello::new(fields);
        let io = |error| unwelcome(Unwelcome::Io(error), address);
        let written = socket.write_all(&mut [IoSlice::new(&hello.encode())], deadline);
        let mut answer = Vec::new();
        let probe = Probe::new();
        loop {
            // A server that turns the client away may have said why before it read anything.
            let read = read(&mut socket, &mut answer, deadline).map_err(io)?;
            match probe.look(&answer) {
                Heard::More if read.is_none() => return Err(Unreached::Late),
                Heard::More if read == Some(0) => {
                    written.map_err(io)?;
                    return Err(match answer.is_empty() {
                        true => io(io::ErrorKind::ConnectionReset.into()),
                        false => unwelcome(Unwelcome::Other(text(&answer)), address),
                    });
                }
                Heard::More => {}
                Heard::Welcome { welcome, used } => {
                    if let Some(Address::Tcp { .. }) = address
                        && let Err(error) = socket.keep_alive(self.limits.ping)
                    {
                        tracing::debug!(%error, "the kernel does not look after a silent server");
                    }
                    let terms = [hello.fields.terms, welcome.fields.terms];
                    let mismatched = agree(&hello.fields, &welcome.fields).mismatched;
                    let rest = &answer[used..];
                    let connection =
                        native::Connection::new(socket, terms, &self.limits, mismatched, rest);
                    return Ok(Line::Native(Box::new(connection)));
                }
                Heard::Classic => {
                    return match address {
                        Some(address) if self.wire.is_none() => {
                            remember(address, true);
                            self.classic(socket, address, deadline)
                        }
                        _ => Err(Unreached::NotSupported(CLASSIC_ONLY)),
                    };
                }
                Heard::Refused(status, reason) => {
                    return Err(unwelcome(Unwelcome::Refused(status, reason), address));
                }
                Heard::AckedByMistake => {
                    return Err(unwelcome(Unwelcome::Acknowledged, address));
                }
                Heard::NotDip(_) => {
                    // It is about to close; its text has ended when no more of it comes.
                    while answer.len() < MAX_REPLY_TEXT
                        && let quiet = (Instant::now() + QUIET).min(deadline)
                        && let Ok(Some(1..)) = self::read(&mut socket, &mut answer, quiet)
                    {
                    }
                    answer.truncate(MAX_REPLY_TEXT);
                    return Err(unwelcome(Unwelcome::Other(text(&answer)), address));
                }
            }
        }
    }

    fn classic(
        &self,
        socket: Socket,
        address: &Address,
        deadline: Instant,
    ) -> Result<Line, Unreached> {
        classic::Connection::over(socket, address, self.id, deadline).map(Line::Classic)
    }
}

/// A text has ended when no more of it came for this long.
const QUIET: Duration = Duration::from_millis(50);

/// Appends what comes: 0 bytes are the end, `None` is the deadline.
fn read(socket: &mut Socket, answer: &mut Vec<u8>, deadline: Instant) -> io::Result<Option<usize>> {
    let mut bytes = [0; 4096];
    let read = socket.read(&mut bytes, deadline)?;
    answer.extend_from_slice(&bytes[..read.unwrap_or(0)]);
    Ok(read)
}

fn text(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).into_owned()
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Address(address) => write!(f, "Target({address:?})"),
            Place::Socket(_) => f.write_str("Target(a socket)"),
        }
    }
}
