//! The endpoints of keys, one file for each verb.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod expire;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod view;

use serde::Deserialize;

/// `/users/{user}/…`
#[derive(Debug, Deserialize)]
pub(crate) struct UserPath {
    pub user: String,
}

/// `/users/{user}/keys/{keyid}…`
#[derive(Debug, Deserialize)]
pub(crate) struct KeyPath {
    pub user: String,
    pub keyid: String,
}

/// `/users/{user}/keys/tokens/{keyname}`
#[derive(Debug, Deserialize)]
pub(crate) struct NamePath {
    pub user: String,
    pub keyname: String,
}
