//! Names that are keywords.

use dip::{Protocol, Router, handler};
use serde::{Deserialize, Serialize};

#[allow(non_camel_case_types)]
#[derive(Serialize, Deserialize, Protocol)]
#[mtype(b'N')]
#[protocol(reply = r#struct)]
struct r#struct {
    r#type: u8,
}

#[derive(Protocol)]
#[mtype(b'R')]
#[protocol(codec = fields)]
struct Record {
    r#type: Option<String>,
    r#match: Option<String>,
}

#[handler]
async fn r#type(r#fn: r#struct) -> r#struct {
    r#fn
}

#[handler]
async fn r#match(record: Record) {
    drop((record.r#type, record.r#match));
}

fn main() {
    let handlers: Vec<String> = Router::new().handler(r#type).handlers().collect();
    assert!(handlers[0].contains("::type takes "), "{handlers:?}");
    assert_eq!(Router::new().handler(r#match).handlers().count(), 1);
}
