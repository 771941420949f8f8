//! The words for the variants of an enum, on the wire and in the database.

use strum::VariantNames;

/// The text is not the word of any variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} \"{word}\": want {want}")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    want: String,
}

impl UnknownWord {
    /// The error for `word`, which is not a word of `W`; `what` names the enum in the message.
    pub(crate) fn of<W: VariantNames>(what: &'static str, word: &str) -> Self {
        let want = match W::VARIANTS {
            [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
            words => words.concat(),
        };
        Self { what, word: word.to_owned(), want }
    }
}

/// Adds `as_str` to an enum, and the error of its `FromStr`: [`UnknownWord`]. The words come from
/// `#[strum(…)]` on the variants.
macro_rules! words {
    ($type:ty, $what:literal) => {
        impl $type {
            /// The variant's word on the wire and in the database.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                self.into()
            }

            fn unknown(word: &str) -> $crate::word::UnknownWord {
                $crate::word::UnknownWord::of::<Self>($what, word)
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::user::UserStatus;
    use crate::{KeyKind, Role};

    #[test]
    fn an_unknown_word_is_quoted_and_the_known_ones_are_listed() {
        let error = "gone".parse::<UserStatus>().unwrap_err();
        assert_eq!(error.to_string(), "unknown user status \"gone\": want active or suspended");
        let error = "king".parse::<Role>().unwrap_err();
        assert_eq!(error.to_string(), "unknown role \"king\": want owner, user-admin, auditor or verifier");
    }

    #[test]
    fn a_word_leads_to_its_variant_and_back() {
        assert_eq!("user-admin".parse::<Role>().unwrap().as_str(), "user-admin");
        assert_eq!(KeyKind::Session.to_string(), "session");
    }
}
