//! The columns of `tokens list` and `tokens view`.

use clap::ValueEnum;
use keyward_sdk::types::{ApiKey, KeyStatus};

use crate::output::Cell;

/// A column. `--column` takes its name, and the header shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Column {
    /// ID of the key.
    Id,
    /// Name of the token.
    Name,
    /// Scopes of the token.
    Scopes,
    /// Resources that the token may act on.
    #[value(name = "allow-list", aliases = ["allow list", "allow_list"])]
    AllowList,
    /// Time of the last use.
    #[value(name = "last-used", aliases = ["last used", "last_used"])]
    LastUsed,
    /// Time of expiry.
    #[value(name = "expires-at", aliases = ["expires at", "expires_at"])]
    ExpiresAt,
    /// Time of creation.
    #[value(name = "created-at", aliases = ["created at", "created_at"])]
    CreatedAt,
    /// Owner of the token.
    Owner,
    /// Whether the token works: live, expired, or suspended with its owner.
    Status,
    /// Address of the client that used the token last.
    #[value(name = "last-used-ip", aliases = ["last used ip", "last_used_ip"])]
    LastUsedIp,
    /// ID of the key that created the token.
    #[value(name = "minted-by", aliases = ["minted by", "minted_by"])]
    MintedBy,
    /// Reason for which the token was ended.
    #[value(name = "end-reason", aliases = ["end reason", "end_reason"])]
    EndReason,
}

impl Column {
    /// The columns that are shown without `--column`.
    pub(super) const DEFAULT: [Self; 7] =
        [Self::Id, Self::Name, Self::Scopes, Self::AllowList, Self::LastUsed, Self::ExpiresAt, Self::CreatedAt];

    /// The column name in the header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Scopes => "scopes",
            Self::AllowList => "allow list",
            Self::LastUsed => "last used",
            Self::ExpiresAt => "expires at",
            Self::CreatedAt => "created at",
            Self::Owner => "owner",
            Self::Status => "status",
            Self::LastUsedIp => "last used ip",
            Self::MintedBy => "minted by",
            Self::EndReason => "end reason",
        }
    }

    /// The value of a key in this column.
    pub(super) fn cell(self, key: &ApiKey, owner: &str) -> Cell {
        match self {
            Self::Id => Cell::Id(key.id.clone()),
            Self::Name => Cell::Text(key.token_name.clone()),
            Self::Scopes => Cell::List(key.scopes.clone()),
            Self::AllowList => Cell::List(key.allow_list.clone()),
            Self::LastUsed => Cell::Time(key.last_used),
            Self::ExpiresAt => Cell::Expiry(key.expires_at),
            Self::CreatedAt => Cell::Time(key.created_at),
            Self::Owner => Cell::Text(owner.to_owned()),
            Self::Status => Cell::Text(status(key).to_owned()),
            Self::LastUsedIp => Cell::Text(key.last_used_ip.clone().unwrap_or_default()),
            Self::MintedBy => Cell::Id(key.minted_by.clone().unwrap_or_default()),
            Self::EndReason => Cell::Text(key.end_reason.clone().unwrap_or_default()),
        }
    }
}

/// The status in one word; empty if the server did not send it.
fn status(key: &ApiKey) -> &'static str {
    match key.status {
        Some(KeyStatus::Live) => "live",
        Some(KeyStatus::Expired) => "expired",
        Some(KeyStatus::Locked) => "locked",
        Some(KeyStatus::UserSuspended) => "suspended",
        Some(_) => "other",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_name_may_have_a_space_dash_or_underscore() {
        for column in Column::value_variants() {
            for joint in [" ", "-", "_"] {
                let name = column.name().replace(' ', joint);
                assert_eq!(Column::from_str(&name, true), Ok(*column), "{name}");
                assert_eq!(Column::from_str(&name.to_uppercase(), true), Ok(*column), "{name}");
            }
        }
        assert!(Column::from_str("secret", true).is_err());
    }
}
