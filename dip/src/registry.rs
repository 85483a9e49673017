//! Link-time entries become a checked router. The only file that reads `inventory`.

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::builtin::SetConnectionId;
use crate::context::States;
use crate::error::{Fault, place};
use crate::handler::{HandlerEntry, Route};
use crate::limits::Limits;
use crate::mtype::Mtype;
use crate::protocol::{Protocol, ProtocolEntry};
use crate::reply::Rejection;

/// Which handlers a server has.
///
/// [`Router::linked`] takes all that are linked into the program; a test or a library builds its own:
///
/// ```rust,standalone_crate
/// use dip::{Protocol, Router, handler};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Protocol)]
/// #[mtype(b'N')]
/// struct Note(String);
///
/// #[handler]
/// async fn note(_: Note) {}
///
/// let router = Router::new().handler(note);
/// assert_eq!(router.handlers().count(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Router {
    handlers: Vec<&'static HandlerEntry>,
    faults: Vec<Fault>,
}

impl Router {
    /// A router without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// All handlers linked into this program that are in no group.
    ///
    /// A crate that the program never names is not linked: `use that_crate as _;`, or the key `link`
    /// of [`serve!`](crate::serve).
    pub fn linked() -> Self {
        Self::of(None)
    }

    /// All handlers linked into this program under `#[handler(group = "name")]`.
    pub fn group(name: &str) -> Self {
        Self::of(Some(name))
    }

    fn of(group: Option<&str>) -> Self {
        let entries = inventory::iter::<HandlerEntry>.into_iter();
        Self {
            handlers: entries.filter(|entry| entry.group == group).collect(),
            faults: Vec::new(),
        }
    }

    /// Adds one handler: the function itself. One without `#[handler]` is a start-up error that
    /// names the line of this call.
    #[must_use]
    #[track_caller]
    pub fn handler<F: Copy + 'static>(mut self, _function: F) -> Self {
        let wanted = TypeId::of::<F>();
        let found = inventory::iter::<HandlerEntry>.into_iter().find(|e| (e.function)() == wanted);
        match found {
            Some(entry) => self.handlers.push(entry),
            None => self.faults.push(Fault::new(
                format!("`{}` is not a handler: write `#[handler]` on it", type_name::<F>()),
                Location::caller(),
            )),
        }
        self
    }

    /// What is in the router, for people: one line a handler.
    pub fn handlers(&self) -> impl Iterator<Item = String> {
        self.handlers
            .iter()
            .map(|entry| format!("{} takes {} ({})", entry.name, (entry.message)(), entry.at))
    }

    /// Checks everything that can be wrong before the first message, and reports it all.
    pub(crate) fn check(mut self, states: &States) -> Result<Routes, Vec<Fault>> {
        let mut faults = self.faults;
        let protocols = protocols(&mut faults);
        let mut handlers: HashMap<Route, &'static HandlerEntry> = HashMap::new();
        // The linker orders them as it likes.
        self.handlers.sort_by_key(|entry| place(entry.at));
        for entry in self.handlers {
            if let Some(first) = handlers.get(&entry.route) {
                // The same function twice, or one crate linked twice, is one handler.
                if first.name == entry.name && first.at.to_string() == entry.at.to_string() {
                    continue;
                }
                faults.push(two_handlers(first, entry));
            } else {
                handlers.insert(entry.route, entry);
            }
            faults.extend(never_called(entry).map(|what| Fault::new(what, entry.at)));
            for state in entry.needs.iter().copied().flatten() {
                if !states.has((state.id)()) {
                    let (name, state) = (entry.name, (state.name)());
                    faults.push(Fault::new(
                        format!(
                            "`{name}` takes `State<{state}>`, but no such state was given: add \
                             `state = …` to `serve!`, or `.state(…)` to the builder"
                        ),
                        entry.at,
                    ));
                }
            }
        }
        if handlers.is_empty() && faults.is_empty() {
            faults.push(Fault::anywhere(
                "there is no handler: write `#[handler]` on a function, and name the crates that hold \
                 handlers (`use jobs as _;` or `link = [jobs]`), or they are not linked",
            ));
        }
        if faults.is_empty() { Ok(Routes::new(&protocols, &handlers)) } else { Err(faults) }
    }
}

/// Why no message ever comes to a handler, if so.
fn never_called(entry: &HandlerEntry) -> Option<String> {
    let Route::One(mtype) = entry.route else { return None };
    let (name, message) = (entry.name, (entry.message)());
    if mtype == SetConnectionId::MTYPE {
        return Some(format!(
            "`{name}` would never run, the server takes `SetConnectionId` itself: take `Peer`, its \
             `client_id` is what the connection claims"
        ));
    }
    if mtype.as_byte().is_none() {
        return Some(format!(
            "`{name}` would never run, no wire of this version carries names: give `{message}` a \
             byte instead of {mtype}"
        ));
    }
    let short = |name: &'static str| name.split('<').next();
    let registered = inventory::iter::<ProtocolEntry>.into_iter().any(|protocol| {
        // A generic message is registered for one of its types.
        protocol.mtype == mtype && short((protocol.name)()) == short(message)
    });
    (!registered).then(|| {
        format!(
            "`{name}` takes `{message}`, which is not registered: write `dip::register!({})`",
            without_path(message)
        )
    })
}

/// `Line<a::B>` of `a::Line<a::B>`.
fn without_path(name: &str) -> &str {
    let base = name.split('<').next().unwrap_or(name);
    &name[base.rfind("::").map_or(0, |at| at + 2)..]
}

fn two_handlers(first: &HandlerEntry, second: &HandlerEntry) -> Fault {
    let what = match first.route {
        Route::One(mtype) => format!("message {mtype} (`{}`)", (first.message)()),
        Route::Any => "`builtin::Any`".to_owned(),
        Route::Fallback => "what has no other handler".to_owned(),
    };
    Fault::new(
        format!(
            "two handlers for {what}: `{}` at {} and `{}` at {}",
            first.name, first.at, second.name, second.at
        ),
        second.at,
    )
}

/// The message types of the program, by mtype; a second one of an mtype is a fault.
fn protocols(faults: &mut Vec<Fault>) -> HashMap<Mtype, &'static ProtocolEntry> {
    let mut known: HashMap<Mtype, &'static ProtocolEntry> = HashMap::new();
    let mut entries: Vec<_> = inventory::iter::<ProtocolEntry>.into_iter().collect();
    entries.sort_by_key(|entry| place(entry.at));
    for entry in entries {
        if entry.mtype.as_byte().is_some_and(|byte| RESERVED.contains(&byte)) {
            let (mtype, name) = (entry.mtype, (entry.name)());
            let what = format!(
                "`{name}` has the mtype {mtype}, which opens the native wire: choose another"
            );
            faults.push(Fault::new(what, entry.at));
        }
        let Some(other) = known.get(&entry.mtype) else {
            known.insert(entry.mtype, entry);
            continue;
        };
        let other = *other;
        match (other.builtin, entry.builtin) {
            (true, false) if entry.replaces => _ = known.insert(entry.mtype, entry),
            (false, true) if other.replaces => {}
            (true, false) => faults.push(takes_builtin(entry, other)),
            (false, true) => faults.push(takes_builtin(other, entry)),
            _ if same(other, entry) => {}
            _ => faults.push(Fault::new(
                format!(
                    "two message types have the mtype {}: `{}` and `{}` (the first is at {})",
                    entry.mtype,
                    (other.name)(),
                    (entry.name)(),
                    other.at
                ),
                entry.at,
            )),
        }
    }
    known
}

/// One crate can be linked twice (a dev-dependency cycle): its types are then the same.
fn same(one: &ProtocolEntry, two: &ProtocolEntry) -> bool {
    (one.name)() == (two.name)() && one.at.to_string() == two.at.to_string()
}

fn takes_builtin(entry: &ProtocolEntry, builtin: &ProtocolEntry) -> Fault {
    Fault::new(
        format!(
            "`{}` has the mtype {} of the built-in message `{}`: choose another, or write `replace` after it to take it over",
            (entry.name)(),
            entry.mtype,
            (builtin.name)()
        ),
        entry.at,
    )
}

/// The mtypes of the frames that open the native wire.
const RESERVED: [u8; 2] = [5, 6];

/// The checked router: what happens to a message of each type.
pub(crate) struct Routes {
    bytes: Vec<Option<Arc<Destination>>>,
    named: HashMap<Mtype, Arc<Destination>>,
    fallback: Option<&'static HandlerEntry>,
}

/// Where the messages of one type go.
pub(crate) struct Destination {
    pub(crate) protocol: &'static ProtocolEntry,
    /// `None`: a type that is known, but handled by nobody.
    pub(crate) handler: Option<&'static HandlerEntry>,
    pub(crate) counters: Counters,
}

/// What happened to the messages of one type.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) count: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    pub(crate) unhandled: AtomicU64,
    pub(crate) late: AtomicU64,
}

impl Counters {
    /// A message has been answered.
    pub(crate) fn ended(&self, answer: &Result<(), Rejection>) {
        if answer.is_err() {
            self.errors.fetch_add(1, Relaxed);
        }
    }
}

impl Routes {
    fn new(
        protocols: &HashMap<Mtype, &'static ProtocolEntry>,
        handlers: &HashMap<Route, &'static HandlerEntry>,
    ) -> Self {
        let any = handlers.get(&Route::Any).copied();
        let fallback = handlers.get(&Route::Fallback).copied().or(any);
        let mut routes = Self { bytes: vec![None; 256], named: HashMap::new(), fallback };
        for (mtype, protocol) in protocols {
            let own = handlers.get(&Route::One(*mtype)).copied();
            let handler = own.or(any.filter(|_| protocol.builtin));
            let destination =
                Arc::new(Destination { protocol, handler, counters: Counters::default() });
            match mtype.as_byte() {
                Some(byte) => routes.bytes[usize::from(byte)] = Some(destination),
                None => _ = routes.named.insert(*mtype, destination),
            }
        }
        routes
    }

    /// Where a frame of the classic wire goes.
    pub(crate) fn byte(&self, mtype: u8) -> Option<&Arc<Destination>> {
        self.bytes[usize::from(mtype)].as_ref()
    }

    /// A message was refused before it was dispatched.
    pub(crate) fn refused(&self, mtype: u8) {
        if let Some(to) = self.byte(mtype) {
            to.counters.count.fetch_add(1, Relaxed);
            to.counters.errors.fetch_add(1, Relaxed);
        }
    }

    /// The handler of what has no other. A frame that opens the native wire is no message: its
    /// sender has to be told that nobody knows it.
    pub(crate) fn fallback(&self, mtype: u8) -> Option<&'static HandlerEntry> {
        self.fallback.filter(|_| !RESERVED.contains(&mtype))
    }

    /// All destinations, byte types first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Destination>> {
        self.bytes.iter().flatten().chain(self.named.values())
    }
}

impl Destination {
    /// The longest body that is taken in.
    pub(crate) fn max_len(&self, limits: &Limits) -> usize {
        const LONG: &[u8] = b"OEPJUI";
        let long = |byte| self.protocol.builtin && LONG.contains(&byte);
        match self.protocol.max_len {
            Some(max) => usize::try_from(max).unwrap_or(usize::MAX),
            None if self.protocol.mtype.as_byte().is_some_and(long) => limits.max_builtin_message.0,
            None => limits.max_message.0,
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({} to {:?})", self.protocol.mtype, self.handler)
    }
}
