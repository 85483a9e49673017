//! The stack machine that a pickle is a program for, less all that could do harm.

use std::borrow::Cow;

use crate::codec::{DecodeError, DecodeLimits, utf8};
use crate::value::{Int, Value};

use super::call;
use super::class::{self, Builtin};
use super::code::*;
use super::graph::{Graph, Id, Inert, Node};
use super::input::Input;
use super::memo::Memo;
use super::{invalid, text, tree};

/// Bytes of an integer that are read at most.
const LONG_BYTES: usize = 4096;

/// Reads the value of one pickle. Bytes behind its end are ignored, as Python does.
///
/// # Errors
///
/// When it is cut short or makes no sense, refers to classes that `limits` do not allow, is nested
/// over 1000 levels, contains itself, or takes more memory than `limits` allow. The classes are
/// Python's, where Python refuses it, too.
pub(crate) fn read(body: &[u8], limits: &DecodeLimits) -> Result<Value, DecodeError> {
    let machine = Machine {
        input: Input::new(body),
        graph: Graph::new(limits.decoded_size),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Memo::default(),
        objects: limits.pickle.allows_objects(),
    };
    let (graph, root) = machine.run()?;
    tree::value(graph, root, limits.pickle.allows_objects())
}

struct Machine<'a> {
    input: Input<'a>,
    graph: Graph<'a>,
    stack: Vec<Id>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: Memo,
    /// Whether classes and objects are kept as inert values.
    objects: bool,
}

impl<'a> Machine<'a> {
    fn run(mut self) -> Result<(Graph<'a>, Id), DecodeError> {
        loop {
            match self.input.code()? {
                STOP => {
                    let root = self.pop()?;
                    return Ok((self.graph, root));
                }
                code => self.step(code)?,
            }
        }
    }

    fn step(&mut self, code: u8) -> Result<(), DecodeError> {
        match code {
            NONE | NEWTRUE | NEWFALSE | INT | BININT | BININT1 | BININT2 | LONG | LONG1 | LONG4
            | FLOAT | BINFLOAT | STRING | BINSTRING | SHORT_BINSTRING | UNICODE | BINUNICODE
            | SHORT_BINUNICODE | BINUNICODE8 | BINBYTES | SHORT_BINBYTES | BINBYTES8
            | BYTEARRAY8 => {
                let leaf = self.leaf(code)?;
                self.push(leaf)
            }

            EMPTY_LIST => self.push(Node::List(Vec::new())),
            EMPTY_TUPLE => self.push(Node::Tuple(Vec::new())),
            EMPTY_DICT => self.push(Node::Dict(Vec::new())),
            EMPTY_SET => self.push(Node::Set(Vec::new())),
            LIST => self.collect(Node::List),
            TUPLE => self.collect(Node::Tuple),
            FROZENSET => self.collect(Node::Frozenset),
            DICT => {
                let entries = self.pop_pairs("DICT")?;
                self.push(Node::Dict(entries))
            }
            TUPLE1 => self.tuple::<1>(),
            TUPLE2 => self.tuple::<2>(),
            TUPLE3 => self.tuple::<3>(),
            APPEND => {
                let item = self.pop()?;
                self.append(&[item])
            }
            APPENDS => {
                let items = self.pop_mark()?;
                self.append(&items)
            }
            SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])
            }
            SETITEMS => {
                let entries = self.pop_pairs("SETITEMS")?;
                self.set_items(&entries)
            }
            ADDITEMS => {
                let items = self.pop_mark()?;
                self.add_items(&items)
            }

            MARK => {
                self.graph.budget.charge(size_of::<usize>())?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            POP => self.discard(),
            POP_MARK => {
                let items = self.pop_mark()?;
                items.iter().try_for_each(|&item| self.check_discarded(item))
            }
            DUP => {
                let top = self.top()?;
                self.push_again(top)
            }
            GET => {
                let index = text::index(self.input.line()?)?;
                self.recall(index)
            }
            BINGET => {
                let index = self.input.u8()?;
                self.recall(index.into())
            }
            LONG_BINGET => {
                let index = self.input.u32()?;
                self.recall(index.into())
            }
            PUT => {
                let index = text::index(self.input.line()?)?;
                self.remember(index)
            }
            BINPUT => {
                let index = self.input.u8()?;
                self.remember(index.into())
            }
            LONG_BINPUT => {
                let index = self.input.u32()?;
                self.remember(index.into())
            }
            MEMOIZE => {
                let top = self.top()?;
                self.graph.budget.charge(size_of::<u64>())?;
                self.memo.memoize(top);
                Ok(())
            }

            PROTO => match self.input.u8()? {
                0..=5 => Ok(()),
                protocol => Err(DecodeError::named(
                    "ValueError",
                    format!("unsupported pickle protocol: {protocol}"),
                )),
            },
            FRAME => self.input.frame(),
            READONLY_BUFFER => self.read_only(),

            GLOBAL => {
                let module = utf8::text(self.input.line()?)?;
                let name = utf8::text(self.input.line()?)?;
                self.class(module, name)
            }
            STACK_GLOBAL => self.class_on_stack(),
            REDUCE => {
                let args = self.pop()?;
                let callee = self.pop()?;
                let made = call::call(&mut self.graph, callee, args)?;
                self.push(made)
            }
            NEWOBJ => {
                let args = self.pop()?;
                let class = self.pop()?;
                let object = call::object(&mut self.graph, class, args, None)?;
                self.push(Node::Inert(Box::new(object)))
            }
            NEWOBJ_EX => {
                let kwargs = self.pop()?;
                let args = self.pop()?;
                let class = self.pop()?;
                let object = call::object(&mut self.graph, class, args, Some(kwargs))?;
                self.push(Node::Inert(Box::new(object)))
            }
            INST => {
                let module = utf8::text(self.input.line()?)?;
                let name = utf8::text(self.input.line()?)?;
                let args = self.pop_mark()?;
                self.class(module, name)?;
                let class = self.pop()?;
                self.instance(class, args)
            }
            OBJ => {
                let mut args = self.pop_mark()?;
                if args.is_empty() {
                    return Err(underflow());
                }
                let class = args.remove(0);
                self.instance(class, args)
            }
            BUILD => self.build(),

            EXT1 | EXT2 | EXT4 => Err(invalid(
                "the pickle refers to a class by a number, which only its writer knows",
            )),
            PERSID | BINPERSID => Err(invalid(
                "A load persistent id instruction was encountered, \
                 but no persistent_load function was specified.",
            )),
            NEXT_BUFFER => Err(invalid(
                "pickle stream refers to out-of-band data but no *buffers* argument was given",
            )),
            code => {
                Err(invalid(format!("invalid load key, '{}'.", std::ascii::escape_default(code))))
            }
        }
    }

    /// A value that holds no others.
    fn leaf(&mut self, code: u8) -> Result<Node<'a>, DecodeError> {
        let input = &mut self.input;
        Ok(match code {
            NEWTRUE => Node::Bool(true),
            NEWFALSE => Node::Bool(false),
            INT => match input.line()? {
                b"01" => Node::Bool(true),
                b"00" => Node::Bool(false),
                line => Node::Int(text::int(line)?),
            },
            BININT => Node::Int(input.i32()?.into()),
            BININT1 => Node::Int(input.u8()?.into()),
            BININT2 => Node::Int(input.u16()?.into()),
            LONG => Node::Int(text::long(input.line()?)?),
            LONG1 => Node::Int(Int::from_signed_bytes_le(input.short()?)),
            LONG4 => match input.signed_len("LONG")? {
                len if len > LONG_BYTES => {
                    return Err(DecodeError::named(
                        "ValueError",
                        format!("an integer of {len} bytes, the limit is {LONG_BYTES}"),
                    ));
                }
                len => Node::Int(Int::from_signed_bytes_le(input.take(len)?)),
            },
            FLOAT => Node::Float(text::float(input.line()?)?),
            BINFLOAT => Node::Float(f64::from_be_bytes(input.array()?)),
            STRING => Node::Text(Cow::Owned(text::quoted(input.line()?)?)),
            BINSTRING => {
                let len = input.signed_len("BINSTRING")?;
                Node::Text(Cow::Borrowed(text::ascii(input.take(len)?)?))
            }
            SHORT_BINSTRING => Node::Text(Cow::Borrowed(text::ascii(input.short()?)?)),
            UNICODE => Node::Text(text::raw_unicode(input.line()?)?),
            BINUNICODE => Node::Text(Cow::Borrowed(utf8::text(input.long()?)?)),
            SHORT_BINUNICODE => Node::Text(Cow::Borrowed(utf8::text(input.short()?)?)),
            BINUNICODE8 => Node::Text(Cow::Borrowed(utf8::text(input.huge()?)?)),
            BINBYTES => Node::Bytes(Cow::Borrowed(input.long()?)),
            SHORT_BINBYTES => Node::Bytes(Cow::Borrowed(input.short()?)),
            BINBYTES8 => Node::Bytes(Cow::Borrowed(input.huge()?)),
            BYTEARRAY8 => Node::Bytearray(Cow::Borrowed(input.huge()?)),
            _ => Node::Null,
        })
    }

    // The stack. Whatever is pushed is charged as a place in a container, where it may end up.

    fn push(&mut self, node: Node<'a>) -> Result<(), DecodeError> {
        let id = self.graph.add(node)?;
        self.push_again(id)
    }

    fn push_again(&mut self, id: Id) -> Result<(), DecodeError> {
        self.graph.budget.charge_values(1)?;
        self.stack.push(id);
        Ok(())
    }

    /// How high the stack is at the last mark, which only instructions for marks go below.
    fn fence(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id, DecodeError> {
        self.stack[self.fence()..].last().copied().ok_or_else(|| self.nothing())
    }

    fn pop(&mut self) -> Result<Id, DecodeError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn nothing(&self) -> DecodeError {
        if self.marks.is_empty() { underflow() } else { invalid("unexpected MARK found") }
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, DecodeError> {
        let mark = self.marks.pop().ok_or_else(|| invalid("could not find MARK"))?;
        Ok(self.stack.split_off(mark))
    }

    fn pop_pairs(&mut self, code: &str) -> Result<Vec<Id>, DecodeError> {
        let entries = self.pop_mark()?;
        if entries.len() % 2 == 1 {
            return Err(invalid(format!("odd number of items for {code}")));
        }
        Ok(entries)
    }

    fn discard(&mut self) -> Result<(), DecodeError> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        let item = self.pop()?;
        self.check_discarded(item)
    }

    /// A call that is thrown away was to have an effect, which an inert value would not show.
    fn check_discarded(&self, id: Id) -> Result<(), DecodeError> {
        match self.graph.node(id) {
            Node::Inert(inert) if inert.called => Err(invalid(format!(
                "`{}` is called for its effect only",
                class::quote(&inert.class)
            ))),
            _ => Ok(()),
        }
    }

    fn recall(&mut self, index: u64) -> Result<(), DecodeError> {
        let id = self
            .memo
            .get(index)
            .ok_or_else(|| invalid(format!("Memo value not found at index {index}")))?;
        self.push_again(id)
    }

    fn remember(&mut self, index: u64) -> Result<(), DecodeError> {
        let top = self.top()?;
        self.graph.budget.charge(size_of::<u64>())?;
        self.memo.put(index, top);
        Ok(())
    }

    // Containers.

    fn collect(&mut self, container: fn(Vec<Id>) -> Node<'a>) -> Result<(), DecodeError> {
        let items = self.pop_mark()?;
        self.push(container(items))
    }

    fn tuple<const N: usize>(&mut self) -> Result<(), DecodeError> {
        match self.stack.len().checked_sub(N) {
            Some(at) if at >= self.fence() => {
                let items = self.stack.split_off(at);
                self.push(Node::Tuple(items))
            }
            _ => Err(self.nothing()),
        }
    }

    fn append(&mut self, items: &[Id]) -> Result<(), DecodeError> {
        let top = self.top()?;
        match self.graph.node_mut(top) {
            Node::List(list) => list.extend(items),
            Node::Inert(inert) if inert.called => inert.items.extend(items),
            other => return Err(no_attribute(other, "append")),
        }
        Ok(())
    }

    fn set_items(&mut self, entries: &[Id]) -> Result<(), DecodeError> {
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

    fn add_items(&mut self, items: &[Id]) -> Result<(), DecodeError> {
        let top = self.top()?;
        match self.graph.node_mut(top) {
            Node::Set(set) => set.extend(items),
            other => return Err(no_attribute(other, "add")),
        }
        Ok(())
    }

    /// A view of a bytearray that can't change it is as good as bytes.
    fn read_only(&mut self) -> Result<(), DecodeError> {
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

    // Classes and objects.

    fn class(&mut self, module: &str, name: &str) -> Result<(), DecodeError> {
        if let Some(builtin) = Builtin::find(module, name) {
            return self.push(Node::Builtin(builtin));
        }
        let class = class::full_name(module, name);
        if !self.objects {
            return Err(class::refused(&class));
        }
        self.push(Node::Inert(Box::new(Inert { class, ..Inert::default() })))
    }

    fn class_on_stack(&mut self) -> Result<(), DecodeError> {
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

    fn instance(&mut self, class: Id, args: Vec<Id>) -> Result<(), DecodeError> {
        let object = call::make(&mut self.graph, class, args)?;
        self.push(Node::Inert(Box::new(object)))
    }

    fn build(&mut self) -> Result<(), DecodeError> {
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

fn underflow() -> DecodeError {
    invalid("unpickling stack underflow")
}

fn no_attribute(node: &Node<'_>, attribute: &str) -> DecodeError {
    DecodeError::named(
        "AttributeError",
        format!("'{}' object has no attribute '{attribute}'", node.kind()),
    )
}
