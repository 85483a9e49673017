//! Types of one's own through `Value` and through JSON.

use std::collections::BTreeMap;

use dip::codec::{Body, BodyMut, Codec, DecodeLimits, Json};
use dip::value::{from_value, to_value};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Job {
    id: u64,
    big: i128,
    name: String,
    ratio: f64,
    small: f32,
    tags: Vec<String>,
    pair: (u8, Option<char>),
    limits: BTreeMap<i32, u16>,
    state: State,
    next: Option<Box<Job>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum State {
    Idle,
    Failed(String),
    Running(u32, Unit),
    Done { at: i64, outcome: Result<bool, Id> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Id(u128);

fn states() -> impl Strategy<Value = State> {
    let outcomes =
        prop_oneof![any::<bool>().prop_map(Ok), any::<u128>().prop_map(|id| Err(Id(id)))];
    prop_oneof![
        Just(State::Idle),
        any::<String>().prop_map(State::Failed),
        any::<u32>().prop_map(|of| State::Running(of, Unit)),
        (any::<i64>(), outcomes).prop_map(|(at, outcome)| State::Done { at, outcome }),
    ]
}

fn jobs() -> impl Strategy<Value = Job> {
    let numbers = (any::<u64>(), any::<i128>(), any::<f64>(), any::<f32>());
    let texts = (any::<String>(), prop::collection::vec(any::<String>(), 0..4));
    let limits = prop::collection::btree_map(any::<i32>(), any::<u16>(), 0..4);
    let pairs = (any::<u8>(), any::<Option<char>>());
    let job = (numbers, texts, limits, pairs, states()).prop_map(
        |((id, big, ratio, small), (name, tags), limits, pair, state)| Job {
            id,
            big,
            name,
            ratio,
            small,
            tags,
            pair,
            limits,
            state,
            next: None,
        },
    );
    prop::collection::vec(job, 1..4).prop_map(|jobs| {
        let link = |next, job| Some(Box::new(Job { next, ..job }));
        *jobs.into_iter().fold(None, link).unwrap()
    })
}

fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let mut out = Vec::new();
    Json::encode(value, &mut BodyMut::new(&mut out, 1 << 20)).unwrap();
    Json::decode(Body::from(&out[..]), &DecodeLimits::for_body(out.len())).unwrap()
}

proptest! {
    #[test]
    fn types_come_back_from_a_value(job in jobs()) {
        let back: Job = from_value(to_value(&job).unwrap()).unwrap();
        prop_assert_eq!(back, job);
    }

    #[test]
    fn types_come_back_from_json(job in jobs()) {
        prop_assert_eq!(through_json(&job), job);
    }

    #[test]
    fn a_value_serves_types_as_serde_json_does(job in jobs()) {
        // Its numbers end at 64 bits, and it makes text of keys that are numbers.
        let job = Job { big: 0, limits: BTreeMap::new(), state: State::Idle, next: None, ..job };
        let theirs = serde_json::to_value(&job).unwrap();
        prop_assert_eq!(from_value::<Job>(theirs.clone().into()).unwrap(), job.clone());
        prop_assert_eq!(serde_json::Value::try_from(to_value(&job).unwrap()).unwrap(), theirs);
    }
}
