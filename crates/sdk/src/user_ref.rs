//! Names a user in a request.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::InvalidInput;
use crate::path;

/// Length of a hyphenated UUID, the only form that is taken as an ID.
const UUID_LENGTH: usize = 36;

/// A reference to a user.
///
/// ```
/// use keyward_sdk::UserRef;
///
/// assert_eq!("me".parse(), Ok(UserRef::Me));
/// assert_eq!("ada".parse(), Ok(UserRef::Name("ada".to_owned())));
/// assert!("..".parse::<UserRef>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UserRef {
    /// The owner of the client's credential.
    Me,
    /// The user with this ID.
    Id(Uuid),
    /// The user with this name, ignoring case.
    Name(String),
}

impl FromStr for UserRef {
    type Err = InvalidInput;

    /// Parses `me`, a UUID of 36 characters, or a name. The server decides whether the user exists;
    /// only values that would change the URL path are refused.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "me" {
            return Ok(Self::Me);
        }
        if let (UUID_LENGTH, Ok(id)) = (text.len(), Uuid::parse_str(text)) {
            return Ok(Self::Id(id));
        }
        path::check(text)?;
        Ok(Self::Name(text.to_owned()))
    }
}

impl fmt::Display for UserRef {
    /// Writes the form that paths contain and `from_str` parses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Me => f.write_str("me"),
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_me_an_id_or_a_name() {
        let id = "0198c0de-0000-7000-8000-000000000001";
        assert_eq!(id.parse(), Ok(UserRef::Id(id.parse().unwrap())));
        for name in ["ada", "Me", "0198c0de00007000800000000000000001", "{0198c0de-0000-7000-8000-000000000001}", "..."]
        {
            assert_eq!(name.parse(), Ok(UserRef::Name(name.to_owned())));
        }
        for user in ["me", id, "ada"] {
            assert_eq!(user.parse::<UserRef>().unwrap().to_string(), user);
        }
    }

    #[test]
    fn what_a_url_would_swallow_is_refused() {
        for text in ["", ".", ".."] {
            assert_eq!(text.parse::<UserRef>(), Err(InvalidInput::PathValue(text.to_owned())));
        }
    }
}
