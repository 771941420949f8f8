//! Converts between rows of `api_keys` and [`ApiKey`].

use diesel::prelude::*;
use keyward_domain::key::{DIGEST_VERSION, Digest, EndNote};
use keyward_domain::{AllowList, ApiKey, Lifetime, LoginType, Scope, Scopes, UserId};

use crate::error::StoreError;
use crate::schema::api_keys;
use crate::sql_types::{DbId, DbInstant};

/// The columns that are shown. Each column that a list reads takes about a twentieth of the time of its
/// row, so the others are in [`SecretRow`].
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub(super) struct KeyRow {
    pub id: String,
    pub user_id: DbId,
    pub token_name: String,
    pub login_type: String,
    pub scopes: String,
    pub allow_list: String,
    pub lifetime_seconds: i64,
    pub created_at: DbInstant,
    pub updated_at: DbInstant,
    pub last_used: Option<DbInstant>,
    pub expires_at: DbInstant,
    pub ended_at: Option<DbInstant>,
    pub slides_until: Option<DbInstant>,
    pub last_used_ip: Option<String>,
    pub minted_by: Option<String>,
    pub end_reason: Option<String>,
    pub end_note: Option<String>,
}

/// The columns that only a verification reads.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub(super) struct SecretRow {
    kind: String,
    digest: Vec<u8>,
    digest_version: i16,
}

impl KeyRow {
    pub(super) fn new(key: &ApiKey) -> Result<Self, StoreError> {
        let json = |texts: Vec<String>| {
            serde_json::to_string(&texts).map_err(|error| StoreError::damaged("api_keys", &key.id, error))
        };
        Ok(Self {
            id: key.id.to_string(),
            user_id: DbId(key.user_id.as_uuid()),
            token_name: key.name_text().to_owned(),
            login_type: key.login_type.to_string(),
            scopes: json(key.scopes.to_strings())?,
            allow_list: json(key.allow_list.to_strings())?,
            lifetime_seconds: key.lifetime.as_secs(),
            created_at: DbInstant(key.created_at),
            updated_at: DbInstant(key.updated_at),
            last_used: key.last_used.map(DbInstant),
            expires_at: DbInstant(key.expires_at),
            ended_at: key.ended_at.map(DbInstant),
            slides_until: key.slides_until.map(DbInstant),
            last_used_ip: key.last_used_ip.map(|ip| ip.to_string()),
            minted_by: key.minted_by.as_ref().map(ToString::to_string),
            end_reason: key.end_reason.map(|reason| reason.to_string()),
            end_note: key.end_note.as_ref().map(ToString::to_string),
        })
    }
}

impl SecretRow {
    pub(super) fn new(key: &ApiKey, digest: &Digest) -> Self {
        Self { kind: key.kind().to_string(), digest: digest.as_bytes().to_vec(), digest_version: DIGEST_VERSION }
    }

    /// The digest of `key`. Only version [`DIGEST_VERSION`] is supported.
    pub(super) fn digest_of(self, key: &ApiKey) -> Result<Digest, StoreError> {
        let damaged = |problem: String| StoreError::damaged("api_keys", &key.id, problem);
        if self.kind != key.kind().as_str() {
            return Err(damaged(format!("kind \"{}\" does not match login type \"{}\"", self.kind, key.login_type)));
        }
        if self.digest_version != DIGEST_VERSION {
            return Err(damaged(format!("digest version {} is not supported by this program", self.digest_version)));
        }
        let bytes: [u8; 32] = self
            .digest
            .as_slice()
            .try_into()
            .map_err(|error: std::array::TryFromSliceError| StoreError::damaged("api_keys", &key.id, error))?;
        Ok(Digest::from_bytes(bytes))
    }
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        let id = row.id.clone();
        read(row).map_err(|source| StoreError::damaged("api_keys", id, source))
    }
}

fn read(row: KeyRow) -> Result<ApiKey, Box<dyn std::error::Error + Send + Sync>> {
    let login_type: LoginType = row.login_type.parse()?;
    let instant = |stored: DbInstant| stored.0;
    Ok(ApiKey {
        // A row that was copied by hand may have an invalid id. It is listed, but never accepted.
        id: keyward_domain::KeyId::from_stored(row.id),
        user_id: UserId::from_uuid(row.user_id.0),
        name: (!row.token_name.is_empty()).then(|| keyward_domain::TokenName::from_stored(row.token_name)),
        login_type,
        scopes: scopes(&row.scopes)?,
        allow_list: allow_list(&row.allow_list)?,
        lifetime: Lifetime::from_secs(row.lifetime_seconds).ok_or("the lifetime is negative or too long")?,
        created_at: instant(row.created_at),
        updated_at: instant(row.updated_at),
        last_used: row.last_used.map(instant),
        expires_at: instant(row.expires_at),
        ended_at: row.ended_at.map(instant),
        slides_until: row.slides_until.map(instant),
        // Only shown. A value that was written by hand does not make the key unusable.
        last_used_ip: row.last_used_ip.and_then(|ip| ip.parse().ok()),
        minted_by: row.minted_by.map(keyward_domain::KeyId::from_stored),
        end_reason: row.end_reason.map(|reason| reason.parse()).transpose()?,
        end_note: row.end_note.map(EndNote::from_stored),
    })
}

/// The stored form of [`Scopes::all`] and [`AllowList::all`], which most keys have.
const ALL: &str = r#"["*:*"]"#;

fn scopes(stored: &str) -> Result<Scopes, Box<dyn std::error::Error + Send + Sync>> {
    if stored == ALL {
        return Ok(Scopes::all());
    }
    let names: Vec<String> = serde_json::from_str(stored)?;
    let scopes = names.iter().map(|name| name.parse::<Scope>()).collect::<Result<Vec<_>, _>>()?;
    Ok(Scopes::new(scopes).ok_or("the list of scopes is empty")?)
}

fn allow_list(stored: &str) -> Result<AllowList, Box<dyn std::error::Error + Send + Sync>> {
    if stored == ALL {
        return Ok(AllowList::all());
    }
    let entries: Vec<String> = serde_json::from_str(stored)?;
    Ok(AllowList::from_stored(entries.iter().map(String::as_str))?)
}
