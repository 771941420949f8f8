//! Words that stand for the variants of an enum, on the wire and in the database.

use strum::VariantNames;

/// A text that is none of the words that are wanted at its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} \"{word}\": want {want}")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    want: String,
}

impl UnknownWord {
    /// `word` was read where one of the words of `W` is wanted; `what` names what they stand for.
    pub(crate) fn of<W: VariantNames>(what: &'static str, word: &str) -> Self {
        let want = match W::VARIANTS {
            [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
            words => words.concat(),
        };
        Self { what, word: word.to_owned(), want }
    }
}

/// Gives an enum its words: `as_str`, `Display` and `FromStr`, from `#[strum(…)]` on its variants.
/// The error of `FromStr` is [`UnknownWord`].
macro_rules! words {
    ($type:ty, $what:literal) => {
        impl $type {
            /// The word for it, on the wire and in the database.
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
