//! Users: the owners of keys.

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

/// The id of a user. It never changes and is never reused, unlike a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Uuid);

impl UserId {
    /// A new random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Wraps a UUID.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID.
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

/// A reference to a user in a request: `me`, a UUID in its 36-character form, or a username.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRef {
    /// The caller.
    Me,
    /// A user by id.
    Id(UserId),
    /// A user by username, ignoring case.
    Name(Username),
}

/// The text is not a reference to a user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a user reference: want me, a UUID or a username")]
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

/// Whether the user and their keys are accepted.
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
    /// The user may log in, and their keys are accepted.
    Active,
    /// Login and keys are rejected until the user is activated again.
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
    /// The user logs in with a password.
    Password,
    /// The user cannot log in: a service account, whose keys an owner creates.
    None,
}

words!(UserLogin, "login type of a user");

/// A user without the password hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's id, which never changes.
    pub id: UserId,
    /// Username, unique regardless of case among users that are not deleted.
    pub username: Username,
    /// Display name; may be empty.
    pub name: String,
    /// E-mail address, unique regardless of case among users that are not deleted.
    pub email: Email,
    /// Password login or service account.
    pub login: UserLogin,
    /// Active or suspended.
    pub status: UserStatus,
    /// The user's roles.
    pub roles: Roles,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Last use of any of the user's keys, to the minute or hour; none if never used.
    pub last_seen_at: Option<Timestamp>,
}

impl User {
    /// Whether the user is active: a suspended user's keys are rejected.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }

    /// Whether the user has the role owner.
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
