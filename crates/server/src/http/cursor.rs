//! Cursors: where a page begins, as an opaque text.

use keyward_api::ErrorCode;
use keyward_domain::Timestamp;
use keyward_service::audit::AuditCursor;
use keyward_service::keys::KeyCursor;
use uuid::Uuid;

use super::problem::Problem;

/// A place in a list. The text begins with a letter for the list, so that one list's cursor is
/// refused by another.
pub(crate) trait Cursor: Sized {
    /// The text for it, not yet encoded for a URL.
    fn write(&self) -> String;

    /// The place that the text stands for.
    fn read(text: &str) -> Option<Self>;

    /// The place in a query, or the list's beginning.
    fn of_query(after: Option<&str>, first: Self) -> Result<Self, Problem> {
        let Some(text) = after else { return Ok(first) };
        Self::read(text).ok_or_else(|| {
            let detail = format!("\"{text}\" is not a cursor of this list");
            Problem::new(ErrorCode::ValidationFailed, "The query has a value that is not allowed.")
                .validation("after", detail)
                .hint("Take the cursor out of the Link header of the page before, or leave it out.")
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
        // Ids of ours have 14 characters; a row copied by hand has what its maker chose.
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

/// A username in lower case; the place before the first is empty.
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
