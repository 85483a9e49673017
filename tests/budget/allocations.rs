//! The allocations of a thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The allocator of the system, counted.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// By thread, so that tests beside each other do not count each other's.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[allow(unsafe_code, reason = "there is no safe way to an allocator")]
// SAFETY: every call is passed on as it is. What is grown or zeroed goes through `alloc`, too.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises; `alloc` took it from there.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// How many allocations this thread makes in `run`, and what it gives.
///
/// What others do for it on their threads is not counted.
pub(crate) fn allocations<T>(run: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = run();
    (ALLOCATIONS.get() - before, result)
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
