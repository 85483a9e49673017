//! From an address to a server, on the wire that it speaks.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::Wire;
use crate::connection::{Greeted, Unwelcome, greet};
use crate::error::{CallError, Error, Reason, Remote};
use crate::link::Link;
use crate::pool::{DialError, Pool, Unleased};
use crate::protocol::NoError;
use crate::reply::{Code, Handled};
use crate::service::Service;
use crate::transport::{self, Access, Address, ConnectError, Stream};
use crate::wire::hello::{App, Status};

/// The addresses at which a server has said that it speaks the classic wire only. A Python server
/// logs an error for each time that it is asked.
static CLASSIC: Mutex<Option<HashSet<Address>>> = Mutex::new(None);

/// How a server is reached.
#[derive(Clone)]
pub(super) enum Reached {
    Native(Arc<Link>),
    Classic(Arc<Pool>),
}

impl Reached {
    /// Whether messages can be sent this way; a pool connects by itself.
    pub(super) fn is_good(&self) -> bool {
        match self {
            Self::Native(link) => link.is_open(),
            Self::Classic(_) => true,
        }
    }
}

/// Where a client connects, and as whom.
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) access: Access,
    pub(super) id: Option<Uuid>,
    pub(super) app: Option<App>,
    /// `None`: the one that the server speaks.
    pub(super) wire: Option<Wire>,
    pub(super) pool_size: usize,
}

pub(super) enum Place {
    Address(Address),
    /// A stream that was connected once, by somebody else.
    Stream(Mutex<Option<Stream>>),
}

impl Place {
    /// Where it is, if it can be named.
    pub(super) fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) => Some(address),
            Self::Stream(_) => None,
        }
    }

    /// Whether there is one connection to be had, and never another.
    pub(super) fn is_one_connection(&self) -> bool {
        match self {
            Self::Address(address) => address.is_one_connection(),
            Self::Stream(_) => true,
        }
    }
}

/// Why a server could not be reached.
#[derive(Debug)]
pub(crate) enum Unreached {
    Connect(ConnectError),
    /// It turned the client away.
    Refused(Remote),
    /// It does not speak the wire that it was to.
    NotSupported(&'static str),
    /// The one stream there was has ended.
    Over,
    /// The client was closed meanwhile.
    Closed,
    Late,
}

impl Target {
    /// Connects, and finds out which wire the server speaks.
    pub(super) async fn dial(
        &self,
        service: &Arc<Service>,
        deadline: Instant,
    ) -> Result<Reached, Unreached> {
        let address = match &self.place {
            Place::Stream(_) if self.wire == Some(Wire::Classic) => {
                return Err(Unreached::NotSupported(NATIVE_ONLY));
            }
            Place::Stream(stream) => {
                let stream = locked(stream).take().ok_or(Unreached::Over)?;
                return self.greet(service, stream, None, deadline).await;
            }
            Place::Address(address) => address,
        };
        if self.wire == Some(Wire::Classic) || (self.wire.is_none() && is_remembered(address)) {
            let reached = self.pool(address, None, deadline).await;
            if reached.is_err() {
                remember(address, false);
            }
            return reached;
        }
        let stream = transport::connect(address, &self.access, deadline)
            .await
            .map_err(Unreached::Connect)?;
        self.greet(service, stream, Some(address), deadline).await
    }

    async fn greet(
        &self,
        service: &Arc<Service>,
        stream: Stream,
        address: Option<&Address>,
        deadline: Instant,
    ) -> Result<Reached, Unreached> {
        let greeting =
            greet(service, stream, self.id, self.app.clone(), self.place.is_one_connection());
        let greeted = timeout_at(deadline, greeting).await.map_err(|_| Unreached::Late)?;
        match greeted.map_err(|why| unwelcome(why, address))? {
            Greeted::Native(connection) => {
                let link = connection.link().clone();
                tokio::spawn(connection.run());
                Ok(Reached::Native(link))
            }
            Greeted::Classic(stream) => match address {
                Some(address) if self.wire.is_none() => {
                    remember(address, true);
                    self.pool(address, Some(stream), deadline).await
                }
                _ => Err(Unreached::NotSupported(CLASSIC_ONLY)),
            },
        }
    }

    /// A pool whose first connection is `stream`, or a new one.
    async fn pool(
        &self,
        address: &Address,
        stream: Option<Stream>,
        deadline: Instant,
    ) -> Result<Reached, Unreached> {
        let pool = Pool::new(address.clone(), self.access.clone(), self.id, self.pool_size);
        let pool = Arc::new(pool);
        let first = match stream {
            Some(stream) => pool.adopt(stream, deadline).await,
            None => pool.acquire(deadline).await,
        };
        first?.keep(None);
        Ok(Reached::Classic(pool))
    }
}

const NATIVE_ONLY: &str =
    "over a stream that was connected before, the native wire is spoken; connect to an address";
pub(crate) const CLASSIC_ONLY: &str = "the server speaks the classic wire only";

pub(crate) fn unwelcome(why: Unwelcome, address: Option<&Address>) -> Unreached {
    match why {
        Unwelcome::Refused(status, text) => {
            let code = match status {
                Status::NotAuthorised => Code::Denied,
                Status::Busy => Code::Overloaded,
                _ => Code::Unsupported,
            };
            Unreached::Refused(Remote::from_native(code, Handled::No, text))
        }
        Unwelcome::Acknowledged => Unreached::NotSupported(
            "the server took the greeting for a message: say `.wire(Wire::Classic)`",
        ),
        Unwelcome::Other(text) => Unreached::Refused(Remote::from_classic(0x05, text)),
        Unwelcome::Io(source) => match address {
            Some(address) => {
                Unreached::Connect(ConnectError::Io { address: address.clone(), source })
            }
            None => Unreached::Over,
        },
    }
}

/// Whether the server at this address has said that it speaks the classic wire only.
pub(crate) fn is_remembered(address: &Address) -> bool {
    locked(&CLASSIC).as_ref().is_some_and(|all| all.contains(address))
}

pub(crate) fn remember(address: &Address, classic: bool) {
    let mut all = locked(&CLASSIC);
    let all = all.get_or_insert_default();
    if classic {
        all.insert(address.clone());
    } else {
        all.remove(address);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Unleased> for Unreached {
    fn from(error: Unleased) -> Self {
        match error {
            Unleased::Undialed(DialError::Connect(error)) => Self::Connect(error),
            Unleased::Undialed(DialError::IdRefused(remote)) => Self::Refused(remote),
            // Nobody else knows the pool yet.
            Unleased::Busy | Unleased::Closed => Self::Late,
        }
    }
}

impl From<Unreached> for CallError<NoError> {
    fn from(error: Unreached) -> Self {
        match error {
            Unreached::Late | Unreached::Connect(ConnectError::TimedOut { .. }) => {
                Self::Deadline { sent: false }
            }
            Unreached::Connect(error) => Self::NotSent(Reason::Connect(error)),
            Unreached::Refused(remote) => Self::NotSent(Reason::Refused(remote)),
            Unreached::NotSupported(why) => Self::NotSent(Reason::NotSupported(why)),
            Unreached::Over => Self::NotSent(Reason::Gone),
            Unreached::Closed => Self::NotSent(Reason::Closed),
        }
    }
}

impl Unreached {
    /// The error of a first connection.
    pub(crate) fn into_error(self, address: Option<&Address>) -> Error {
        match (self, address) {
            (Self::Late, Some(address)) => {
                Error::Connect(ConnectError::TimedOut { address: address.clone() })
            }
            (Self::Late, None) => Error::Deadline { sent: false },
            (Self::Connect(error), _) => Error::Connect(error),
            (Self::Over, _) => Error::Io(io::ErrorKind::ConnectionReset.into()),
            (other, _) => CallError::from(other).into(),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({:?})", self.place)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Stream(_) => f.write_str("a stream"),
        }
    }
}
