//! The columns of a list of tokens, and of the view of one.

use clap::ValueEnum;
use keyward_sdk::types::ApiKey;

use crate::output::Cell;

/// A column, by the name that `--column` takes and that the header has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Column {
    /// The key's id.
    Id,
    /// The token's name.
    Name,
    /// What it may do.
    Scopes,
    /// What it may do it to.
    #[value(name = "allow-list", aliases = ["allow list", "allow_list"])]
    AllowList,
    /// When it was last used.
    #[value(name = "last-used", aliases = ["last used", "last_used"])]
    LastUsed,
    /// When it is over.
    #[value(name = "expires-at", aliases = ["expires at", "expires_at"])]
    ExpiresAt,
    /// When it was made.
    #[value(name = "created-at", aliases = ["created at", "created_at"])]
    CreatedAt,
    /// Whose it is.
    Owner,
}

impl Column {
    /// Those that are shown unless others are asked for.
    pub(super) const USUAL: [Self; 7] =
        [Self::Id, Self::Name, Self::Scopes, Self::AllowList, Self::LastUsed, Self::ExpiresAt, Self::CreatedAt];

    /// The name in the header.
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
        }
    }

    /// A key's value in this column.
    pub(super) fn cell(self, key: &ApiKey, owner: &str) -> Cell {
        match self {
            Self::Id => Cell::Id(key.id.clone()),
            Self::Name => Cell::Text(key.token_name.clone()),
            Self::Scopes => Cell::List(key.scopes.clone()),
            Self::AllowList => Cell::List(key.allow_list.clone()),
            Self::LastUsed => Cell::Time(key.last_used),
            Self::ExpiresAt => Cell::End(key.expires_at),
            Self::CreatedAt => Cell::Time(key.created_at),
            Self::Owner => Cell::Text(owner.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_answers_to_its_name_with_space_dash_or_underscore() {
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
