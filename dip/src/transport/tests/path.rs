//! Who owns a path.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;

use super::connect::fill_backlog;
use super::*;
use crate::transport::lock::lock_path;

fn pid(error: &BindError) -> (Option<u32>, bool) {
    match error {
        BindError::AddrInUse { pid, holds_lock, .. } => (pid.map(Into::into), *holds_lock),
        other => panic!("{other:?}"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[tokio::test]
async fn a_second_listener_in_the_same_process_is_refused_and_does_not_drop_the_lock() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let first = bind(&path).await.unwrap();

    let error = bind(&path).await.unwrap_err();
    assert_eq!(pid(&error), (Some(std::process::id()), true));
    // By another name of the same directory, too.
    let other_name = directory.path().join("link");
    symlink(directory.path(), &other_name).unwrap();
    assert!(pid(&bind(&other_name.join("run.sock")).await.unwrap_err()).1);

    let said = Actor::start("bind", &path).says();
    assert!(said.contains("holds_lock: true"), "{said}");
    assert!(said.contains(&std::process::id().to_string()), "{said}");
    assert!(first.still_ours());
}

#[tokio::test]
async fn a_listener_in_another_process_is_named_by_its_pid() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let mut owner = Actor::start("bind", &path);
    assert_eq!(owner.says(), "bound");

    let error = bind(&path).await.unwrap_err();
    assert_eq!(pid(&error), (Some(owner.process.id()), true));
    assert!(error.to_string().contains(&format!("process {}", owner.process.id())), "{error}");
}

#[tokio::test]
async fn the_path_of_a_killed_owner_is_taken_over() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let mut owner = Actor::start("bind", &path);
    assert_eq!(owner.says(), "bound");
    owner.kill();
    assert!(path.exists());

    let mut listener = bind(&path).await.unwrap();
    let address = listener.local_addr().clone();
    dial(&address).await.unwrap();
    accept(&mut listener).await;
}

#[tokio::test]
async fn of_processes_that_race_for_a_stale_path_one_wins() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    for _ in 0..5 {
        if !path.exists() {
            drop(UnixListener::bind(&path).unwrap());
        }
        let mut racers: Vec<_> = (0..6).map(|_| Actor::start("bind", &path)).collect();
        let said: Vec<_> = racers.iter_mut().map(Actor::says).collect();
        assert_eq!(said.iter().filter(|said| *said == "bound").count(), 1, "{said:?}");
        assert!(
            said.iter().all(|said| said == "bound" || said.contains("holds_lock: true")),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_server_without_a_lock_is_found_by_connecting() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let plain = UnixListener::bind(&path).unwrap();

    let error = bind(&path).await.unwrap_err();
    assert_eq!(pid(&error), (Some(std::process::id()), false));
    assert!(error.to_string().contains("without a lock"), "{error}");

    // Also when it is too busy to answer.
    let _held = fill_backlog(&plain, &path);
    assert_eq!(pid(&bind(&path).await.unwrap_err()), (None, false));

    drop(plain);
    bind(&path).await.unwrap();
}

#[tokio::test]
async fn what_is_not_a_socket_is_refused_and_untouched() {
    let directory = directory();
    let target = directory.path().join("live.sock");
    let _live = UnixListener::bind(&target).unwrap();
    let path = directory.path().join("run.sock");

    fs::write(&path, "precious").unwrap();
    assert!(matches!(bind(&path).await, Err(BindError::NotASocket { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    fs::remove_file(&path).unwrap();

    for target in [target.as_path(), Path::new("dangling")] {
        symlink(target, &path).unwrap();
        assert!(matches!(bind(&path).await, Err(BindError::NotASocket { .. })));
        assert_eq!(fs::read_link(&path).unwrap(), target);
        fs::remove_file(&path).unwrap();
    }
    assert!(target.exists());

    fs::create_dir(&path).unwrap();
    let error = bind(&path).await.unwrap_err();
    assert!(matches!(error, BindError::NotASocket { directory: true, .. }), "{error:?}");
    assert!(!error.to_string().contains("remove"), "{error}");
    assert!(!lock_path(&path).exists(), "a refusal leaves nothing behind");
}

#[tokio::test]
async fn a_socket_of_another_user_is_refused_and_untouched() {
    if !is_root() {
        return;
    }
    let directory = directory();
    let path = directory.path().join("run.sock");
    drop(UnixListener::bind(&path).unwrap());
    chown(&path, Some(NOBODY), None).unwrap();
    let before = inode(&path);

    let error = bind(&path).await.unwrap_err();
    assert!(matches!(error, BindError::NotOurs { owner: NOBODY, .. }), "{error:?}");
    assert_eq!(inode(&path), before);
}

#[tokio::test]
async fn a_lock_file_that_is_not_a_plain_file_of_ours_is_refused() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let lock = lock_path(&path);

    let other = directory.path().join("other");
    fs::write(&other, "").unwrap();
    fs::set_permissions(&other, PermissionsExt::from_mode(0o644)).unwrap();
    symlink(&other, &lock).unwrap();
    assert!(matches!(bind(&path).await, Err(BindError::LockNotOurs { .. })));
    fs::remove_file(&lock).unwrap();

    fs::hard_link(&other, &lock).unwrap();
    assert!(matches!(bind(&path).await, Err(BindError::LockNotOurs { .. })));
    assert_eq!(mode(&other), 0o644);
    fs::remove_file(&lock).unwrap();

    if is_root() {
        fs::write(&lock, "").unwrap();
        chown(&lock, Some(NOBODY), None).unwrap();
        let error = bind(&path).await.unwrap_err();
        assert!(matches!(error, BindError::LockNotOurs { owner: NOBODY, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn the_lock_file_stays_and_is_closed_to_others() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    fs::write(lock_path(&path), "").unwrap();
    fs::set_permissions(lock_path(&path), PermissionsExt::from_mode(0o666)).unwrap();
    let before = inode(&lock_path(&path));

    drop(bind(&path).await.unwrap());
    assert_eq!(mode(&lock_path(&path)), 0o600);
    assert_eq!(inode(&lock_path(&path)), before);
    bind(&path).await.unwrap();
}

#[tokio::test]
async fn the_mode_of_the_socket_does_not_depend_on_the_umask() {
    let directory = directory();
    for umask in ["0", "022", "077"] {
        for (role, expected) in
            [("bind", 0o600), ("bind for all", 0o666), ("bind for group", 0o660)]
        {
            let path = directory.path().join("run.sock");
            let mut owner = Actor::start_with_umask(umask, role, &path);
            assert_eq!(owner.says(), "bound");
            assert_eq!(mode(&path), expected, "{role}, umask {umask}");
        }
    }
}

#[tokio::test]
async fn an_unknown_group_is_an_error_of_bind() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let error = bind_for(&path, Access::group("no such group")).await.unwrap_err();
    assert!(matches!(error, BindError::UnknownGroup { .. }), "{error:?}");
    assert!(error.to_string().contains("\"no such group\""), "{error}");
}

#[tokio::test]
async fn dropping_unlinks_the_path() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let listener = bind(&path).await.unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_path_that_was_replaced_is_noticed_and_not_unlinked() {
    let directory = directory();
    let path = directory.path().join("run.sock");
    let listener = bind(&path).await.unwrap();
    assert!(listener.still_ours());
    fs::remove_file(&path).unwrap();
    assert!(!listener.still_ours());
    let _usurper = UnixListener::bind(&path).unwrap();
    assert!(!listener.still_ours());
    drop(listener);
    assert!(path.exists());
}

#[tokio::test]
async fn a_path_of_107_bytes_is_taken_and_one_of_108_refused() {
    let directory = directory();
    let room = unix::PATH_LIMIT - directory.path().as_os_str().len() - 1;
    let longest = directory.path().join("x".repeat(room));
    let listener = bind(&longest).await.unwrap();
    dial(listener.local_addr()).await.unwrap();

    let too_long = directory.path().join("x".repeat(room + 1));
    let error = bind(&too_long).await.unwrap_err();
    assert!(matches!(error, BindError::PathTooLong { .. }), "{error:?}");
    assert!(error.to_string().contains("at most 107"), "{error}");
    let error = dial(&too_long.into()).await.unwrap_err();
    assert!(error.to_string().contains("at most 107"), "{error}");
}

#[tokio::test]
async fn a_directory_in_which_others_can_replace_the_socket_is_refused_unless_trusted() {
    let directory = directory();
    let open = directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let path = open.join("run.sock");

    let error = bind(&path).await.unwrap_err();
    assert!(matches!(error, BindError::UnsafeDirectory { mode: 0o777, .. }), "{error:?}");
    for word in ["trust_directory", "Kubernetes emptyDir", "0777"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    let trusting = Options { trust_directory: true, ..Options::default() };
    Listener::bind(&path.as_path().into(), trusting).await.unwrap();

    fs::set_permissions(&open, PermissionsExt::from_mode(0o1777)).unwrap();
    bind(&path).await.unwrap();

    if is_root() {
        chown(&open, Some(NOBODY), None).unwrap();
        for mode in [0o755, 0o1777] {
            fs::set_permissions(&open, PermissionsExt::from_mode(mode)).unwrap();
            let error = bind(&path).await.unwrap_err();
            assert!(matches!(error, BindError::UnsafeDirectory { owner: NOBODY, .. }), "{error:?}");
            assert!(error.to_string().contains("its owner could"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let directory = directory();
    let path = directory.path().join("missing/run.sock");
    let error = bind(&path).await.unwrap_err();
    assert!(matches!(error, BindError::NoDirectory { .. }), "{error:?}");
}
