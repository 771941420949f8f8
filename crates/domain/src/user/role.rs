//! Roles: what a user may do beyond their own keys. The table of who may do what is in
//! [`crate::access`].

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A role that a user can be given. Being a member is implied and is no role of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, on everyone.
    Owner,
    /// Users that are not owners, and their keys.
    UserAdmin,
    /// Reads keys, users and the audit log; changes nothing.
    Auditor,
    /// May ask whether a presented key is good, and sees nothing else of others; for services.
    Verifier,
}

impl Role {
    /// Every role there is.
    pub const ALL: [Self; 4] = [Self::Owner, Self::UserAdmin, Self::Auditor, Self::Verifier];

    /// The word for it, on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::UserAdmin => "user-admin",
            Self::Auditor => "auditor",
            Self::Verifier => "verifier",
        }
    }

    /// The words for it that people read.
    #[must_use]
    pub fn display_name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::UserAdmin => "User Admin",
            Self::Auditor => "Auditor",
            Self::Verifier => "Verifier",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role \"{0}\": want owner, user-admin, auditor or verifier")]
pub struct UnknownRole(String);

/// The roles of a user; a plain member has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// Reads roles by name; `member`, which everyone is, may be named and adds nothing.
    ///
    /// # Errors
    /// [`UnknownRole`] for the first that is none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownRole> {
        names.into_iter().filter(|&name| name != "member").map(Role::from_str).collect::<Result<_, _>>().map(Self)
    }

    /// Is it among them?
    #[must_use]
    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// One by one, highest first.
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}
