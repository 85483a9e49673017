//! Finds out the shape of a type by asking its `Deserialize` what it wants to read.
//!
//! A pass runs `Deserialize` from the outermost type along one path (the second field, its elements,
//! their first field …) and ends with an error as soon as the type at the end of the path says what
//! it is. Hence no value is ever made, and code that checks values has none to check. The exception
//! are fields without names: to reach the second the first must be there, so it gets a sample.
//!
//! What this can't find out is opaque: what a panic, a sample that no type accepts, or a type that
//! asks the format what comes next (`flatten`, `untagged`, `tag`, a JSON value) hides.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use serde::de::DeserializeOwned;

use super::graph::{Graph, Kind, Node, Part};
use super::name::short;
use super::walk::Walk;

/// The shape of `T`, as it shows itself to a format that is `readable` by people or not.
pub(super) fn trace<T: DeserializeOwned>(readable: bool) -> Graph {
    let tracer = Tracer::new(readable);
    tracer.add(type_name::<T>());
    let mut paths = VecDeque::from([(0, 0, Vec::new())]);
    while let Some((node, parent, path)) = paths.pop_front() {
        tracer.find::<T>(node, parent, &path);
        let nodes = tracer.nodes.borrow();
        if nodes.len() > NODES || path.len() > DEPTH || tracer.steps.get() > STEPS {
            return Graph::opaque(short(type_name::<T>()));
        }
        for (index, part) in nodes[node].node.parts.iter().enumerate() {
            let mut path = path.clone();
            path.push(index);
            paths.push_back((part.node, node, path));
        }
    }
    tracer.into_graph()
}

/// How many fields, elements and variants a type may have, those of the types in it included.
const NODES: usize = 4096;

/// How deep types may be nested, those that contain themselves counted once.
const DEPTH: usize = 64;

/// How often a type may ask for something: in one pass, and in all.
const PASS_STEPS: u32 = 20_000;
const STEPS: u32 = 5_000_000;

/// How often a path is tried: all samples with fields by name, then by position.
const ATTEMPTS: usize = 2 * SAMPLES;
pub(super) const SAMPLES: usize = 8;

/// What is known so far. Nothing is borrowed while a `Deserialize` runs.
pub(super) struct Tracer {
    nodes: RefCell<Vec<Found>>,
    /// Where each type was found.
    known: RefCell<HashMap<Key, usize>>,
    steps: Cell<u32>,
    /// The steps at which the pass has to end.
    pass_end: Cell<u32>,
    attempt: Cell<usize>,
    pub(super) readable: bool,
}

struct Found {
    node: Node,
    /// The type, as far as it is known.
    name: &'static str,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No pass has come here.
    Unseen,
    /// The type was asked what it is.
    Asked,
    /// It said so.
    Answered,
}

/// Tells types from each other: serde's are not `'static`, so that they have no `TypeId`.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    visitor: &'static str,
    value: &'static str,
    kind: Kind,
    parts: Vec<Option<&'static str>>,
}

/// Ends a pass: the path is at its end, or leads nowhere.
#[derive(Debug)]
pub(super) struct Stop;

impl Tracer {
    fn new(readable: bool) -> Self {
        Self {
            nodes: RefCell::default(),
            known: RefCell::default(),
            steps: Cell::new(0),
            pass_end: Cell::new(0),
            attempt: Cell::new(0),
            readable,
        }
    }

    fn add(&self, name: &'static str) -> usize {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Found { node: Node::leaf(Kind::Leaf(UNDESCRIBED)), name, state: State::Unseen });
        nodes.len() - 1
    }

    /// Sends passes to a node until it is known what it is.
    fn find<T: DeserializeOwned>(&self, node: usize, parent: usize, path: &[usize]) {
        let parent_is_opaque = matches!(self.nodes.borrow()[parent].node.kind, Kind::Opaque(_));
        if parent_is_opaque || self.state(node) == State::Answered {
            return;
        }
        for attempt in 0..ATTEMPTS {
            self.attempt.set(attempt);
            self.pass_end.set(self.steps.get() + PASS_STEPS);
            let pass = || drop(T::deserialize(Walk::new(self, path)));
            let panic = catch_unwind(AssertUnwindSafe(pass)).err();
            let panicked = panic.is_some();
            // Its drop may panic, too.
            std::mem::forget(panic);
            if self.state(node) != State::Unseen || panicked || self.steps.get() > STEPS {
                break;
            }
        }
        match self.state(node) {
            State::Answered => {}
            State::Asked => self.hide(node),
            // It is not known that there is such a node at all.
            State::Unseen => self.hide(parent),
        }
    }

    fn state(&self, node: usize) -> State {
        self.nodes.borrow()[node].state
    }

    fn hide(&self, node: usize) {
        let found = &mut self.nodes.borrow_mut()[node];
        found.node = Node::leaf(Kind::Opaque(short(found.name)));
        found.state = State::Answered;
    }

    /// The first eight attempts reach the fields of a struct by name, the others by position.
    pub(super) fn by_name(&self) -> bool {
        self.attempt.get() < SAMPLES
    }

    /// Which samples this pass takes.
    pub(super) fn sample(&self) -> usize {
        self.attempt.get() % SAMPLES
    }

    /// Counts a question.
    ///
    /// # Panics
    ///
    /// Unwinds, without a word from the panic hook, out of a `Deserialize` that goes on and on after
    /// an error. [`Tracer::find`] catches it.
    pub(super) fn count_step(&self) -> Result<(), Stop> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        let end = self.pass_end.get();
        if steps > end + PASS_STEPS {
            resume_unwind(Box::new(Stop));
        }
        if steps > end { Err(Stop) } else { Ok(()) }
    }

    /// The type of a node is about to say what it is.
    pub(super) fn ask(&self, node: usize, name: Option<&'static str>) {
        let found = &mut self.nodes.borrow_mut()[node];
        if found.state == State::Unseen {
            found.state = State::Asked;
            found.name = name.unwrap_or(found.name);
        }
    }

    /// A type without parts said what it is.
    pub(super) fn answer_leaf(&self, node: usize, word: &'static str) {
        let found = &mut self.nodes.borrow_mut()[node];
        if found.state != State::Answered {
            found.node.kind = Kind::Leaf(word);
            found.state = State::Answered;
        }
    }

    /// A type that looks like no other said what it is made of.
    pub(super) fn answer<V, T>(&self, node: usize, kind: Kind, names: Vec<Option<&'static str>>) {
        if self.state(node) == State::Answered || self.meet::<V, T>(node, &kind, &names) {
            return;
        }
        let parts = names.into_iter();
        let parts = parts.map(|name| Part { name, node: self.add(type_name::<T>()) }).collect();
        let found = &mut self.nodes.borrow_mut()[node];
        found.node = Node { kind, parts };
        found.name = type_name::<T>();
        found.state = State::Answered;
    }

    /// Whether this type was met before; the node is then the same as that one.
    pub(super) fn meet<V, T>(
        &self,
        node: usize,
        kind: &Kind,
        parts: &[Option<&'static str>],
    ) -> bool {
        let key = Key {
            visitor: type_name::<V>(),
            value: type_name::<T>(),
            kind: kind.clone(),
            parts: parts.to_vec(),
        };
        let first = *self.known.borrow_mut().entry(key).or_insert(node);
        let found = &mut self.nodes.borrow_mut()[node];
        if found.state == State::Answered {
            return true;
        }
        let met = first != node;
        if met {
            found.node = Node::leaf(Kind::Same(first));
            found.state = State::Answered;
        }
        met
    }

    /// The part of a node where a path leads on.
    pub(super) fn part(&self, node: usize, index: usize) -> Option<usize> {
        self.nodes.borrow()[node].node.parts.get(index).map(|part| part.node)
    }

    fn into_graph(self) -> Graph {
        let nodes = self.nodes.into_inner();
        let words: Vec<Option<&'static str>> = nodes
            .iter()
            .map(|found| match found.node.kind {
                Kind::Leaf(word) => Some(word),
                _ => None,
            })
            .collect();
        let nodes = nodes.into_iter().map(|found| {
            // A map whose keys are names of fields is a struct with more in it than it says.
            let key = found.node.parts.first().and_then(|part| words[part.node]);
            let hides = matches!(found.node.kind, Kind::Leaf(word) if word == UNDESCRIBED);
            if hides || found.node.kind == Kind::Map && key == Some(UNDESCRIBED) {
                Node::leaf(Kind::Opaque(short(found.name)))
            } else {
                found.node
            }
        });
        Graph { nodes: nodes.collect() }
    }
}

/// The word of types that ask the format what comes next.
pub(super) const UNDESCRIBED: &str = "undescribed";

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the shape is traced")
    }
}

impl std::error::Error for Stop {}

impl serde::de::Error for Stop {
    // What is said is not looked at: putting it into words runs code of the type once more.
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}
