//! Values go through pickles unchanged, dip's own and CPython's of every protocol; objects become inert.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use dip::codec::{Body, BodyMut, Codec, DecodeLimits, Pickle, PicklePolicy};
use dip::value::{Dict, Int, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};

fn encode<T>(value: &T) -> Vec<u8>
where
    Pickle: Codec<T>,
{
    let mut body = Vec::new();
    Pickle::encode(value, &mut BodyMut::new(&mut body, usize::MAX)).unwrap();
    body
}

fn decode<T>(body: &[u8]) -> T
where
    Pickle: Codec<T>,
{
    let mut limits = DecodeLimits::for_body(body.len());
    limits.decoded_size = 64 << 20;
    Pickle::decode(Body::from(body), &limits).unwrap()
}

fn ints() -> impl Strategy<Value = Value> {
    let edges = [0, 255, 256, 65535, 65536, -1, i64::from(i32::MAX), i64::from(i32::MIN), i64::MIN];
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        proptest::sample::select(edges.to_vec()).prop_map(Value::from),
        vec(any::<u8>(), 1..300).prop_map(|bytes| Value::Int(Int::from_signed_bytes_le(&bytes))),
    ]
}

fn floats() -> impl Strategy<Value = Value> {
    let edges = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5e-324];
    prop_oneof![any::<f64>(), proptest::sample::select(edges.to_vec())].prop_map(Value::Float)
}

/// What Python can hash and does not take for one another, as it does `1` and `True`.
fn keys() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        ints(),
        any::<String>().prop_map(Value::Text),
        vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 8, 4, |key| {
        prop_oneof![
            vec(key.clone(), 0..5).prop_map(Value::Tuple),
            vec(key, 0..4).prop_map(|items| Value::Frozenset(items.into_iter().collect())),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        keys(),
        any::<bool>().prop_map(Value::Bool),
        floats(),
        vec(any::<u8>(), 0..300).prop_map(Value::Bytearray),
        vec(keys(), 0..5).prop_map(|items| Value::Set(items.into_iter().collect())),
    ];
    leaf.prop_recursive(5, 40, 6, |value| {
        prop_oneof![
            vec(value.clone(), 0..6).prop_map(Value::List),
            vec(value.clone(), 0..6).prop_map(Value::Tuple),
            vec((keys(), value), 0..6)
                .prop_map(|entries| Value::Dict(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn values_are_the_same_after_a_round_trip(value in values()) {
        let back: Value = decode(&encode(&value));
        // The order of entries counts here, so what is printed is compared, too.
        prop_assert_eq!(format!("{back:?}"), format!("{value:?}"));
        prop_assert_eq!(back, value);
    }
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Job {
    name: String,
    retries: Option<u8>,
    sizes: Vec<u64>,
}

#[test]
fn any_serde_type_is_a_pickle_of_a_dict() {
    let job = Job { name: "tidy".into(), retries: None, sizes: vec![1, u64::MAX] };
    assert_eq!(decode::<Job>(&encode(&job)), job);
    let Value::Dict(dict) = decode::<Value>(&encode(&job)) else { panic!("not a dict") };
    assert_eq!(dict.get("name"), Some(&Value::from("tidy")));
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Tree(Vec<Tree>);

#[test]
fn a_type_that_nests_itself_is_read_and_written_on_a_small_stack() {
    let run = || {
        for levels in [128, 129, 1000, 100_000] {
            let mut body = vec![b']'; levels];
            body.resize(2 * levels - 1, b'a');
            body.push(b'.');
            let limits = DecodeLimits::for_body(body.len());
            let tree: Result<Tree, _> = Pickle::decode(Body::from(&body[..]), &limits);
            match tree {
                Ok(tree) => assert!(levels == 128 && decode::<Tree>(&encode(&tree)) == tree),
                Err(error) => assert!(levels > 128 && error.class() == "RecursionError"),
            }
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

/// Reads lines of a pickle and the same value as an expression. Says which differ, and answers with
/// pickles of the value by each protocol, from both of Python's picklers.
const PYTHON: &str = r"
import pickle, struct, sys

def same(a, b):
    if type(a) is not type(b):
        return False
    if type(a) is float:
        return struct.pack('>d', a) == struct.pack('>d', b)
    if type(a) in (list, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is dict:
        return same(list(a.items()), list(b.items()))
    return a == b and (type(a) in (set, frozenset) or repr(a) == repr(b))

for line in sys.stdin:
    body, text = line.rstrip('\n').split(' ', 1)
    value = eval(text, {'nan': float('nan'), 'inf': float('inf')})
    for loads in (pickle.loads, pickle._loads):
        if not same(loads(bytes.fromhex(body)), value):
            sys.exit('differs: ' + text[:1000])
    for protocol in range(6):
        for dumps in (pickle.dumps, pickle._dumps):
            print(dumps(value, protocol).hex())
";

/// Prints objects of the standard library: the class, and pickles by each protocol.
const PYTHON_OBJECTS: &str = r"
import collections, dataclasses, datetime, decimal, enum, fractions, functools, operator
import pathlib, pickle, types, uuid

@dataclasses.dataclass
class Point:
    x: int
    y: list

@dataclasses.dataclass
class Frozen:
    __slots__ = ('x', 'y')
    x: int
    y: int

class Color(enum.Enum):
    RED = 1

class Named(dict):
    pass

class Bag(set):
    pass

class Keywords:
    def __getnewargs_ex__(self):
        return (1,), {'key': 2}

zone = datetime.timezone(datetime.timedelta(hours=1))
for value in [
    datetime.datetime(2024, 12, 9, 14, 6), datetime.datetime(2024, 12, 9, tzinfo=zone),
    datetime.date(2024, 2, 29), datetime.time(1, 2), datetime.timedelta(1, 2, 3), zone,
    decimal.Decimal('1.50'), fractions.Fraction(1, 3), uuid.UUID(int=7), complex(1, 2),
    collections.OrderedDict(a=1), collections.defaultdict(list, a=[1]), collections.Counter('aab'),
    collections.deque([1, 2], 3), pathlib.PurePosixPath('a/b'), types.SimpleNamespace(a=1),
    range(3), slice(1, 2), Point(1, [2]), Frozen(1, 2), Color.RED, Named(a=1), Bag([1]),
    Keywords(), ValueError('x'), functools.partial(print, 1, end=''), operator.attrgetter('a.b'),
]:
    kind = type(value)
    for protocol in range(6):
        for dumps in (pickle.dumps, pickle._dumps):
            try:
                print(f'{kind.__module__}.{kind.__qualname__}', protocol, dumps(value, protocol).hex())
            except TypeError:
                assert kind is Frozen and protocol < 2
";

#[test]
fn objects_that_python_writes_are_inert_by_all_protocols() {
    let Some(mut python) = python() else { return };
    let output = python.args(["-c", PYTHON_OBJECTS]).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(lines.lines().count() > 300);
    for line in lines.lines() {
        let [class, protocol, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let body = bytes(hex);
        let mut limits = DecodeLimits::for_body(body.len());
        let refused = <Pickle as Codec<Value>>::decode(Body::from(&body[..]), &limits).unwrap_err();
        assert_eq!(refused.class(), "UnpicklingError", "{line}");
        limits.pickle = PicklePolicy::inert();
        let value: Result<Value, _> = Pickle::decode(Body::from(&body[..]), &limits);
        let value = match value {
            Ok(value) => value,
            // Without an instruction for keywords, Python calls a `functools.partial`.
            Err(_) if class == "__main__.Keywords" && ["2", "3"].contains(&protocol) => continue,
            Err(error) => panic!("{class} by protocol {protocol}: {error}"),
        };
        let Value::Object(object) = value else { panic!("{class}: {value:?}") };
        // Protocols before 3 use the names that Python 2 has for modules.
        assert!(object.class == class || protocol < "3", "{class}: {object:?}");
    }
}

/// Python, where there is one; it must be there on CI.
fn python() -> Option<Command> {
    if Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success()) {
        return Some(Command::new("python3"));
    }
    assert!(std::env::var_os("CI").is_none(), "no python3 on the PATH");
    eprintln!("SKIPPED: no python3 on the PATH");
    None
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

#[test]
fn python_reads_what_dip_writes_and_dip_what_python_writes() {
    let Some(mut python) = python() else { return };
    let mut runner = TestRunner::deterministic();
    let mut all: Vec<Value> =
        (0..200).map(|_| values().new_tree(&mut runner).unwrap().current()).collect();
    // Python writes containers in batches of 1000, and long bytes outside of its frames.
    all.push(Value::List((0..2500_i64).map(Value::from).collect()));
    all.push(Value::Dict((0..2500_i64).map(|key| (key, "value")).collect::<Dict>()));
    all.push(Value::Set((0..2500_i64).map(Value::from).collect()));
    all.push(Value::List(vec![Value::Bytes(vec![7; 100_000]), Value::Text("é".repeat(70_000))]));
    all.push(Value::Bytearray(vec![0xff; 100_000]));

    let mut lines = String::new();
    for value in &all {
        for byte in encode(value) {
            write!(lines, "{byte:02x}").unwrap();
        }
        lines.push(' ');
        expression(value, &mut lines);
        lines.push('\n');
    }
    let mut python =
        python.args(["-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let feed = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 reads something else");
    feed.join().unwrap().unwrap();

    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), all.len() * 12);
    for (value, answers) in all.iter().zip(answers.chunks(12)) {
        for (at, answer) in answers.iter().enumerate() {
            assert_eq!(&decode::<Value>(&bytes(answer)), value, "protocol {}", at / 2);
        }
    }
}

/// Appends a value as Python's source spells it.
fn expression(value: &Value, out: &mut String) {
    fn list<'a>(items: impl Iterator<Item = &'a Value>, out: &mut String) {
        for item in items {
            expression(item, out);
            out.push(',');
        }
    }
    fn bytes(bytes: &[u8], out: &mut String) {
        out.push_str("b'");
        for byte in bytes {
            write!(out, "\\x{byte:02x}").unwrap();
        }
        out.push('\'');
    }
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(int) => write!(out, "{int}").unwrap(),
        Value::Float(float) if float.is_finite() => write!(out, "{float:?}").unwrap(),
        Value::Float(float) => write!(out, "{}", float.to_string().to_lowercase()).unwrap(),
        Value::Text(text) => {
            out.push('\'');
            for char in text.chars() {
                write!(out, "\\U{:08x}", u32::from(char)).unwrap();
            }
            out.push('\'');
        }
        Value::Bytes(body) => bytes(body, out),
        Value::Bytearray(body) => {
            out.push_str("bytearray(");
            bytes(body, out);
            out.push(')');
        }
        Value::List(items) => {
            out.push('[');
            list(items.iter(), out);
            out.push(']');
        }
        Value::Tuple(items) => {
            out.push('(');
            list(items.iter(), out);
            out.push(')');
        }
        Value::Set(set) => {
            out.push_str("set([");
            list(set.iter(), out);
            out.push_str("])");
        }
        Value::Frozenset(set) => {
            out.push_str("frozenset([");
            list(set.iter(), out);
            out.push_str("])");
        }
        Value::Dict(dict) => {
            out.push('{');
            for (key, value) in dict {
                expression(key, out);
                out.push(':');
                expression(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Object(_) => panic!("an object has no literal"),
    }
}
