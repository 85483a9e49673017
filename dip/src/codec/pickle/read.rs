//! The stack machine that a pickle is a program for, less all that could do harm.

use std::borrow::Cow;

use crate::codec::{DecodeError, DecodeLimits, utf8};
use crate::value::{Int, Value};

use super::call;
use super::code::*;
use super::graph::{Graph, Id, Node};
use super::input::Input;
use super::memo::Memo;
use super::stack::underflow;
use super::{invalid, text, tree};

/// Bytes of an integer that are read and written at most.
pub(super) const LONG_BYTES: usize = 4096;

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
    let (value, size) = tree::value(graph, root, limits.pickle.allows_objects())?;
    limits.spend(size);
    Ok(value)
}

pub(super) struct Machine<'a> {
    pub(super) input: Input<'a>,
    pub(super) graph: Graph<'a>,
    pub(super) stack: Vec<Id>,
    /// How high the stack was at each mark.
    pub(super) marks: Vec<usize>,
    pub(super) memo: Memo,
    /// Whether classes and objects are kept as inert values.
    pub(super) objects: bool,
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
}
