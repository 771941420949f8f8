//! Users: made, changed, deleted. What takes a user's power away takes it from their keys in the
//! same transaction.

mod change;
mod create;
mod view;

pub use create::{NewUser, parse_new_user, parse_roles};
pub use keyward_storage::users::UserFilter;
