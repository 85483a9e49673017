//! The behaviour of reading and writing, one case after the other.

mod hostile;
mod inert;
mod plain_data;
mod writing;

use super::{read, write};
use crate::codec::{BodyMut, DecodeError, DecodeLimits, EncodeError, PicklePolicy};
use crate::value::{Dict, Int, Object, Set, Value};

fn read(body: &[u8]) -> Result<Value, DecodeError> {
    read::read(body, &DecodeLimits::for_body(body.len()))
}

fn read_inert(body: &[u8]) -> Result<Value, DecodeError> {
    let mut limits = DecodeLimits::for_body(body.len());
    limits.pickle = PicklePolicy::inert();
    read::read(body, &limits)
}

fn write(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut body = BodyMut::new(&mut out, usize::MAX);
    write::write(value, &mut body)?;
    body.finish()?;
    Ok(out)
}

fn class_of(body: &[u8]) -> &'static str {
    read(body).unwrap_err().class()
}

/// Runs on a thread with as much stack as a worker of tokio has.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

fn ints(ints: &[i64]) -> Vec<Value> {
    ints.iter().copied().map(Value::from).collect()
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => *object,
        other => panic!("not an object: {other:?}"),
    }
}
