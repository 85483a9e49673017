//! The stack that the instructions of a pickle work on, and its memo.
//!
//! Whatever is pushed is charged as a place in a container, where it may end up.

use crate::codec::DecodeError;

use super::graph::{Id, Node};
use super::read::Machine;
use super::{class, invalid};

impl<'a> Machine<'a> {
    pub(super) fn push(&mut self, node: Node<'a>) -> Result<(), DecodeError> {
        let id = self.graph.add(node)?;
        self.push_again(id)
    }

    pub(super) fn push_again(&mut self, id: Id) -> Result<(), DecodeError> {
        self.graph.budget.charge_values(1)?;
        self.stack.push(id);
        Ok(())
    }

    /// How high the stack is at the last mark, which only instructions for marks go below.
    pub(super) fn fence(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub(super) fn top(&self) -> Result<Id, DecodeError> {
        self.stack[self.fence()..].last().copied().ok_or_else(|| self.nothing())
    }

    pub(super) fn pop(&mut self) -> Result<Id, DecodeError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    pub(super) fn nothing(&self) -> DecodeError {
        if self.marks.is_empty() { underflow() } else { invalid("unexpected MARK found") }
    }

    pub(super) fn pop_mark(&mut self) -> Result<Vec<Id>, DecodeError> {
        let mark = self.marks.pop().ok_or_else(|| invalid("could not find MARK"))?;
        Ok(self.stack.split_off(mark))
    }

    pub(super) fn pop_pairs(&mut self, code: &str) -> Result<Vec<Id>, DecodeError> {
        let entries = self.pop_mark()?;
        if entries.len() % 2 == 1 {
            return Err(invalid(format!("odd number of items for {code}")));
        }
        Ok(entries)
    }

    pub(super) fn discard(&mut self) -> Result<(), DecodeError> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        let item = self.pop()?;
        self.check_discarded(item)
    }

    /// A call that is thrown away was to have an effect, which an inert value would not show.
    pub(super) fn check_discarded(&self, id: Id) -> Result<(), DecodeError> {
        match self.graph.node(id) {
            Node::Inert(inert) if inert.called => Err(invalid(format!(
                "`{}` is called for its effect only",
                class::quote(&inert.class)
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn recall(&mut self, index: u64) -> Result<(), DecodeError> {
        let id = self
            .memo
            .get(index)
            .ok_or_else(|| invalid(format!("Memo value not found at index {index}")))?;
        self.push_again(id)
    }

    pub(super) fn remember(&mut self, index: u64) -> Result<(), DecodeError> {
        let top = self.top()?;
        self.graph.budget.charge(size_of::<u64>())?;
        self.memo.put(index, top);
        Ok(())
    }
}

pub(super) fn underflow() -> DecodeError {
    invalid("unpickling stack underflow")
}
