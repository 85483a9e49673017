//! What a pickle makes, as a graph: lists may be in several places, and are changed in all of them.

use std::borrow::Cow;

use crate::codec::DecodeError;
use crate::value::{Int, Object, Value};

use super::class::Builtin;

/// Where a node is in its graph.
pub(super) type Id = u32;

/// One value, which refers to those in it. Bytes and text borrow from the body where they can.
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Int(Int),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Bytearray(Cow<'a, [u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Frozenset(Vec<Id>),
    /// Key, value, key, value.
    Dict(Vec<Id>),
    Builtin(Builtin),
    Inert(Box<Inert<'a>>),
}

/// A class, or an object that a class would make.
#[derive(Default)]
pub(super) struct Inert<'a> {
    pub(super) class: Cow<'a, str>,
    /// Whether it is an object; else it is the class or function itself.
    pub(super) called: bool,
    pub(super) args: Vec<Id>,
    /// Name, value, name, value.
    pub(super) kwargs: Vec<Id>,
    pub(super) state: Option<Id>,
    pub(super) items: Vec<Id>,
    /// Key, value, key, value.
    pub(super) entries: Vec<Id>,
}

/// What an empty set or dict takes in memory.
const TABLE: usize = 72;

impl Node<'_> {
    /// What it takes in memory apart from the place of its `Value` and from what it refers to.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) | Self::Bytearray(bytes) => bytes.len(),
            Self::Int(int) if int.as_i64().is_none() => {
                usize::try_from(int.bits() / 8).unwrap_or(usize::MAX)
            }
            Self::Set(_) | Self::Frozenset(_) | Self::Dict(_) => TABLE,
            Self::Inert(inert) => size_of::<Object>() + inert.class.len(),
            _ => 0,
        }
    }

    /// The name of its type in Python.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::Bytearray(_) => "bytearray",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
            Self::Frozenset(_) => "frozenset",
            Self::Dict(_) => "dict",
            Self::Builtin(_) => "type",
            Self::Inert(_) => "object",
        }
    }
}

/// All nodes that were made, in one place: nothing is freed one by one, so nothing is freed
/// recursively.
pub(super) struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    pub(super) budget: Budget,
}

impl<'a> Graph<'a> {
    pub(super) fn new(limit: usize) -> Self {
        Self { nodes: Vec::new(), budget: Budget { left: limit, limit } }
    }

    /// Adds a node.
    pub(super) fn add(&mut self, node: Node<'a>) -> Result<Id, DecodeError> {
        self.budget.charge(node.size())?;
        let id = Id::try_from(self.nodes.len()).map_err(|_| self.budget.exceeded())?;
        self.nodes.push(node);
        Ok(id)
    }

    /// The node of an id that this graph gave out.
    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    /// The node of an id that this graph gave out, to change it.
    pub(super) fn node_mut(&mut self, id: Id) -> &mut Node<'a> {
        &mut self.nodes[id as usize]
    }

    pub(super) fn into_parts(self) -> (Vec<Node<'a>>, Budget) {
        (self.nodes, self.budget)
    }
}

/// The memory that the decoded value may take.
pub(super) struct Budget {
    left: usize,
    limit: usize,
}

impl Budget {
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| self.exceeded())?;
        Ok(())
    }

    /// Charges the places of `count` values in a container.
    pub(super) fn charge_values(&mut self, count: usize) -> Result<(), DecodeError> {
        self.charge(count.saturating_mul(size_of::<Value>()))
    }

    pub(super) fn spent(&self) -> usize {
        self.limit - self.left
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn exceeded(&self) -> DecodeError {
        DecodeError::too_large(self.limit)
    }
}
