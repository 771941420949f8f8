//! The endpoints of keys, one file for each verb.

pub(crate) mod activity;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod expire;
pub(crate) mod expire_many;
pub(crate) mod identify;
pub(crate) mod incidents;
pub(crate) mod list;
pub(crate) mod locks;
mod parse;
pub(crate) mod receipts;
pub(crate) mod show;
pub(crate) mod view;
