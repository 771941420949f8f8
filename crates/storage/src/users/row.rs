//! Converts between rows of `users` and [`User`].

use diesel::prelude::*;
use keyward_domain::{Role, Roles, User, UserId};

use crate::error::StoreError;
use crate::schema::users;
use crate::sql_types::{DbId, DbInstant};

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
pub(crate) struct UserRow {
    id: DbId,
    username: String,
    username_key: String,
    name: String,
    email: String,
    email_key: String,
    login_type: String,
    status: String,
    roles: String,
    created_at: DbInstant,
    updated_at: DbInstant,
    last_seen_at: Option<DbInstant>,
}

impl UserRow {
    pub(super) fn new(user: &User) -> Result<Self, StoreError> {
        Ok(Self {
            id: DbId(user.id.as_uuid()),
            username: user.username.to_string(),
            username_key: user.username.key(),
            name: user.name.clone(),
            email: user.email.to_string(),
            email_key: user.email.key(),
            login_type: user.login.as_str().to_owned(),
            status: user.status.as_str().to_owned(),
            roles: roles_text(user)?,
            created_at: DbInstant(user.created_at),
            updated_at: DbInstant(user.updated_at),
            last_seen_at: user.last_seen_at.map(DbInstant),
        })
    }
}

pub(super) fn roles_text(user: &User) -> Result<String, StoreError> {
    let names: Vec<&str> = user.roles.iter().map(Role::as_str).collect();
    serde_json::to_string(&names).map_err(|error| StoreError::damaged("users", user.id, error))
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let id = row.id.0;
        read(row).map_err(|source| StoreError::damaged("users", id, source))
    }
}

fn read(row: UserRow) -> Result<User, Box<dyn std::error::Error + Send + Sync>> {
    let roles: Vec<String> = serde_json::from_str(&row.roles)?;
    Ok(User {
        id: UserId::from_uuid(row.id.0),
        username: row.username.parse()?,
        name: row.name,
        email: row.email.parse()?,
        login: row.login_type.parse()?,
        status: row.status.parse()?,
        roles: Roles::parse(roles.iter().map(String::as_str))?,
        created_at: row.created_at.0,
        updated_at: row.updated_at.0,
        last_seen_at: row.last_seen_at.map(|at| at.0),
    })
}
