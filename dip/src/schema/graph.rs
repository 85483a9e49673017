//! The shape of a type: a graph, since types may contain themselves.

use std::collections::HashMap;

/// The types that one type is made of; the first node is the type itself.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) parts: Vec<Part>,
}

/// A field, a variant, an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) name: Option<&'static str>,
    pub(super) node: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A type without parts.
    Leaf(&'static str),
    /// A type that did not show its shape: its name.
    Opaque(String),
    Option,
    Seq,
    Map,
    Tuple,
    Struct,
    Enum,
    /// What another node is.
    Same(usize),
}

/// What has no names in it, where only names count.
pub(super) const NO_NAMES: Kind = Kind::Leaf("_");

impl Graph {
    pub(super) fn opaque(name: String) -> Self {
        Self { nodes: vec![Node::leaf(Kind::Opaque(name))] }
    }

    /// The node that says what this one is.
    pub(super) fn resolve(&self, mut node: usize) -> usize {
        while let Kind::Same(other) = self.nodes[node].kind {
            node = other;
        }
        node
    }

    /// What is left of the shape in a format that sends names: those of fields and variants, in
    /// alphabetical order.
    pub(super) fn names(&self) -> Self {
        let named = self.named();
        let nodes = self.nodes.iter().map(|node| match node.kind {
            Kind::Same(_) => node.clone(),
            Kind::Struct | Kind::Enum => {
                let mut node = node.clone();
                node.parts.sort_by_key(|part| part.name);
                node
            }
            _ => match node.parts.iter().filter(|part| named[part.node]).collect::<Vec<_>>()[..] {
                [] => Node::leaf(NO_NAMES),
                [part] => Node::leaf(Kind::Same(part.node)),
                ref parts => {
                    Node { kind: Kind::Tuple, parts: parts.iter().map(|part| **part).collect() }
                }
            },
        });
        Self { nodes: nodes.collect() }
    }

    /// Which nodes have names somewhere in them.
    fn named(&self) -> Vec<bool> {
        let mut named: Vec<bool> =
            self.nodes.iter().map(|node| matches!(node.kind, Kind::Struct | Kind::Enum)).collect();
        loop {
            let mut changed = false;
            for (at, node) in self.nodes.iter().enumerate().rev() {
                let now = match node.kind {
                    Kind::Same(other) => named[other],
                    _ => named[at] || node.parts.iter().any(|part| named[part.node]),
                };
                changed |= now != named[at];
                named[at] = now;
            }
            if !changed {
                return named;
            }
        }
    }

    /// A number for each node, the same for nodes of the same shape: two types with the same fields
    /// are one, whatever they are called and however often they are written down.
    pub(super) fn classes(&self) -> Vec<usize> {
        let mut classes = vec![0; self.nodes.len()];
        let mut count = 0;
        // All are taken for the same until their parts differ.
        loop {
            let mut seen = HashMap::new();
            let next = (0..self.nodes.len()).map(|node| {
                let node = &self.nodes[self.resolve(node)];
                let part = |part: &Part| (part.name, classes[part.node]);
                let shape = (&node.kind, node.parts.iter().map(part).collect::<Vec<_>>());
                let fresh = seen.len();
                *seen.entry(shape).or_insert(fresh)
            });
            let next = next.collect();
            if seen.len() == count {
                return next;
            }
            count = seen.len();
            classes = next;
        }
    }
}

impl Node {
    pub(super) fn leaf(kind: Kind) -> Self {
        Self { kind, parts: Vec::new() }
    }
}
