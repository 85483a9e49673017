//! Whether this is still the process that something was made in.
//!
//! A child that was forked off has a copy of its parent's connections, but nobody who drives them.

#![allow(unsafe_code)]

use std::sync::LazyLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// How many forks lie between the first process of this program and this one: to ask the kernel for
/// the number of the process costs as much as a small message.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Whether forks are counted.
static COUNTS: LazyLock<bool> = LazyLock::new(|| {
    // SAFETY: all that `count` does is to add to an atomic number, which is allowed in a child at any
    // time, whatever other threads of its parent held when it was forked off.
    unsafe { libc::pthread_atfork(None, None, Some(count)) == 0 }
});

extern "C" fn count() {
    FORKS.fetch_add(1, Relaxed);
}

/// The process that something was made in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    /// `None`: forks are not counted.
    forks: Option<u32>,
    id: u32,
}

impl Process {
    /// This process.
    pub(crate) fn current() -> Self {
        let forks = COUNTS.then(|| FORKS.load(Relaxed));
        Self { forks, id: std::process::id() }
    }

    /// Whether this is a child of that process, as far as the C library knows: one that the kernel
    /// was asked for by other means is not seen.
    #[inline]
    pub(crate) fn is_forked(self) -> bool {
        match self.forks {
            Some(forks) => FORKS.load(Relaxed) != forks,
            None => self.is_surely_forked(),
        }
    }

    /// The same, as the kernel says.
    pub(crate) fn is_surely_forked(self) -> bool {
        self.id != std::process::id()
    }

    /// What a child would have.
    #[cfg(test)]
    pub(crate) fn in_a_child(self) -> Self {
        Self { forks: self.forks.map(|forks| forks.wrapping_sub(1)), id: self.id + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `child` says in a child that is forked off for it.
    fn forked(child: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child neither allocates nor takes a lock before it ends.
        let id = unsafe { libc::fork() };
        if id == 0 {
            let said = child();
            // SAFETY: it ends at once.
            unsafe { libc::_exit(i32::from(said)) };
        }
        assert!(id > 0, "no child could be forked off");
        let mut status = 0;
        // SAFETY: the status is written to a number of its size.
        assert_eq!(unsafe { libc::waitpid(id, &raw mut status, 0) }, id);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1
    }

    #[test]
    fn a_child_knows_that_it_is_one() {
        let process = Process::current();
        let known = forked(|| process.is_forked() && process.is_surely_forked());
        assert!(known && !process.is_forked() && !process.is_surely_forked());
        assert!(process.in_a_child().is_forked() && process.in_a_child().is_surely_forked());
    }

    #[test]
    fn what_a_child_makes_belongs_to_it() {
        Process::current();
        assert!(forked(|| {
            let own = Process::current();
            !own.is_forked() && !own.is_surely_forked()
        }));
    }

    #[test]
    fn where_forks_are_not_counted_the_kernel_is_asked() {
        let process = Process { forks: None, ..Process::current() };
        assert!(!process.is_forked());
        assert!(forked(|| process.is_forked()));
    }
}
