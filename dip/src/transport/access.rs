//! Who may be at the other end of a Unix socket.

use std::fmt;

use nix::unistd::{Group, Uid, User};

use super::credentials::{Credentials, own_uid};

/// Who may connect to a server, decided by the kernel's word on the peer before a byte is read.
///
/// A client uses the same type for the server it talks to. Access governs Unix sockets only; TCP
/// carries no credentials.
///
/// The mode of the socket file follows, so that the kernel refuses first what it can refuse:
///
/// | access | mode |
/// |---|---|
/// | [`same_uid`](Self::same_uid) | `0600` |
/// | [`uids`](Self::uids) of this process's own user only | `0600` |
/// | [`group`](Self::group) | `0660` and the file given to that group; `0666` where the server may not give it away |
/// | other [`uids`](Self::uids), [`any_local`](Self::any_local) | `0666`, because a mode cannot list users |
///
/// ```
/// use dip::Access;
///
/// let access = Access::uids([1000, 1001]);
/// # let _ = access;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    SameUid,
    Uids(Vec<u32>),
    /// The gid is known once [`Access::resolve`] has asked the group database.
    Group {
        name: String,
        gid: Option<u32>,
    },
    AnyLocal,
}

impl Access {
    /// Processes of this process's effective user. The default.
    pub fn same_uid() -> Self {
        Self(Rule::SameUid)
    }

    /// Processes of these users, and of this process's own.
    pub fn uids(uids: impl IntoIterator<Item = u32>) -> Self {
        Self(Rule::Uids(uids.into_iter().collect()))
    }

    /// Processes of the members of this group, and of this process's own user.
    ///
    /// The name is looked up when a server binds; an unknown one is
    /// [`BindError::UnknownGroup`](super::BindError::UnknownGroup).
    ///
    /// The kernel tells the effective user and group of a peer, not its supplementary groups. So a
    /// peer is a member when its effective group is this one, or when the user and group databases
    /// say so of its user: by the primary group, or by the group's list of members. They are asked
    /// anew for each connection that is not decided by its ids alone, and the answer can take as
    /// long as that database takes: a file, or a directory server. A supplementary group that
    /// only the process has (`docker run --group-add`) is not seen.
    pub fn group(name: impl Into<String>) -> Self {
        Self(Rule::Group { name: name.into(), gid: None })
    }

    /// Every process of this machine that can reach the socket.
    pub fn any_local() -> Self {
        Self(Rule::AnyLocal)
    }

    /// Whether a process with these credentials may be at the other end.
    ///
    /// With [`Access::group`] it may block on the user database.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] that names both users, and the key that would admit the peer.
    pub fn check(&self, peer: &Credentials) -> Result<(), Refusal> {
        let ours = own_uid();
        let admitted = match &self.0 {
            Rule::AnyLocal => true,
            _ if peer.uid == ours => true,
            Rule::SameUid => false,
            Rule::Uids(uids) => uids.contains(&peer.uid),
            Rule::Group { name, gid } => {
                gid.or_else(|| gid_of(name)).is_some_and(|gid| is_member(peer, gid))
            }
        };
        if admitted {
            return Ok(());
        }
        let group = match &self.0 {
            Rule::Group { name, .. } => Some(name.clone()),
            _ => None,
        };
        Err(Refusal { peer: peer.uid, ours, group })
    }

    /// The same with the group's number known, or the name of the group that is unknown.
    pub(super) fn resolve(self) -> Result<Self, String> {
        match self.0 {
            Rule::Group { name, gid: None } => match gid_of(&name) {
                Some(gid) => Ok(Self(Rule::Group { name, gid: Some(gid) })),
                None => Err(name),
            },
            _ => Ok(self),
        }
    }

    /// The mode of a socket that lets in whom this admits, and the group to give the file to.
    pub(super) fn mode(&self) -> (u32, Option<u32>) {
        match &self.0 {
            Rule::SameUid => (0o600, None),
            Rule::Uids(uids) if uids.iter().all(|&uid| uid == own_uid()) => (0o600, None),
            Rule::Group { gid: Some(gid), .. } => (0o660, Some(*gid)),
            Rule::Uids(_) | Rule::Group { .. } | Rule::AnyLocal => (EVERYBODY, None),
        }
    }
}

/// The mode of a socket that lets every user in: then the credential check alone decides.
pub(super) const EVERYBODY: u32 = 0o666;

impl Default for Access {
    fn default() -> Self {
        Self::same_uid()
    }
}

fn gid_of(name: &str) -> Option<u32> {
    Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
}

/// A database that does not answer admits nobody.
fn is_member(peer: &Credentials, gid: u32) -> bool {
    if peer.gid == gid {
        return true;
    }
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(peer.uid)) else { return false };
    if user.gid.as_raw() == gid {
        return true;
    }
    let Ok(Some(group)) = Group::from_gid(gid.into()) else { return false };
    group.mem.contains(&user.name)
}

/// Why a process may not connect. Its `Display` is one line, fit to be sent to that process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The user of the process that was refused.
    pub peer: u32,
    /// The user of this process.
    pub ours: u32,
    group: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, ours, group } = self;
        write!(f, "uid {peer} may not connect to this server of uid {ours}; ")?;
        if let Some(group) = group {
            write!(f, "make the user a member of the group {group:?}, or ")?;
        }
        write!(f, "let the server say `access = Access::uids([{peer}])`")
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, gid: u32) -> Credentials {
        Credentials { uid, gid, pid: None }
    }

    fn stranger() -> u32 {
        own_uid() + 1
    }

    #[test]
    fn the_own_user_is_always_admitted() {
        for access in [
            Access::default(),
            Access::uids([]),
            Access::group("no such group"),
            Access::any_local(),
        ] {
            assert_eq!(access.check(&peer(own_uid(), 1)), Ok(()), "{access:?}");
        }
    }

    #[test]
    fn another_user_is_admitted_when_it_is_listed_or_everybody_is() {
        let stranger = peer(stranger(), 1);
        assert!(Access::same_uid().check(&stranger).is_err());
        assert!(Access::uids([own_uid()]).check(&stranger).is_err());
        assert!(Access::uids([stranger.uid]).check(&stranger).is_ok());
        assert!(Access::any_local().check(&stranger).is_ok());
    }

    #[test]
    fn a_refusal_names_both_users_and_the_key_on_one_line() {
        let text = Access::same_uid().check(&peer(stranger(), 1)).unwrap_err().to_string();
        assert!(text.contains(&format!("uid {} may not", stranger())), "{text}");
        assert!(text.contains(&format!("of uid {};", own_uid())), "{text}");
        assert!(text.contains(&format!("access = Access::uids([{}])", stranger())), "{text}");
        assert!(!text.contains('\n'));
    }

    #[test]
    fn a_group_admits_by_effective_group_primary_group_and_member_list() {
        let group = Group::from_gid(nix::unistd::getegid()).unwrap().expect("own group has a name");
        let access = Access::group(&group.name).resolve().unwrap();
        assert!(access.check(&peer(stranger(), group.gid.as_raw())).is_ok());

        // Most databases know `nobody`, who is in no group of ours.
        if let Ok(Some(nobody)) = User::from_name("nobody")
            && nobody.uid.as_raw() != own_uid()
        {
            let by_database = peer(nobody.uid.as_raw(), 0x7000_0000);
            assert!(access.check(&by_database).is_err());
            if let Ok(Some(primary)) = Group::from_gid(nobody.gid) {
                let access = Access::group(primary.name).resolve().unwrap();
                assert!(access.check(&by_database).is_ok());
            }
        }
    }

    #[test]
    fn an_unknown_group_is_named_and_admits_nobody() {
        let access = Access::group("no such group");
        let refusal = access.check(&peer(stranger(), 1)).unwrap_err().to_string();
        assert!(refusal.contains("no such group"), "{refusal}");
        assert_eq!(access.resolve(), Err("no such group".to_owned()));
    }

    #[test]
    fn the_mode_is_as_narrow_as_the_rule_allows() {
        assert_eq!(Access::same_uid().mode(), (0o600, None));
        assert_eq!(Access::uids([own_uid()]).mode(), (0o600, None));
        assert_eq!(Access::uids([stranger()]).mode(), (0o666, None));
        assert_eq!(Access::any_local().mode(), (0o666, None));
    }
}
