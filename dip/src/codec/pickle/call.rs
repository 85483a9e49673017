//! What a pickle would call. Nothing is: a call makes plain data or an inert object.

use std::borrow::Cow;

use crate::codec::DecodeError;

use super::class::{Builtin, quote};
use super::graph::{Graph, Id, Inert, Node};
use super::invalid;

/// The call of a function, `REDUCE`.
pub(super) fn call<'a>(
    graph: &mut Graph<'a>,
    callee: Id,
    args: Id,
) -> Result<Node<'a>, DecodeError> {
    if let Node::Builtin(builtin) = *graph.node(callee) {
        return plain(graph, builtin, args);
    }
    let args = arguments(graph, args)?;
    let object = make(graph, callee, args)?;
    Ok(Node::Inert(Box::new(through_copyreg(graph, object)?)))
}

/// The making of an object, `NEWOBJ` and `NEWOBJ_EX`.
pub(super) fn object<'a>(
    graph: &mut Graph<'a>,
    class: Id,
    args: Id,
    kwargs: Option<Id>,
) -> Result<Inert<'a>, DecodeError> {
    let args = arguments(graph, args)?;
    let mut object = make(graph, class, args)?;
    if let Some(kwargs) = kwargs {
        object.kwargs = keywords(graph, kwargs)?;
    }
    Ok(object)
}

/// An object of a class.
pub(super) fn make<'a>(
    graph: &mut Graph<'a>,
    class: Id,
    args: Vec<Id>,
) -> Result<Inert<'a>, DecodeError> {
    graph.budget.charge_values(args.len())?;
    let class = match graph.node(class) {
        Node::Inert(inert) if !inert.called => inert.class.clone(),
        Node::Inert(inert) => {
            return Err(invalid(format!(
                "what a call of `{}` would return is called itself, which no inert object can say",
                quote(&inert.class)
            )));
        }
        Node::Builtin(builtin) => return Err(unusual(*builtin)),
        other => {
            return Err(DecodeError::named(
                "TypeError",
                format!("'{}' object is not callable", other.kind()),
            ));
        }
    };
    Ok(Inert { class, called: true, args, ..Inert::default() })
}

/// Where a protocol has no instruction for `class(*args)`, pickles say it by way of functions of
/// `copyreg`; the object is the same.
fn through_copyreg<'a>(graph: &mut Graph<'a>, call: Inert<'a>) -> Result<Inert<'a>, DecodeError> {
    match (&*call.class, &call.args[..]) {
        ("copyreg._reconstructor", &[class, base, state])
            if is_class(graph.node(base), "builtins.object")
                && matches!(graph.node(state), Node::Null) =>
        {
            make(graph, class, Vec::new())
        }
        ("copyreg.__newobj__", [class, args @ ..]) => make(graph, *class, args.to_vec()),
        ("copyreg.__newobj_ex__", &[class, args, kwargs]) => {
            object(graph, class, args, Some(kwargs))
        }
        _ => Ok(call),
    }
}

fn is_class(node: &Node<'_>, class: &str) -> bool {
    matches!(node, Node::Inert(inert) if !inert.called && inert.class == class)
}

/// A copy of the arguments, which may be in other places, too.
fn arguments(graph: &Graph<'_>, args: Id) -> Result<Vec<Id>, DecodeError> {
    match graph.node(args) {
        Node::Tuple(args) => Ok(args.clone()),
        other => Err(DecodeError::named(
            "TypeError",
            format!("arguments must be a tuple, not '{}'", other.kind()),
        )),
    }
}

/// A copy of the keyword arguments: name, value, name, value.
fn keywords(graph: &mut Graph<'_>, kwargs: Id) -> Result<Vec<Id>, DecodeError> {
    let error = |text: &'static str| Err(DecodeError::named("TypeError", text));
    let Node::Dict(entries) = graph.node(kwargs) else {
        return error("keyword arguments must be a dict");
    };
    if !entries.iter().step_by(2).all(|&name| matches!(graph.node(name), Node::Text(_))) {
        return error("keywords must be strings");
    }
    let entries = entries.clone();
    graph.budget.charge_values(entries.len())?;
    Ok(entries)
}

/// What Python's pickler writes for plain data in old protocols, and no other call.
fn plain<'a>(graph: &mut Graph<'a>, builtin: Builtin, args: Id) -> Result<Node<'a>, DecodeError> {
    let args = arguments(graph, args)?;
    let args: [Option<&Node<'a>>; 2] = match args[..] {
        [] => [None, None],
        [one] => [Some(graph.node(one)), None],
        [one, two] => [Some(graph.node(one)), Some(graph.node(two))],
        _ => return Err(unusual(builtin)),
    };
    match (builtin, args) {
        (Builtin::Bytes, [None, None]) => Ok(Node::Bytes(Cow::Borrowed(&[]))),
        (Builtin::Bytearray, [None, None]) => Ok(Node::Bytearray(Cow::Borrowed(&[]))),
        (Builtin::Bytearray, [Some(Node::Bytes(bytes)), None]) => {
            Ok(Node::Bytearray(bytes.clone()))
        }
        (Builtin::Encode, [Some(Node::Text(text)), Some(Node::Text(encoding))])
            if encoding == "latin1" =>
        {
            latin1(text).map(|bytes| Node::Bytes(Cow::Owned(bytes)))
        }
        (Builtin::Set, [None, None]) => Ok(Node::Set(Vec::new())),
        (Builtin::Frozenset, [None, None]) => Ok(Node::Frozenset(Vec::new())),
        (Builtin::Set | Builtin::Frozenset, [Some(Node::List(items)), None]) => {
            // A copy: the list is a value of its own, and may be in other places, too.
            let items = items.clone();
            graph.budget.charge_values(items.len())?;
            Ok(match builtin {
                Builtin::Set => Node::Set(items),
                _ => Node::Frozenset(items),
            })
        }
        _ => Err(unusual(builtin)),
    }
}

fn unusual(builtin: Builtin) -> DecodeError {
    invalid(format!("`{}` is called in a way in which no pickler does", builtin.class()))
}

fn latin1(text: &str) -> Result<Vec<u8>, DecodeError> {
    text.chars()
        .map(|char| {
            u8::try_from(char).map_err(|_| {
                DecodeError::named("UnicodeEncodeError", "bytes are spelled in text over U+00FF")
            })
        })
        .collect()
}
