//! What kind of key a key is, and how it was made.

use crate::word::{UnknownWord, words};

/// The kind of a key. Every rule that differs between tokens and sessions asks for this.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownWord, parse_err_fn = Self::unknown)]
pub enum KeyKind {
    /// Made on purpose and named. Its expiry never moves later.
    Token,
    /// Made by logging in. Its expiry slides while it is used.
    Session,
}

words!(KeyKind, "kind of key");

/// How a key was made. A new way to log in is a new variant here, and changes no rule: rules ask
/// for the [`KeyKind`].
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownWord, parse_err_fn = Self::unknown)]
pub enum LoginType {
    /// A request for a token.
    Token,
    /// A login with a password.
    Password,
}

words!(LoginType, "login type of a key");

impl LoginType {
    /// The kind of the keys that are made this way.
    #[must_use]
    pub fn kind(self) -> KeyKind {
        match self {
            Self::Token => KeyKind::Token,
            Self::Password => KeyKind::Session,
        }
    }
}
