//! The kind of a key, and how it was created.

use crate::word::{UnknownWord, words};

/// The kind of a key. Rules that differ between tokens and sessions depend only on this.
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
    /// Created by request and named. Its expiry never moves later.
    Token,
    /// Created by logging in. Its expiry slides while it is used.
    Session,
}

words!(KeyKind, "kind of key");

/// How a key was created. A new way to log in adds a variant here and changes no rule, because
/// rules depend only on the [`KeyKind`].
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
    /// The kind of keys with this login type.
    #[must_use]
    pub fn kind(self) -> KeyKind {
        match self {
            Self::Token => KeyKind::Token,
            Self::Password => KeyKind::Session,
        }
    }
}
