//! Link-time entries become a checked router. The only file that reads `inventory`.

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::panic::Location;

use crate::builtin::SetConnectionId;
use crate::context::States;
use crate::error::{Fault, place};
use crate::handler::{HandlerEntry, Route};
use crate::mtype::Mtype;
use crate::protocol::{Protocol, ProtocolEntry};

mod routes;
mod schemas;

pub(crate) use routes::{Destination, Routes};
pub(crate) use schemas::schemas;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::Stdout;
    use crate::codec::{Json, Unit};
    use crate::handler::Unrouted;
    use crate::protocol::{NoError, Once};

    #[crate::handler(group = "tests of the registry")]
    async fn plain(_: Stdout) {}

    #[crate::handler(group = "tests of the registry", spawn, no_cancel)]
    async fn with_options(_: Stdout) {}

    // Not derived: the claim on its mtype is a static that this crate forbids itself.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Named(u8);

    impl Protocol for Named {
        const MTYPE: Mtype = Mtype::name("tests.of-the-registry");
        type Codec = Json;
        type Reply = ();
        type Error = NoError;
        type ReplyCodec = Unit;
        type Shape = Once;
    }

    crate::register!(Named);

    #[crate::handler(group = "tests of the registry")]
    async fn named(_: Named) {}

    #[crate::handler(group = "tests of the registry", fallback)]
    async fn rest(_: Unrouted) {}

    #[test]
    fn the_options_of_a_handler_are_in_its_entry() {
        let options = |router: Router| router.handlers.first().map(|e| (e.spawn, e.cancel));
        assert_eq!(options(Router::new().handler(plain)), Some((false, true)));
        assert_eq!(options(Router::new().handler(with_options)), Some((true, false)));
    }

    #[test]
    fn a_message_is_found_by_the_number_of_its_byte_or_name() {
        let routes = Router::new().handler(plain).handler(named).check(&States::default()).unwrap();
        let handler = |number| Some(routes.find(number)?.handler?.name);
        let name = |function: &str| Some(format!("{}::{function}", module_path!()));
        assert_eq!(handler(0x4f).map(str::to_owned), name("plain"));
        assert_eq!(handler(Named::MTYPE.number()).map(str::to_owned), name("named"));
        for nobody in [0x8000_004f, 0x14f] {
            assert!(routes.find(nobody).is_none(), "{nobody:#x}");
        }
        assert!(routes.fallback_of(0x8000_004f).is_none());
    }

    #[test]
    fn a_fallback_takes_what_nobody_knows_but_the_openings_of_a_connection() {
        let routes = Router::new().handler(rest).check(&States::default()).unwrap();
        for number in [0x8000_004f, b'Z'.into(), Named::MTYPE.number()] {
            assert!(routes.fallback_of(number).is_some(), "{number:#x}");
        }
        assert!(routes.fallback_of(5).is_none() && routes.fallback_of(6).is_none());
    }
}
