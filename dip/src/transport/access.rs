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

    /// Whether a process with these credentials may be at the other end; whoever is on TCP has none,
    /// and may.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] that names both users, and the key that would admit the peer.
    pub(crate) async fn admit(&self, peer: Option<Credentials>) -> Result<(), Refusal> {
        let Some(peer) = peer else { return Ok(()) };
        if let Some(admitted) = self.by_ids(&peer) {
            return if admitted { Ok(()) } else { Err(self.refusal(&peer)) };
        }
        // The database may be on another machine.
        let access = self.clone();
        let asked = tokio::task::spawn_blocking(move || access.by_database(&peer));
        if asked.await.unwrap_or(false) { Ok(()) } else { Err(self.refusal(&peer)) }
    }

    /// The same on a thread that may wait for the database.
    pub(super) fn admit_blocking(&self, peer: &Credentials) -> Result<(), Refusal> {
        match self.by_ids(peer).unwrap_or_else(|| self.by_database(peer)) {
            true => Ok(()),
            false => Err(self.refusal(peer)),
        }
    }

    /// What the credentials alone say, or `None` when the user database has to be asked.
    fn by_ids(&self, peer: &Credentials) -> Option<bool> {
        match &self.0 {
            Rule::AnyLocal => Some(true),
            _ if peer.uid == own_uid() => Some(true),
            Rule::SameUid => Some(false),
            Rule::Uids(uids) => Some(uids.contains(&peer.uid)),
            Rule::Group { gid: Some(gid), .. } if peer.gid == *gid => Some(true),
            Rule::Group { .. } => None,
        }
    }

    fn by_database(&self, peer: &Credentials) -> bool {
        let Rule::Group { name, gid } = &self.0 else { return false };
        gid.or_else(|| gid_of(name)).is_some_and(|gid| is_member(peer, gid))
    }

    fn refusal(&self, peer: &Credentials) -> Refusal {
        let group = match &self.0 {
            Rule::Group { name, .. } => Some(name.clone()),
            _ => None,
        };
        Refusal { peer: peer.uid, ours: own_uid(), group }
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
pub(crate) struct Refusal {
    peer: u32,
    ours: u32,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, gid: u32) -> Credentials {
        Credentials { uid, gid, pid: None }
    }

    fn check(access: &Access, peer: &Credentials) -> Result<(), Refusal> {
        access.admit_blocking(peer)
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
            assert_eq!(check(&access, &peer(own_uid(), 1)), Ok(()), "{access:?}");
        }
    }

    #[test]
    fn another_user_is_admitted_when_it_is_listed_or_everybody_is() {
        let stranger = peer(stranger(), 1);
        assert!(check(&Access::same_uid(), &stranger).is_err());
        assert!(check(&Access::uids([own_uid()]), &stranger).is_err());
        assert!(check(&Access::uids([stranger.uid]), &stranger).is_ok());
        assert!(check(&Access::any_local(), &stranger).is_ok());
    }

    #[test]
    fn a_refusal_names_both_users_and_the_key_on_one_line() {
        let text = check(&Access::same_uid(), &peer(stranger(), 1)).unwrap_err().to_string();
        assert!(text.contains(&format!("uid {} may not", stranger())), "{text}");
        assert!(text.contains(&format!("of uid {};", own_uid())), "{text}");
        assert!(text.contains(&format!("access = Access::uids([{}])", stranger())), "{text}");
        assert!(!text.contains('\n'));
    }

    #[test]
    fn a_group_admits_by_effective_group_primary_group_and_member_list() {
        let group = Group::from_gid(nix::unistd::getegid()).unwrap().expect("own group has a name");
        let access = Access::group(&group.name).resolve().unwrap();
        assert!(check(&access, &peer(stranger(), group.gid.as_raw())).is_ok());

        // Most databases know `nobody`, who is in no group of ours.
        if let Ok(Some(nobody)) = User::from_name("nobody")
            && nobody.uid.as_raw() != own_uid()
        {
            let by_database = peer(nobody.uid.as_raw(), 0x7000_0000);
            assert!(check(&access, &by_database).is_err());
            if let Ok(Some(primary)) = Group::from_gid(nobody.gid) {
                let access = Access::group(primary.name).resolve().unwrap();
                assert!(check(&access, &by_database).is_ok());
            }
        }
    }

    #[test]
    fn an_unknown_group_is_named_and_admits_nobody() {
        let access = Access::group("no such group");
        let refusal = check(&access, &peer(stranger(), 1)).unwrap_err().to_string();
        assert!(refusal.contains("no such group"), "{refusal}");
        assert_eq!(access.resolve(), Err("no such group".to_owned()));
    }

    #[tokio::test]
    async fn only_what_the_ids_do_not_decide_is_left_to_the_database() {
        let access = Access::group("no such group");
        assert_eq!(access.by_ids(&peer(own_uid(), 1)), Some(true));
        assert_eq!(access.by_ids(&peer(stranger(), 1)), None);
        assert!(access.admit(Some(peer(stranger(), 1))).await.is_err());
        assert_eq!(access.admit(None).await, Ok(()));
        for access in [Access::same_uid(), Access::uids([1]), Access::any_local()] {
            assert!(access.by_ids(&peer(stranger(), 1)).is_some(), "{access:?}");
        }
    }

    #[test]
    fn the_mode_is_as_narrow_as_the_rule_allows() {
        assert_eq!(Access::same_uid().mode(), (0o600, None));
        assert_eq!(Access::uids([own_uid()]).mode(), (0o600, None));
        assert_eq!(Access::uids([stranger()]).mode(), (0o666, None));
        assert_eq!(Access::any_local().mode(), (0o666, None));
    }
}
