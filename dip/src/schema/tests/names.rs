//! What is left of a shape where only names count.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::schema::SchemaRecorder;

fn names<T: DeserializeOwned>() -> String {
    let mut record = SchemaRecorder::default();
    record.names::<T>().unwrap();
    record.into_text()
}

macro_rules! names {
    ($($T:ty => $names:literal),* $(,)?) => {$(
        assert_eq!(names::<$T>(), $names, "{}", stringify!($T));
    )*};
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Person {
    name: String,
    age: Option<u8>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Team {
    members: Vec<Option<Person>>,
    lead: Box<Person>,
    by_role: BTreeMap<String, Vec<(f64, Kind)>>,
}

#[derive(Deserialize, PartialEq, Eq, Hash)]
enum Kind {
    Tuple(u8, String),
    Struct { b: bool, a: () },
    Newtype(u8),
    Unit,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Node {
    next: Option<Box<Node>>,
    children: HashMap<Kind, Node>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[test]
fn types_do_not_count_and_names_are_sorted() {
    names! {
        u8 => "_",
        Vec<Option<(u8, String)>> => "_",
        HashMap<String, IpAddr> => "_",
        Person => "struct(age, name)",
        Kind => "enum(Newtype, Struct struct(a, b), Tuple, Unit)",
    }
}

#[test]
fn what_stands_around_names_does_not_count() {
    names! {
        Vec<Option<Box<Person>>> => "struct(age, name)",
        HashMap<String, Person> => "struct(age, name)",
        (u8, Person, u8) => "struct(age, name)",
        (Person, u8, Option<Person>) => "tuple(#1=struct(age, name); 2)",
        Team => "struct(by_role enum(Newtype, Struct struct(a, b), Tuple, Unit), \
                 lead #1=struct(age, name), members #1)",
    }
}

#[test]
fn names_may_contain_themselves() {
    names! {
        Node => "#1=struct(children tuple(enum(Newtype, Struct struct(a, b), Tuple, Unit), #1), next #1)",
    }
}

#[test]
fn a_type_that_hides_its_names_has_none() {
    names! {
        Flat => "_",
        serde_json::Value => "_",
        (Person, Flat) => "struct(age, name)",
    }
}
