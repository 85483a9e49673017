//! A shape as text.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::graph::{Graph, Kind, NO_NAMES, Part};
use super::name;

/// How deep shapes may be nested in text.
const DEPTH: usize = 128;

/// Appends the canonical text of a shape; `None` for one that is nested too deep or too long.
pub(super) fn write(graph: &Graph, text: &mut String, max_len: usize) -> Option<()> {
    let classes = graph.classes();
    let mut uses = HashMap::new();
    count(graph, &classes, 0, DEPTH, &mut uses)?;
    Writer { graph, classes, uses, labels: HashMap::new(), text, max_len }.node(0)
}

/// How often each class is written, were each shape written once.
fn count(
    graph: &Graph,
    classes: &[usize],
    node: usize,
    depth: usize,
    uses: &mut HashMap<usize, usize>,
) -> Option<()> {
    let times = uses.entry(classes[node]).or_default();
    *times += 1;
    if *times > 1 {
        return Some(());
    }
    let depth = depth.checked_sub(1)?;
    let parts = &graph.nodes[graph.resolve(node)].parts;
    parts.iter().try_for_each(|part| count(graph, classes, part.node, depth, uses))
}

struct Writer<'a> {
    graph: &'a Graph,
    classes: Vec<usize>,
    uses: HashMap<usize, usize>,
    labels: HashMap<usize, usize>,
    text: &'a mut String,
    max_len: usize,
}

impl Writer<'_> {
    fn node(&mut self, node: usize) -> Option<()> {
        let graph = self.graph;
        let class = self.classes[node];
        let node = &graph.nodes[graph.resolve(node)];
        if let Some(label) = self.labels.get(&class) {
            _ = write!(self.text, "#{label}");
            return Some(());
        }
        if self.uses[&class] > 1 && !self.is_small(&node.kind, &node.parts) {
            let label = self.labels.len() + 1;
            self.labels.insert(class, label);
            _ = write!(self.text, "#{label}=");
        }
        let word = match &node.kind {
            Kind::Leaf(word) => word,
            Kind::Opaque(name) => {
                self.text.push_str("opaque ");
                name::write(name, self.text);
                return Some(());
            }
            Kind::Option => "option",
            Kind::Seq => "seq",
            Kind::Map => "map",
            Kind::Tuple => "tuple",
            Kind::Struct => "struct",
            Kind::Enum => "enum",
            Kind::Same(_) => return None,
        };
        self.text.push_str(word);
        if matches!(node.kind, Kind::Leaf(_)) {
            return Some(());
        }
        self.text.push('(');
        self.parts(&node.parts, node.kind == Kind::Tuple)?;
        self.text.push(')');
        (self.text.len() <= self.max_len).then_some(())
    }

    /// Elements that are alike, one after the other, are counted if the parts are those of a tuple.
    fn parts(&mut self, mut parts: &[Part], counted: bool) -> Option<()> {
        let mut separator = "";
        while let [part, ..] = parts {
            self.text.push_str(separator);
            separator = ", ";
            let class = self.classes[part.node];
            let alike = |other: &&Part| counted && self.classes[other.node] == class;
            let run = parts.iter().take_while(alike).count().max(1);
            if let Some(name) = part.name {
                name::write(name, self.text);
            }
            parts = &parts[run..];
            if part.name.is_some() && self.is_nameless(part.node) {
                continue;
            }
            if part.name.is_some() {
                self.text.push(' ');
            }
            self.node(part.node)?;
            if run > 1 {
                _ = write!(self.text, "; {run}");
            }
        }
        Some(())
    }

    fn is_nameless(&self, node: usize) -> bool {
        self.graph.nodes[self.graph.resolve(node)].kind == NO_NAMES
    }

    /// What is as short as a reference to it.
    fn is_small(&self, kind: &Kind, parts: &[Part]) -> bool {
        let leaf = |part: &Part| {
            let node = &self.graph.nodes[self.graph.resolve(part.node)];
            matches!(node.kind, Kind::Leaf(_))
        };
        parts.is_empty() || matches!(kind, Kind::Option | Kind::Seq) && parts.iter().all(leaf)
    }
}
