//! The instructions that name classes, make objects of them and set their state.

use crate::codec::DecodeError;

use super::class::{self, Builtin};
use super::container::no_attribute;
use super::graph::{Id, Inert, Node};
use super::read::Machine;
use super::{call, invalid};

impl Machine<'_> {
    pub(super) fn class(&mut self, module: &str, name: &str) -> Result<(), DecodeError> {
        if let Some(builtin) = Builtin::find(module, name) {
            return self.push(Node::Builtin(builtin));
        }
        let class = class::full_name(module, name);
        if !self.objects {
            return Err(class::refused(&class));
        }
        self.push(Node::Inert(Box::new(Inert { class, ..Inert::default() })))
    }

    pub(super) fn class_on_stack(&mut self) -> Result<(), DecodeError> {
        let name = self.pop()?;
        let module = self.pop()?;
        let (Node::Text(module), Node::Text(name)) =
            (self.graph.node(module), self.graph.node(name))
        else {
            return Err(invalid("STACK_GLOBAL requires str"));
        };
        let (module, name) = (module.clone(), name.clone());
        self.class(&module, &name)
    }

    pub(super) fn instance(&mut self, class: Id, args: Vec<Id>) -> Result<(), DecodeError> {
        let object = call::make(&mut self.graph, class, args)?;
        self.push(Node::Inert(Box::new(object)))
    }

    pub(super) fn build(&mut self) -> Result<(), DecodeError> {
        let state = self.pop()?;
        let top = self.top()?;
        match self.graph.node_mut(top) {
            Node::Inert(inert) if inert.called && inert.state.is_none() => {
                inert.state = Some(state);
                Ok(())
            }
            Node::Inert(inert) => Err(invalid(format!(
                "the state of `{}` is set, which no inert object can say",
                class::quote(&inert.class)
            ))),
            other => Err(no_attribute(other, "__dict__")),
        }
    }
}
