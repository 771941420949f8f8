//! Roles grant rights beyond a user's own keys. The table of rights is in [`crate::access`].

use std::collections::BTreeSet;
use std::str::FromStr as _;

use crate::word::{UnknownWord, words};

/// A role that can be assigned to a user. Every user is also a member, which is not a role here.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownWord, parse_err_fn = Self::unknown)]
pub enum Role {
    /// May do everything to every user and key.
    Owner,
    /// Manages users that are not owners, and their keys.
    UserAdmin,
    /// Reads keys, users and the audit log; changes nothing.
    Auditor,
    /// May verify presented keys, and sees nothing else of other users. For services.
    Verifier,
}

words!(Role, "role");

impl Role {
    /// The role's name for people.
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

/// The roles of a user; empty for a plain member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// Parses role names. `member` is accepted and ignored, because every user is a member.
    ///
    /// # Errors
    /// [`UnknownWord`] for the first unknown name.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownWord> {
        names.into_iter().filter(|&name| name != "member").map(Role::from_str).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the user has this role.
    #[must_use]
    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// The roles, highest first.
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}
