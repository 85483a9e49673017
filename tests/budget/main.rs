//! What messages may cost, counted: figures that a clock can't give on a busy machine.
//!
//! A binary of its own, for its allocator counts.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod calls;
mod codec;
mod instructions;

/// How many allocations this thread makes in `run`, and what it gives.
///
/// What others do for it on their threads is not counted.
fn allocations<T>(run: impl FnOnce() -> T) -> (u64, T) {
    let mut result = None;
    let counted = allocation_counter::measure(|| result = Some(run()));
    (counted.count_total, result.unwrap())
}

#[test]
fn allocations_are_counted_also_as_something_grows() {
    let (count, _) = allocations(|| {
        let mut bytes = vec![0_u8; 10];
        bytes.reserve_exact(1000);
        (bytes, Box::new(1))
    });
    assert_eq!(count, 3);
    assert_eq!(allocations(Vec::<u8>::new).0, 0);
}
