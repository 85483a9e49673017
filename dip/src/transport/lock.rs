//! The lock on a path: who holds it owns the socket there.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, Metadata, symlink_metadata};
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, Mode, OFlags, fchmod, fcntl_lock, open};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};

use super::bind::BindError;
use super::credentials::own_uid;

/// A held `PATH.lock`, released on drop. The file stays.
///
/// It is a POSIX record lock, because the kernel drops that one when its process dies even while a
/// forked child lives on (an `flock` would be the child's too). Its two traps are the reason for the
/// table of held locks: it does not exclude its own process, and closing *any* descriptor of the file
/// drops it. So the table says what this process holds, by device and inode, before the file is
/// opened a second time; and it owns the descriptors.
#[derive(Debug)]
pub(super) struct PathLock {
    file: FileId,
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }
}

static HELD: LazyLock<Mutex<HashMap<FileId, File>>> = LazyLock::new(Mutex::default);

fn held() -> MutexGuard<'static, HashMap<FileId, File>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often the lock file may be swapped under our hands before that is taken for a live server.
const ATTEMPTS: usize = 16;

impl PathLock {
    /// Takes the lock of the socket at `path`, or says who has it.
    pub(super) fn acquire(path: &Path) -> Result<Self, BindError> {
        let in_use = |pid| BindError::AddrInUse { path: path.to_owned(), pid, holds_lock: true };
        let lock_path = lock_path(path);
        let failed = |step, error: io::Error| BindError::io(step, &lock_path, error);
        let mut held = held();

        for _ in 0..ATTEMPTS {
            match symlink_metadata(&lock_path) {
                Ok(found) if held.contains_key(&FileId::of(&found)) => {
                    return Err(in_use(NonZeroU32::new(std::process::id())));
                }
                Ok(found) => check_ours(&lock_path, &found)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("look at the lock file", error)),
            }

            let file = create(&lock_path).map_err(|error| failed("open the lock file", error))?;
            let opened = file.metadata().map_err(|error| failed("look at the lock file", error))?;
            let id = FileId::of(&opened);
            if held.contains_key(&id) {
                // A held lock file was renamed to this name since we looked. Closing it here would
                // drop that lock, so this descriptor stays open for good.
                std::mem::forget(file);
                return Err(in_use(NonZeroU32::new(std::process::id())));
            }
            check_ours(&lock_path, &opened)?;
            if opened.mode() & 0o077 != 0 {
                fchmod(&file, OWNER_ONLY)
                    .map_err(|error| failed("change the mode of the lock file", error.into()))?;
            }

            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::AGAIN | Errno::ACCESS) => {
                    match fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)) {
                        Ok(Some(lock)) => return Err(in_use(lock.pid.and_then(pid_number))),
                        // Released between the two questions.
                        Ok(None) => continue,
                        Err(error) => {
                            return Err(failed("ask for the owner of the lock file", error.into()));
                        }
                    }
                }
                Err(error) => return Err(failed("lock the lock file", error.into())),
            }

            // Somebody may have removed or replaced the file before it was locked: then the next
            // server would lock another one.
            if symlink_metadata(&lock_path).is_ok_and(|now| FileId::of(&now) == id) {
                held.insert(id, file);
                return Ok(Self { file: id });
            }
        }
        Err(in_use(None))
    }
}

impl Drop for PathLock {
    fn drop(&mut self) {
        let mut held = held();
        let file = held.remove(&self.file);
        // Closed before the table is free: until then nobody may open the file a second time.
        drop(file);
    }
}

/// `PATH.lock`, in the same directory.
pub(super) fn lock_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    name.into()
}

const OWNER_ONLY: Mode = Mode::from_raw_mode(0o600);

fn create(path: &Path) -> io::Result<File> {
    // NONBLOCK: should somebody have put a FIFO there, opening it must not hang.
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(open(path, flags, OWNER_ONLY)?.into())
}

/// A link to another file of ours must not be locked, nor its mode be changed.
fn check_ours(path: &Path, found: &Metadata) -> Result<(), BindError> {
    if found.is_file() && found.uid() == own_uid() && found.nlink() <= 1 {
        return Ok(());
    }
    Err(BindError::LockNotOurs { path: path.to_owned(), owner: found.uid() })
}

fn pid_number(pid: rustix::process::Pid) -> Option<NonZeroU32> {
    u32::try_from(pid.as_raw_nonzero().get()).ok().and_then(NonZeroU32::new)
}
