//! Cursors: opaque texts that mark where a page begins.

use keyward_api::ErrorCode;
use keyward_domain::Timestamp;
use keyward_service::audit::AuditCursor;
use keyward_service::keys::KeyCursor;
use uuid::Uuid;

use super::problem::Problem;

/// A position in a list. The text begins with a letter for the list, so that a list refuses the
/// cursors of other lists.
pub(crate) trait Cursor: Sized {
    /// Writes the cursor's text, not yet encoded for a URL.
    fn write(&self) -> String;

    /// Parses the cursor's text.
    fn read(text: &str) -> Option<Self>;

    /// Reads the cursor in a query; without one, the list begins at `first`.
    fn of_query(after: Option<&str>, first: Self) -> Result<Self, Problem> {
        let Some(text) = after else { return Ok(first) };
        Self::read(text).ok_or_else(|| {
            let detail = format!("\"{text}\" is not a cursor of this list");
            Problem::new(ErrorCode::ValidationFailed, "The query has an invalid value.")
                .validation("after", detail)
                .hint("Use the cursor from the Link header of the previous page, or omit \"after\".")
        })
    }
}

impl Cursor for KeyCursor {
    fn write(&self) -> String {
        format!("k.{}.{}", self.expires_at.as_micros(), self.id)
    }

    fn read(text: &str) -> Option<Self> {
        let (micros, id) = text.strip_prefix("k.")?.split_once('.')?;
        let expires_at = Timestamp::from_micros(micros.parse().ok()?)?;
        // Keyward's ids have 14 characters, but a row that was copied by hand can have any id.
        let printable = !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic());
        printable.then(|| Self { expires_at, id: id.to_owned() })
    }
}

impl Cursor for AuditCursor {
    fn write(&self) -> String {
        format!("a.{}.{}", self.time.as_micros(), self.id.simple())
    }

    fn read(text: &str) -> Option<Self> {
        let (micros, id) = text.strip_prefix("a.")?.split_once('.')?;
        Some(Self { time: Timestamp::from_micros(micros.parse().ok()?)?, id: Uuid::try_parse(id).ok()? })
    }
}

/// A username in lower case; empty for the start of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserPage(pub String);

impl Cursor for UserPage {
    fn write(&self) -> String {
        format!("u.{}", self.0)
    }

    fn read(text: &str) -> Option<Self> {
        let name: keyward_domain::user::Username = text.strip_prefix("u.")?.parse().ok()?;
        Some(Self(name.key()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_belongs_to_its_list() {
        let keys = KeyCursor { expires_at: Timestamp::EPOCH, id: "kwd_a1B2c3D4e5".to_owned() };
        assert_eq!(KeyCursor::read(&keys.write()), Some(keys.clone()));
        let audit = AuditCursor { time: Timestamp::MAX, id: Uuid::max() };
        assert_eq!(AuditCursor::read(&audit.write()), Some(audit));
        let users = UserPage("alice".to_owned());
        assert_eq!(UserPage::read(&users.write()), Some(users));
        assert_eq!(AuditCursor::read(&keys.write()), None);
        for text in ["", "k.", "k.1", "k.x.y", "k.999999999999999999999.y", "a.1.2"] {
            assert!(KeyCursor::read(text).is_none() && AuditCursor::read(text).is_none(), "{text}");
        }
    }
}
