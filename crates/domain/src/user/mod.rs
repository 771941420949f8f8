//! Users: who keys belong to.

mod email;
mod password;
mod role;
mod username;

pub use email::{Email, InvalidEmail};
pub use password::{InvalidPassword, Password};
pub use role::{Role, Roles};
pub use username::{InvalidUsername, Username};

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::word::{UnknownWord, words};

/// The id of a user, for ever; names can change hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Uuid);

impl UserId {
    /// A new one (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id with this value.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Its value.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose thing a request is about: `me`, a UUID in its 36-character form, or a username.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRef {
    /// Whoever asks.
    Me,
    /// By id.
    Id(UserId),
    /// By name, in any case.
    Name(Username),
}

/// A text that cannot refer to a user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no user: want me, a UUID or a username")]
pub struct InvalidUserRef(String);

impl FromStr for UserRef {
    type Err = InvalidUserRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "me" {
            return Ok(Self::Me);
        }
        if text.len() == 36
            && let Ok(uuid) = Uuid::try_parse(text)
        {
            return Ok(Self::Id(UserId(uuid)));
        }
        text.parse().map(Self::Name).map_err(|_malformed| InvalidUserRef(text.to_owned()))
    }
}

impl fmt::Display for UserRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Me => f.write_str("me"),
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// May the user's keys be used?
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownWord, parse_err_fn = Self::unknown)]
pub enum UserStatus {
    /// Yes.
    Active,
    /// Not until activated again.
    Suspended,
}

words!(UserStatus, "user status");

/// How a user logs in.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownWord, parse_err_fn = Self::unknown)]
pub enum UserLogin {
    /// With a password.
    Password,
    /// Not at all: a service account, whose keys an owner makes.
    None,
}

words!(UserLogin, "login type of a user");

/// A user, without the password's hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// For ever.
    pub id: UserId,
    /// Unique, in any case, among users that are not deleted.
    pub username: Username,
    /// What people call them; may be empty.
    pub name: String,
    /// Unique, in any case, among users that are not deleted.
    pub email: Email,
    /// With a password, or a service account.
    pub login: UserLogin,
    /// Active or suspended.
    pub status: UserStatus,
    /// What they may do beyond their own keys.
    pub roles: Roles,
    /// When made.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
    /// When one of their keys was last used, to the minute or the hour; none until then.
    pub last_seen_at: Option<Timestamp>,
}

impl User {
    /// May their keys be used?
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }

    /// Are they an owner of the installation?
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.roles.contains(Role::Owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_referred_to_in_three_ways() {
        let id = UserId::random();
        assert_eq!("me".parse(), Ok(UserRef::Me));
        assert_eq!(id.to_string().parse(), Ok(UserRef::Id(id)));
        assert_eq!("Alice-1".parse(), Ok(UserRef::Name("Alice-1".parse().unwrap())));
        for text in ["", "a b", "-a", "first", &id.as_uuid().simple().to_string(), &format!("{{{id}}}")] {
            assert!(text.parse::<UserRef>().is_err(), "{text}");
        }
    }
}
