//! Conditions on keys: the query parameters of the lists, and the selector for ending many keys.

use serde::{Deserialize, Serialize};

/// Declares a type with the fields of a selector, after fields of its own.
macro_rules! with_selector {
    (
        $(#[$meta:meta])+
        $name:ident { $($own:tt)* }
    ) => {
        $(#[$meta])+
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[non_exhaustive]
        pub struct $name {
            $($own)*
            /// The owner: a username or a user id.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub user: Option<String>,
            /// `live`, `expired` or `locked`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub status: Option<String>,
            /// `token` or `session`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub kind: Option<String>,
            /// A part of the name, in any case.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
            /// A scope that the key's scopes grant.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub scope: Option<String>,
            /// Created at or after this RFC 3339 instant or date.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub created_after: Option<String>,
            /// Created before this instant.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub created_before: Option<String>,
            /// Expires at or after this instant.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub expires_after: Option<String>,
            /// Expires before this instant.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub expires_before: Option<String>,
            /// Last used at or after this instant.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub last_used_after: Option<String>,
            /// Last used before this instant, or never.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub last_used_before: Option<String>,
            /// Whether the key was never used.
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::optional_flag")]
            pub never_used: Option<bool>,
            /// The network of the address that used the key last, such as `192.0.2.0/24`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub last_used_ip: Option<String>,
            /// The id of the key that created the key.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub minted_by: Option<String>,
            /// Why the key was ended: `unspecified`, `compromised`, `superseded`, `retired` or `policy`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub end_reason: Option<String>,
        }
    };
}

with_selector! {
    /// Conditions on keys. A key must meet all that are set.
    KeySelector {
        /// The ids of the keys, up to 1000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ids: Option<Vec<String>>,
        /// True to select every key if no condition is set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub everything: Option<bool>,
    }
}

with_selector! {
    /// The query parameters of a user's keys.
    KeysQuery {
        /// Whether to include expired keys.
        #[serde(default, deserialize_with = "crate::wire::flag")]
        pub include_expired: bool,
        /// By what the list is ordered: `expires_at` (if absent), `created_at` or `last_used`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub sort: Option<String>,
        /// `desc` (if absent), the latest first, or `asc`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub order: Option<String>,
        /// Maximum number of keys, 1 to 1000.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
        pub limit: Option<u32>,
        /// The cursor from the `Link` header of the previous page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub after: Option<String>,
    }
}

with_selector! {
    /// The query parameters of a list of tokens.
    TokensQuery {
        /// Whether to include the tokens of every user that the caller may read.
        #[serde(default, deserialize_with = "crate::wire::flag")]
        pub include_all: bool,
        /// Whether to include expired keys.
        #[serde(default, deserialize_with = "crate::wire::flag")]
        pub include_expired: bool,
        /// By what the list is ordered: `expires_at` (if absent), `created_at` or `last_used`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub sort: Option<String>,
        /// `desc` (if absent), the latest first, or `asc`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub order: Option<String>,
        /// Maximum number of keys, 1 to 1000.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::wire::number")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
        pub limit: Option<u32>,
        /// The cursor from the `Link` header of the previous page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub after: Option<String>,
    }
}

/// The selector of a list, which has no ids.
macro_rules! selector_of_query {
    ($($query:ident),+) => {$(
        impl $query {
            /// The conditions of the list.
            #[must_use]
            pub fn selector(&self) -> KeySelector {
                KeySelector {
                    ids: None,
                    everything: None,
                    user: self.user.clone(),
                    status: self.status.clone(),
                    kind: self.kind.clone(),
                    name: self.name.clone(),
                    scope: self.scope.clone(),
                    created_after: self.created_after.clone(),
                    created_before: self.created_before.clone(),
                    expires_after: self.expires_after.clone(),
                    expires_before: self.expires_before.clone(),
                    last_used_after: self.last_used_after.clone(),
                    last_used_before: self.last_used_before.clone(),
                    never_used: self.never_used,
                    last_used_ip: self.last_used_ip.clone(),
                    minted_by: self.minted_by.clone(),
                    end_reason: self.end_reason.clone(),
                }
            }

            /// Adds the conditions of a selector, except for its ids.
            #[must_use]
            pub fn with(self, selector: KeySelector) -> Self {
                Self {
                    user: selector.user,
                    status: selector.status,
                    kind: selector.kind,
                    name: selector.name,
                    scope: selector.scope,
                    created_after: selector.created_after,
                    created_before: selector.created_before,
                    expires_after: selector.expires_after,
                    expires_before: selector.expires_before,
                    last_used_after: selector.last_used_after,
                    last_used_before: selector.last_used_before,
                    never_used: selector.never_used,
                    last_used_ip: selector.last_used_ip,
                    minted_by: selector.minted_by,
                    end_reason: selector.end_reason,
                    ..self
                }
            }
        }
    )+};
}

selector_of_query!(KeysQuery, TokensQuery);

impl KeysQuery {
    /// Asks for up to `limit` keys after the cursor `after`.
    #[must_use]
    pub fn new(include_expired: bool, limit: Option<u32>, after: Option<String>) -> Self {
        Self { include_expired, limit, after, ..Self::default() }
    }
}

impl TokensQuery {
    /// Asks for up to `limit` tokens after the cursor `after`.
    #[must_use]
    pub fn new(include_all: bool, include_expired: bool, limit: Option<u32>, after: Option<String>) -> Self {
        Self { include_all, include_expired, limit, after, ..Self::default() }
    }
}
