//! Encoding and decoding one message.

use dip::codec::{Bincode, Body, BodyMut, Codec, DecodeLimits};
use serde::{Deserialize, Serialize};

use super::allocations;

/// 64 bytes, as small calls carry them.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    id: u64,
    name: String,
    values: [u32; 8],
}

fn sample() -> Sample {
    let values = [1, 20, 300, 4_000, 50_000, 600_000, 7_000_000, 80_000_000];
    Sample { id: 9_000_000_000, name: "sixteen letters.".to_owned(), values }
}

fn encode(sample: &Sample, out: &mut Vec<u8>) {
    let mut body = BodyMut::new(out, 1 << 20);
    Bincode::encode(sample, &mut body).unwrap();
    body.finish().unwrap();
}

#[test]
fn bincode_encodes_into_a_reused_vector_without_an_allocation() {
    let sample = sample();
    let mut out = Vec::new();
    encode(&sample, &mut out);
    out.clear();
    assert_eq!(allocations(|| encode(&sample, &mut out)).0, 0);
}

#[test]
fn bincode_allocates_the_strings_that_it_decodes_and_no_more() {
    let mut out = Vec::new();
    encode(&sample(), &mut out);
    let (count, read) = allocations(|| -> Sample {
        let limits = DecodeLimits::for_body(out.len());
        Bincode::decode(Body::from(&*out), &limits).unwrap()
    });
    assert_eq!((count, read), (1, sample()));
}
