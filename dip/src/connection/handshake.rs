//! The preface of the native wire, said and heard on a stream.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::native::Connection;
use super::parting::turn_away;
use crate::limits::{self, Limits};
use crate::link::Link;
use crate::peer::{Connected, Peer};
use crate::registry;
use crate::schema;
use crate::service::{CloseReason, Service, Stage};
use crate::session::handshake::{Heard, Listening, Probe, Step, agree};
use crate::session::native::{Input, Session, Side, Times};
use crate::transport::Stream;
use crate::wire::classic;
use crate::wire::hello::{App, Fields, Hello, Status, Terms, Welcome};

/// Welcomes a peer that has begun to speak the native wire with `bytes`.
pub(super) async fn welcome(
    service: Arc<Service>,
    mut stream: Stream,
    connected: Connected,
    mut bytes: BytesMut,
    begun: Instant,
) -> Result<Box<Connection>, CloseReason> {
    let hello = match hear_hello(&service, &mut stream, &mut bytes, begun).await {
        Ok(hello) => hello,
        Err(Unheard::Ended(reason)) => return Err(reason),
        Err(Unheard::Refused(why)) => {
            turn_away(stream, &why).await;
            return Err(CloseReason::Violation);
        }
    };
    let fields = fields(service.limits(), service.instance(), None, None, false);
    let agreement = agree(&fields, &hello.fields);
    let version = hello.version();
    let welcome = Welcome { version, status: Status::Ok, fields };
    let written = limits::end(begun, service.limits().handshake);
    let welcome = welcome.encode();
    match tokio::time::timeout_at(written.into(), stream.write_all(&welcome)).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Err(CloseReason::Lost),
        Err(_) => return Err(CloseReason::HandshakeTimeout),
    }
    let Fields { terms, label, app, .. } = hello.fields;
    let mismatched = agreement.mismatched;
    let their = Their { terms, label, app, mismatched, rest: bytes, is_only: true };
    Ok(connection(&service, Side::Acceptor, stream, connected, their))
}

/// Why there is no HELLO.
enum Unheard {
    /// The peer is told with a WELCOME.
    Refused(Vec<u8>),
    Ended(CloseReason),
}

/// Reads a HELLO; what came behind it is left in `bytes`.
async fn hear_hello(
    service: &Service,
    stream: &mut Stream,
    bytes: &mut BytesMut,
    begun: Instant,
) -> Result<Hello, Unheard> {
    let late = limits::end(begun, service.limits().handshake);
    let mut stage = service.stage();
    let mut evicted = pin!(service.incomplete().evicted());
    let mut listening = Listening::default();
    loop {
        match listening.received(bytes) {
            Step::More => bytes.clear(),
            Step::Hello { hello, used } => {
                bytes.advance(used);
                return Ok(*hello);
            }
            Step::Refuse(refusal) => {
                return Err(Unheard::Refused(refusal));
            }
        }
        tokio::select! {
            biased;
            read = stream.read_buf(bytes) => match read {
                Ok(0) | Err(_) => return Err(Unheard::Ended(CloseReason::Lost)),
                Ok(_) => {}
            },
            _ = stage.wait_for(|stage| *stage >= Stage::Draining) => {
                return Err(Unheard::Ended(CloseReason::ShuttingDown));
            }
            () = tokio::time::sleep_until(late.into()) => return Err(Unheard::Ended(CloseReason::HandshakeTimeout)),
            () = &mut evicted => return Err(Unheard::Ended(CloseReason::Evicted)),
        }
    }
}

/// What a server said to a HELLO that it let in.
pub(crate) enum Greeted {
    Native(Box<Connection>),
    /// It speaks the classic wire only, and waits for the next frame.
    Classic(Stream),
}

/// Why there is no connection after all.
pub(crate) enum Unwelcome {
    /// The server said so, in its own words.
    Refused(Status, String),
    /// A classic server took the HELLO for a message, and acknowledged it.
    Acknowledged,
    /// What came is no answer of any server of dip.
    Other(String),
    Io(io::Error),
}

/// Offers the native wire to a server; `is_only` if there is no other connection to it, now or later.
pub(crate) async fn greet(
    service: &Arc<Service>,
    mut stream: Stream,
    label: Option<Uuid>,
    app: Option<App>,
    is_only: bool,
) -> Result<Greeted, Unwelcome> {
    let fields = fields(service.limits(), service.instance(), label, app, false);
    let hello = Hello::new(fields);
    let written = stream.write_all(&hello.encode()).await;
    let mut bytes = BytesMut::new();
    let probe = Probe::new();
    loop {
        // A server that turns the client away may have said why before it read anything.
        let read = stream.read_buf(&mut bytes).await.map_err(Unwelcome::Io)?;
        match probe.look(&bytes) {
            Heard::More if read == 0 => {
                written.map_err(Unwelcome::Io)?;
                let said = String::from_utf8_lossy(&bytes).into_owned();
                return Err(match bytes.is_empty() {
                    true => Unwelcome::Io(io::ErrorKind::ConnectionReset.into()),
                    false => Unwelcome::Other(said),
                });
            }
            Heard::More => {}
            Heard::Welcome { welcome, used } => {
                bytes.advance(used);
                let agreement = agree(&hello.fields, &welcome.fields);
                let their = Their {
                    terms: welcome.fields.terms,
                    label: None,
                    app: welcome.fields.app,
                    mismatched: agreement.mismatched,
                    rest: bytes,
                    is_only,
                };
                let connected = Connected::of(service.next_peer(), stream.credentials());
                let connection = connection(service, Side::Connector, stream, connected, their);
                return Ok(Greeted::Native(connection));
            }
            Heard::Refused(status, reason) => return Err(Unwelcome::Refused(status, reason)),
            Heard::Classic => return Ok(Greeted::Classic(stream)),
            Heard::AckedByMistake => return Err(Unwelcome::Acknowledged),
            Heard::NotDip(_) => {
                return Err(Unwelcome::Other(rest_of(&mut stream, bytes).await));
            }
        }
    }
}

/// The text of a server that is about to close.
async fn rest_of(stream: &mut Stream, mut bytes: BytesMut) -> String {
    const LONGEST: usize = classic::MAX_REPLY_TEXT;
    let rest = async {
        while bytes.len() < LONGEST && stream.read_buf(&mut bytes).await.is_ok_and(|n| n > 0) {}
    };
    _ = tokio::time::timeout(QUIET, rest).await;
    bytes.truncate(LONGEST);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text has ended when no more of it came for this long.
const QUIET: Duration = Duration::from_millis(50);

/// What the other side has said of itself.
struct Their {
    terms: Terms,
    label: Option<Uuid>,
    app: Option<App>,
    mismatched: Vec<u32>,
    /// What came behind the handshake.
    rest: BytesMut,
    is_only: bool,
}

fn connection(
    service: &Arc<Service>,
    side: Side,
    stream: Stream,
    mut connected: Connected,
    their: Their,
) -> Box<Connection> {
    for schema in registry::schemas() {
        if their.mismatched.binary_search(&schema.number).is_ok() {
            let (peer, mtype, name) = (connected.id.0, schema.mtype, &schema.name);
            tracing::warn!(peer, %mtype, name, "the peer has another version of this type; it is refused");
        }
    }
    let limits = service.limits();
    // Elsewhere the kernel tells of the death of a peer.
    let ping = stream.is_tcp().then_some(limits.ping);
    let times = Times { cap: limits.handler_cap, credit: limits.write, ping };
    if their.terms.passive
        && let Err(error) = stream.keep_alive(limits.ping)
    {
        tracing::debug!(%error, "the kernel does not look after a silent peer");
    }
    let ours = terms(service.limits(), false);
    let session = Session::new(side, ours, their.terms, times, Instant::now());
    let link = Arc::new(Link::new(session, their.mismatched, their.is_only));
    let app = their.app.map(|app| format!("{} {}", app.name, app.version).into());
    (connected.link, connected.app) = (Some(link.clone()), app);
    let peer = Peer::new(Arc::new(connected), their.label);
    let mut input = Input::new();
    input.feed(&their.rest);
    Box::new(Connection::new(service.clone(), link, peer, stream, input))
}

/// What a side with these limits says of itself; one that is passive only calls.
pub(crate) fn fields(
    limits: &Limits,
    instance: [u8; 16],
    label: Option<Uuid>,
    app: Option<App>,
    passive: bool,
) -> Fields {
    let types = registry::schemas().iter().map(|schema| (schema.number, schema.fingerprint));
    Fields {
        label,
        app,
        types: types.collect(),
        schema_algorithm: schema::ALGORITHM,
        instance: Some(instance),
        terms: terms(limits, passive),
        ..Fields::default()
    }
}

/// What a side with these limits accepts.
pub(crate) fn terms(limits: &Limits, passive: bool) -> Terms {
    let default = Terms::default();
    // Each type has its own limit besides.
    let max_message = limits.max_message.0.max(limits.max_builtin_message.0) as u64;
    Terms {
        max_message,
        body_window: default.body_window.max(max_message),
        calls: limits.calls,
        notify_window: limits.notify_window,
        passive,
        ..default
    }
}
