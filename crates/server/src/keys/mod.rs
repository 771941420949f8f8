//! The endpoints of keys, one file for each verb.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod expire;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod view;
