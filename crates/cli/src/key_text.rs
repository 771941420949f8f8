//! The text form of a key: `kwd_…` is a token and `kws_…` is a session. The part before the first
//! `-` is the ID, which is not secret.

use keyward_sdk::SecretString;

const TOKEN: &str = "kwd_";
const SESSION: &str = "kws_";
const ID_DIGITS: usize = 10;

/// Whether the text starts with the prefix of a key.
pub(crate) fn looks_like_key(text: &str) -> bool {
    text.starts_with(TOKEN) || text.starts_with(SESSION)
}

/// Whether the key is a session, which logout ends.
pub(crate) fn is_session(key: &SecretString) -> bool {
    key.expose().starts_with(SESSION)
}

/// The ID of a key; `None` if the text is not a Keyward key, since all of it may be secret.
pub(crate) fn id(key: &SecretString) -> Option<&str> {
    id_in(key.expose())
}

/// The key ID that the text consists of or starts with.
pub(crate) fn id_in(text: &str) -> Option<&str> {
    let id = text.split_once('-').map_or(text, |(id, _)| id);
    let digits = id.strip_prefix(TOKEN).or_else(|| id.strip_prefix(SESSION))?;
    (digits.len() == ID_DIGITS && digits.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_ends_at_the_first_dash() {
        for (text, id) in [
            ("kwd_a1B2c3D4e5", Some("kwd_a1B2c3D4e5")),
            ("kws_a1B2c3D4e5-secret-x", Some("kws_a1B2c3D4e5")),
            ("kwd_a1B2c3D4e5secret", None),
            ("kwd_a1B2c3D4-x", None),
            ("kwd_", None),
            ("ci-deploy", None),
        ] {
            assert_eq!(id_in(text), id, "{text}");
        }
    }
}
