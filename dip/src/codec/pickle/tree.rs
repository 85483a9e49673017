//! The graph that a pickle made, as a tree: what was in several places is copied to each.

use std::borrow::Cow;

use crate::codec::DecodeError;
use crate::value::{Dict, Object, Set, Value};

use super::class;
use super::graph::{Budget, Graph, Id, Inert, Node};
use super::{DEPTH, invalid};

/// How many times the memory limit may be hashed. Keys within keys are hashed at each level.
const HASHING: usize = 8;

/// The value of a node, which must not contain itself; and how many bytes were charged for all.
/// References to classes become inert objects where `objects` are allowed.
pub(super) fn value(
    graph: Graph<'_>,
    root: Id,
    objects: bool,
) -> Result<(Value, usize), DecodeError> {
    let (nodes, budget) = graph.into_parts();
    let hashing = budget.limit().saturating_mul(HASHING);
    let seen = vec![Seen::Never; nodes.len()];
    Builder { nodes: &nodes, objects, budget, hashing, seen, path: Vec::new() }.build(root)
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Never,
    /// It is on the path.
    Open,
    Before,
}

struct Builder<'g, 'a> {
    nodes: &'g [Node<'a>],
    objects: bool,
    budget: Budget,
    /// Bytes that may yet be hashed.
    hashing: usize,
    seen: Vec<Seen>,
    /// The containers that are under construction, each in the one before.
    path: Vec<Frame<'g>>,
}

struct Frame<'g> {
    id: Id,
    children: Cow<'g, [Id]>,
    values: Vec<Value>,
    /// What the values take in memory.
    size: usize,
    /// The type among the values that makes a tuple unhashable.
    unhashable: Option<&'static str>,
}

/// A finished value.
struct Built {
    value: Value,
    size: usize,
    unhashable: Option<&'static str>,
}

impl Built {
    fn new(value: Value, size: usize) -> Self {
        Self { value, size: size + size_of::<Value>(), unhashable: None }
    }
}

impl<'g, 'a> Builder<'g, 'a> {
    fn build(mut self, root: Id) -> Result<(Value, usize), DecodeError> {
        let mut built = self.enter(root)?;
        loop {
            if let Some(built) = built.take() {
                if self.path.is_empty() {
                    return Ok((built.value, self.budget.spent()));
                }
                self.add(built)?;
            }
            // The path is not empty: `enter` either builds a value or lengthens it.
            let Some(frame) = self.path.last() else { return Err(invalid("no value")) };
            built = match frame.children.get(frame.values.len()) {
                Some(&child) => self.enter(child)?,
                None => self.leave()?,
            };
        }
    }

    /// Builds a leaf, or begins a container.
    fn enter(&mut self, id: Id) -> Result<Option<Built>, DecodeError> {
        let nodes: &'g [Node<'a>] = self.nodes;
        let node = &nodes[id as usize];
        let seen = std::mem::replace(&mut self.seen[id as usize], Seen::Before);
        let size = node.size();
        if seen == Seen::Before {
            self.budget.charge(size)?;
        }
        let value = match node {
            Node::Null => Value::Null,
            Node::Bool(bool) => Value::Bool(*bool),
            Node::Int(int) => Value::Int(int.clone()),
            Node::Float(float) => Value::Float(*float),
            Node::Text(text) => Value::Text(text.clone().into_owned()),
            Node::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Node::Bytearray(bytes) => {
                let value = Value::Bytearray(bytes.to_vec());
                let unhashable = Some("bytearray");
                return Ok(Some(Built { unhashable, ..Built::new(value, size) }));
            }
            Node::Builtin(builtin) if self.objects => {
                self.budget.charge(size_of::<Object>())?;
                Inert { class: builtin.class().into(), ..Inert::default() }.value(Vec::new())
            }
            Node::Builtin(builtin) => return Err(class::refused(builtin.class())),
            Node::List(children)
            | Node::Tuple(children)
            | Node::Set(children)
            | Node::Frozenset(children)
            | Node::Dict(children) => {
                self.open(id, seen, Cow::Borrowed(children))?;
                return Ok(None);
            }
            Node::Inert(inert) => {
                self.open(id, seen, Cow::Owned(inert.children().collect()))?;
                return Ok(None);
            }
        };
        Ok(Some(Built::new(value, size)))
    }

    fn open(&mut self, id: Id, seen: Seen, children: Cow<'g, [Id]>) -> Result<(), DecodeError> {
        match seen {
            Seen::Open => {
                let kind = self.nodes[id as usize].kind();
                return Err(invalid(format!("a {kind} contains itself, which no value can")));
            }
            Seen::Before => self.budget.charge_values(children.len())?,
            Seen::Never => {}
        }
        if self.path.len() == DEPTH {
            return Err(DecodeError::too_deep(DEPTH));
        }
        self.seen[id as usize] = Seen::Open;
        let values = Vec::with_capacity(children.len());
        self.path.push(Frame { id, children, values, size: 0, unhashable: None });
        Ok(())
    }

    /// Adds a value to the container that is under construction.
    fn add(&mut self, built: Built) -> Result<(), DecodeError> {
        let Some(frame) = self.path.last_mut() else { return Ok(()) };
        let hashed = match &self.nodes[frame.id as usize] {
            Node::Set(_) | Node::Frozenset(_) => true,
            Node::Dict(_) => frame.values.len() % 2 == 0,
            _ => false,
        };
        if hashed {
            if let Some(kind) = built.unhashable {
                return Err(DecodeError::named("TypeError", format!("unhashable type: '{kind}'")));
            }
            self.hashing =
                self.hashing.checked_sub(built.size).ok_or_else(|| self.budget.exceeded())?;
        }
        frame.size += built.size;
        frame.unhashable = frame.unhashable.or(built.unhashable);
        frame.values.push(built.value);
        Ok(())
    }

    /// Finishes the container that is under construction.
    fn leave(&mut self) -> Result<Option<Built>, DecodeError> {
        let Some(Frame { id, values, size, unhashable, .. }) = self.path.pop() else {
            return Ok(None);
        };
        self.seen[id as usize] = Seen::Before;
        let node = &self.nodes[id as usize];
        let (value, unhashable) = match node {
            Node::List(_) => (Value::List(values), Some("list")),
            Node::Set(_) => (Value::Set(values.into_iter().collect()), Some("set")),
            Node::Frozenset(_) => (Value::Frozenset(Set::from_iter(values)), None),
            Node::Dict(_) => (Value::Dict(pairs(values).collect()), Some("dict")),
            Node::Inert(inert) => (inert.value(values), None),
            _ => (Value::Tuple(values), unhashable),
        };
        Ok(Some(Built { unhashable, ..Built::new(value, size.saturating_add(node.size())) }))
    }
}

impl Inert<'_> {
    /// All that it refers to, in the order in which [`value`](Self::value) takes it.
    fn children(&self) -> impl Iterator<Item = Id> {
        let groups = [&self.args, &self.kwargs, &self.items, &self.entries];
        groups.into_iter().flatten().copied().chain(self.state)
    }

    fn value(&self, values: Vec<Value>) -> Value {
        let mut values = values.into_iter();
        let mut take = |ids: &Vec<Id>| values.by_ref().take(ids.len()).collect::<Vec<_>>();
        let args = take(&self.args);
        let kwargs: Dict = pairs(take(&self.kwargs)).collect();
        let items = take(&self.items);
        let entries = pairs(take(&self.entries)).collect();
        let class = self.class.clone().into_owned();
        Value::from(Object { class, args, kwargs, state: values.next(), items, entries })
    }
}

/// Values by twos; of known length, so that no more memory is reserved than needed.
fn pairs(values: Vec<Value>) -> impl ExactSizeIterator<Item = (Value, Value)> {
    let count = values.len() / 2;
    let mut values = values.into_iter();
    let mut next = move || values.next().unwrap_or_default();
    (0..count).map(move |_| (next(), next()))
}
