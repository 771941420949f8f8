//! How and why a key is ended by hand.

use std::fmt;

use uuid::Uuid;

use crate::event::Cause;
use crate::word::{UnknownWord, words};

/// Why a key was ended, in the words of whoever ended it.
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
pub enum EndReason {
    /// No reason was given.
    Unspecified,
    /// The secret is known to others, or may be.
    Compromised,
    /// Another key replaces it.
    Superseded,
    /// What used it is gone.
    Retired,
    /// A rule of the organisation ended it.
    Policy,
}

words!(EndReason, "reason");

/// A note on why a key was ended: 1 to 500 characters, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndNote(String);

/// The text is too long, or has control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("note must have at most {} characters, and no control characters", EndNote::LONGEST)]
pub struct InvalidEndNote;

impl EndNote {
    /// The longest note, in characters.
    pub const LONGEST: usize = 500;

    /// Checks a note; none if it is empty.
    ///
    /// # Errors
    /// [`InvalidEndNote`].
    pub fn new(text: &str) -> Result<Option<Self>, InvalidEndNote> {
        let text = text.trim();
        if text.chars().count() > Self::LONGEST || text.chars().any(char::is_control) {
            return Err(InvalidEndNote);
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    /// A note as stored.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EndNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How and why keys are ended by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What led to it.
    pub cause: Cause,
    /// The reason, if one was given.
    pub reason: Option<EndReason>,
    /// A note for people, if one was given.
    pub note: Option<EndNote>,
    /// The request that ends many keys, if this is part of one.
    pub incident: Option<Uuid>,
}

impl From<Cause> for Ending {
    fn from(cause: Cause) -> Self {
        Self { cause, reason: None, note: None, incident: None }
    }
}
