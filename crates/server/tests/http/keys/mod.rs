//! `/users/{user}/keys…`

mod expire;
