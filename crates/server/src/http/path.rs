//! The parts of a path that vary, parsed. What names nothing is not found.

use std::str::FromStr;

use keyward_domain::user::UserRef;
use keyward_domain::{KeyId, TokenName};
use serde::{Deserialize, Deserializer, de};
use uuid::Uuid;

/// `/users/{user}/…`
#[derive(Debug, Deserialize)]
pub(crate) struct UserPath {
    #[serde(deserialize_with = "parsed")]
    pub user: UserRef,
}

/// `/users/{user}/keys/{keyid}…`
#[derive(Debug, Deserialize)]
pub(crate) struct KeyPath {
    #[serde(deserialize_with = "parsed")]
    pub user: UserRef,
    #[serde(deserialize_with = "parsed")]
    pub keyid: KeyId,
}

/// `/incidents/{id}`, `/audit/{id}/proof`
#[derive(Debug, Deserialize)]
pub(crate) struct IdPath {
    #[serde(deserialize_with = "parsed")]
    pub id: Uuid,
}

/// `/users/{user}/keys/tokens/{keyname}`
#[derive(Debug, Deserialize)]
pub(crate) struct NamePath {
    #[serde(deserialize_with = "parsed")]
    pub user: UserRef,
    #[serde(deserialize_with = "parsed")]
    pub keyname: TokenName,
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(text: D) -> Result<T, D::Error> {
    String::deserialize(text)?.parse().map_err(de::Error::custom)
}
