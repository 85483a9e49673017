//! The instructions that make and fill containers.

use crate::codec::DecodeError;

use super::graph::{Id, Node};
use super::read::Machine;

impl<'a> Machine<'a> {
    pub(super) fn collect(
        &mut self,
        container: fn(Vec<Id>) -> Node<'a>,
    ) -> Result<(), DecodeError> {
        let items = self.pop_mark()?;
        self.push(container(items))
    }

    pub(super) fn tuple<const N: usize>(&mut self) -> Result<(), DecodeError> {
        match self.stack.len().checked_sub(N) {
            Some(at) if at >= self.fence() => {
                let items = self.stack.split_off(at);
                self.push(Node::Tuple(items))
            }
            _ => Err(self.nothing()),
        }
    }

    pub(super) fn append(&mut self, items: &[Id]) -> Result<(), DecodeError> {
        let top = self.top()?;
        match self.graph.node_mut(top) {
            Node::List(list) => list.extend(items),
            Node::Inert(inert) if inert.called => inert.items.extend(items),
            other => return Err(no_attribute(other, "append")),
        }
        Ok(())
    }

    pub(super) fn set_items(&mut self, entries: &[Id]) -> Result<(), DecodeError> {
        let top = self.top()?;
        match self.graph.node_mut(top) {
            Node::Dict(dict) => dict.extend(entries),
            Node::Inert(inert) if inert.called => inert.entries.extend(entries),
            other => {
                return Err(DecodeError::named(
                    "TypeError",
                    format!("'{}' object does not support item assignment", other.kind()),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn add_items(&mut self, items: &[Id]) -> Result<(), DecodeError> {
        let top = self.top()?;
        match self.graph.node_mut(top) {
            Node::Set(set) => set.extend(items),
            other => return Err(no_attribute(other, "add")),
        }
        Ok(())
    }

    /// A view of a bytearray that can't change it is as good as bytes.
    pub(super) fn read_only(&mut self) -> Result<(), DecodeError> {
        let top = self.top()?;
        match self.graph.node(top) {
            Node::Bytes(_) => Ok(()),
            Node::Bytearray(bytes) => {
                let bytes = bytes.clone();
                self.stack.pop();
                self.push(Node::Bytes(bytes))
            }
            other => Err(DecodeError::named(
                "TypeError",
                format!("a bytes-like object is required, not '{}'", other.kind()),
            )),
        }
    }
}

pub(super) fn no_attribute(node: &Node<'_>, attribute: &str) -> DecodeError {
    DecodeError::named(
        "AttributeError",
        format!("'{}' object has no attribute '{attribute}'", node.kind()),
    )
}
