//! Roles: what a user may do beyond their own keys. The table of who may do what is in
//! [`crate::access`].

use std::collections::BTreeSet;
use std::str::FromStr as _;

use crate::word::{UnknownWord, words};

/// A role that a user can be given. Being a member is implied and is no role of its own.
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
    /// Everything, on everyone.
    Owner,
    /// Users that are not owners, and their keys.
    UserAdmin,
    /// Reads keys, users and the audit log; changes nothing.
    Auditor,
    /// May ask whether a presented key is good, and sees nothing else of others; for services.
    Verifier,
}

words!(Role, "role");

impl Role {
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

/// The roles of a user; a plain member has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// Reads roles by name; `member`, which everyone is, may be named and adds nothing.
    ///
    /// # Errors
    /// [`UnknownWord`] for the first that is none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownWord> {
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
