//! A listening Unix socket and the path it owns.

use std::fs::{Metadata, Permissions, metadata, remove_file, set_permissions, symlink_metadata};
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::access::{Access, EVERYBODY};
use super::bind::{BindError, Options};
use super::credentials::{Credentials, own_uid};
use super::incoming::Incoming;
use super::lock::{FileId, PathLock};

/// The longest path of a socket, in bytes: `sun_path` without its closing NUL.
pub(super) const PATH_LIMIT: usize =
    if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

/// A listening Unix socket that owns its path.
///
/// The fields are dropped in this order, and the order matters: while the socket lives, the kernel
/// keeps its inode, so that no other file can have the same number when [`Place`] compares it; and
/// the lock goes last, so that the next owner finds the path free.
#[derive(Debug)]
pub(super) struct PathListener {
    place: Place,
    pub(super) socket: Incoming,
    _lock: PathLock,
}

impl PathListener {
    /// Listens at `path`. Removes a stale socket of this user, and nothing else.
    ///
    /// Cancel safe: a future that is dropped leaves the lock file, and no lock.
    pub(super) async fn bind(path: &Path, options: &Options) -> Result<Self, BindError> {
        if path.as_os_str().len() > PATH_LIMIT {
            return Err(BindError::PathTooLong { path: path.to_owned(), limit: PATH_LIMIT });
        }
        check_directory(path, options.trust_directory)?;
        // Looked at before the lock too, so that a refusal leaves no lock file behind.
        look(path)?;
        let lock = PathLock::acquire(path)?;
        if let Some(found) = look(path)? {
            remove_stale(path, found).await?;
        }

        let failed = |step| move |error: io::Error| BindError::io(step, path, error);
        let absolute = std::path::absolute(path).map_err(failed("find the directory of"))?;
        let socket = UnixSocket::new_stream().map_err(failed("create a socket for"))?;
        // Linux gives the new inode the mode of the socket, less the umask, which belongs to the
        // whole process and is not ours to change: set here, the inode is at no time wider. Where
        // this fails, on other systems, nobody can connect before `listen`, and `admit` is before it.
        let _ = fchmod(&socket, Mode::from_raw_mode(0o600));
        socket.bind(path).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => taken(path, None),
            _ => BindError::io("bind the socket", path, error),
        })?;
        let place = Place::of(absolute).map_err(failed("find the new socket"))?;
        place.admit(&options.access).map_err(failed("change the mode of"))?;
        // The kernel cuts the backlog to what it allows.
        let socket = socket.listen(u32::MAX).and_then(UnixListener::into_std);
        let socket = socket.and_then(|socket| Incoming::new(socket.into()));
        let socket = socket.map_err(failed("listen on"))?;
        Ok(Self { place, socket, _lock: lock })
    }

    /// Whether the path still leads to this socket.
    pub(super) fn still_ours(&self) -> bool {
        self.place.still_ours()
    }

    /// Whether nothing is at the path any more.
    pub(super) fn is_removed(&self) -> bool {
        symlink_metadata(&self.place.path)
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }
}

/// The server that has this path does not hold the lock: we do.
fn taken(path: &Path, pid: Option<NonZeroU32>) -> BindError {
    BindError::AddrInUse { path: path.to_owned(), pid, holds_lock: false }
}

/// Whoever can write to the directory can replace the socket.
///
/// Links are followed, since `/var/run` is one on most systems: what counts is the directory that
/// the socket will be in.
fn check_directory(path: &Path, trust: bool) -> Result<(), BindError> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let found = match metadata(directory) {
        Ok(found) if found.is_dir() => found,
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound) => {
            return Err(BindError::io("look at the directory", directory, error));
        }
        _ => return Err(BindError::NoDirectory { directory: directory.to_owned() }),
    };
    let sticky = found.mode() & 0o1000 != 0;
    let everybody_writes = found.mode() & 0o002 != 0;
    let owner = found.uid();
    // The sticky bit does not bind the directory's owner.
    if trust || ((owner == own_uid() || owner == 0) && (sticky || !everybody_writes)) {
        return Ok(());
    }
    let (directory, mode) = (directory.to_owned(), found.mode() & 0o7777);
    Err(BindError::UnsafeDirectory { directory, owner, mode })
}

/// The socket of ours that is at the path, if there is anything.
fn look(path: &Path) -> Result<Option<FileId>, BindError> {
    let found = match symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BindError::io("look at", path, error)),
    };
    if !found.file_type().is_socket() {
        let directory = found.file_type().is_dir();
        return Err(BindError::NotASocket { path: path.to_owned(), directory });
    }
    if found.uid() != own_uid() {
        return Err(BindError::NotOurs { path: path.to_owned(), owner: found.uid() });
    }
    Ok(Some(FileId::of(&found)))
}

/// Removes the socket, unless somebody answers there.
async fn remove_stale(path: &Path, found: FileId) -> Result<(), BindError> {
    match UnixStream::connect(path).await {
        Ok(server) => {
            let pid = Credentials::of_socket(&server).ok().and_then(|server| server.pid);
            return Err(taken(path, pid));
        }
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::CONNREFUSED) => {}
            Some(Errno::NOENT) => return Ok(()),
            // A full backlog, or a server that speaks datagrams.
            Some(Errno::AGAIN | Errno::PROTOTYPE) => return Err(taken(path, None)),
            _ => return Err(BindError::io("find out who listens on", path, error)),
        },
    }
    // A server without a lock may have come since.
    if look(path)? != Some(found) {
        return Err(taken(path, None));
    }
    remove_file(path).map_err(|error| BindError::io("remove the stale socket", path, error))
}

/// A path and the socket that was bound there: unlinked on drop, if it is still that one.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    socket: FileId,
    process: u32,
}

impl Place {
    fn of(path: PathBuf) -> io::Result<Self> {
        let socket = FileId::of(&symlink_metadata(&path)?);
        Ok(Self { path, socket, process: std::process::id() })
    }

    fn look(&self) -> Option<Metadata> {
        symlink_metadata(&self.path).ok().filter(|now| FileId::of(now) == self.socket)
    }

    fn still_ours(&self) -> bool {
        self.look().is_some()
    }

    /// Gives the socket the mode that lets in whom `access` admits.
    fn admit(&self, access: &Access) -> io::Result<()> {
        let (mut mode, group) = access.mode();
        if let Some(gid) = group
            && lchown(&self.path, None, Some(gid)).is_err()
        {
            // Only root and the group's members may give a file to it.
            mode = EVERYBODY;
        }
        // Changing a mode follows links. Who could put one here since is kept out by the directory.
        let now = self.look().ok_or_else(|| io::Error::other("the path has been replaced"))?;
        if now.mode() & 0o777 == mode {
            return Ok(());
        }
        set_permissions(&self.path, Permissions::from_mode(mode))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A child that was forked off inherits the socket, but not the path.
        if self.process == std::process::id() && self.still_ours() {
            // There is nobody to tell; the next server takes the stale path over.
            let _ = remove_file(&self.path);
        }
    }
}
