//! The sockets that systemd passes to a process that it starts for them (`sd_listen_fds(3)`).
//!
//! `$LISTEN_FDS` says how many there are, from descriptor 3 on, `$LISTEN_FDNAMES` what they are
//! called, and `$LISTEN_PID` for which process they are meant. The variables stay: a child of this
//! process has another id, and knows by that that they are not for it.

use std::os::fd::RawFd;

use super::inherit::InheritError;

const FIRST: RawFd = 3;

/// The descriptors of that name; without a name, of all sockets.
pub(super) fn descriptors(name: Option<&str>) -> Result<Vec<RawFd>, InheritError> {
    let environment = |variable| std::env::var_os(variable)?.into_string().ok();
    select(name, environment, std::process::id())
}

fn select(
    name: Option<&str>,
    environment: impl Fn(&'static str) -> Option<String>,
    process: u32,
) -> Result<Vec<RawFd>, InheritError> {
    let number = |variable| {
        let value = environment(variable).ok_or(InheritError::NoSockets)?;
        value.parse::<u32>().map_err(|_| InheritError::Malformed { variable, value })
    };
    if number("LISTEN_PID")? != process {
        return Err(InheritError::NoSockets);
    }
    let malformed = |variable, value| Err(InheritError::Malformed { variable, value });
    let descriptors = match number("LISTEN_FDS")? {
        0 => return Err(InheritError::NoSockets),
        count => match u16::try_from(count) {
            Ok(count) => FIRST..FIRST + RawFd::from(count),
            Err(_) => return malformed("LISTEN_FDS", count.to_string()),
        },
    };
    let Some(name) = name else { return Ok(descriptors.collect()) };

    let names = environment("LISTEN_FDNAMES").unwrap_or_default();
    let known: Vec<_> = names.split(':').filter(|name| !name.is_empty()).collect();
    if !known.is_empty() && known.len() != descriptors.len() {
        return malformed("LISTEN_FDNAMES", names);
    }
    let called = known.iter().zip(descriptors).filter(|(known, _)| **known == name);
    let found: Vec<_> = called.map(|(_, fd)| fd).collect();
    if found.is_empty() {
        let known = known.into_iter().map(str::to_owned).collect();
        return Err(InheritError::UnknownName { name: name.to_owned(), known });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(name: Option<&str>, pid: &str, fds: &str, names: &str) -> Result<Vec<RawFd>, String> {
        let environment = |variable| match variable {
            "LISTEN_PID" => Some(pid.to_owned()),
            "LISTEN_FDS" => Some(fds.to_owned()),
            "LISTEN_FDNAMES" => Some(names.to_owned()).filter(|names| !names.is_empty()),
            _ => panic!("{variable}"),
        };
        select(name, environment, 42).map_err(|error| format!("{error:?}: {error}"))
    }

    #[test]
    fn descriptors_count_from_three() {
        assert_eq!(passed(None, "42", "1", ""), Ok(vec![3]));
        assert_eq!(passed(None, "42", "3", "a:b:c"), Ok(vec![3, 4, 5]));
    }

    #[test]
    fn a_name_may_stand_for_several_sockets() {
        assert_eq!(passed(Some("web"), "42", "3", "web:jobs:web"), Ok(vec![3, 5]));
        assert_eq!(passed(Some("jobs"), "42", "3", "web:jobs:web"), Ok(vec![4]));
    }

    #[test]
    fn sockets_of_another_process_are_not_ours() {
        for (pid, fds) in [("41", "1"), ("42", "0")] {
            let error = passed(None, pid, fds, "").unwrap_err();
            assert!(error.starts_with("NoSockets"), "{error}");
        }
        let error = select(None, |_| None, 42).unwrap_err();
        assert!(matches!(error, InheritError::NoSockets), "{error:?}");
    }

    #[test]
    fn an_unknown_name_is_told_which_there_are() {
        let error = passed(Some("db"), "42", "2", "web:jobs").unwrap_err();
        assert!(error.contains(r#"the name "db", but ["web", "jobs"]"#), "{error}");
        let error = passed(Some("db"), "42", "2", "").unwrap_err();
        assert!(error.contains(r#"the name "db", but []"#), "{error}");
    }

    #[test]
    fn what_systemd_would_not_write_is_named() {
        for (pid, fds, names, says) in [
            ("x", "1", "a", "$LISTEN_PID is \"x\""),
            ("42", "-1", "a", "$LISTEN_FDS is \"-1\""),
            ("42", "65536", "a", "$LISTEN_FDS is \"65536\""),
            ("42", "2", "a", "$LISTEN_FDNAMES is \"a\""),
        ] {
            let error = passed(Some("a"), pid, fds, names).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
