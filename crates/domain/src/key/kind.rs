//! What kind of key a key is, and how it was made.

use std::fmt;
use std::str::FromStr;

use crate::user::UnknownWord;

/// The kind of a key. Every rule that differs between tokens and sessions asks for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Made on purpose and named. Its expiry never moves later.
    Token,
    /// Made by logging in. Its expiry slides while it is used.
    Session,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Token, Self::Session];

    /// The word for it in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownWord::new("kind of key", text, "token or session"))
    }
}

/// How a key was made. A new way to log in is a new variant here, and changes no rule: rules ask
/// for the [`KeyKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginType {
    /// A request for a token.
    Token,
    /// A login with a password.
    Password,
}

impl LoginType {
    /// Every login type that a key can have.
    pub const ALL: [Self; 2] = [Self::Token, Self::Password];

    /// The kind of the keys that are made this way.
    #[must_use]
    pub fn kind(self) -> KeyKind {
        match self {
            Self::Token => KeyKind::Token,
            Self::Password => KeyKind::Session,
        }
    }

    /// The word for it, on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Password => "password",
        }
    }
}

impl fmt::Display for LoginType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LoginType {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|login_type| login_type.as_str() == text)
            .ok_or_else(|| UnknownWord::new("login type", text, "token or password"))
    }
}
