//! Creates keys. Every path calls [`keyward_domain::key::within_caller`], so that no key creates a key
//! with more rights than its own.

use keyward_domain::access::Act;
use keyward_domain::allow_list::InvalidAllowList;
use keyward_domain::key::{InvalidTokenName, MintRequest, random_name, within_caller};
use keyward_domain::{
    AllowList, ApiKey, KeyKind, Lifetime, LoginType, PlainKey, Scopes, Timestamp, TokenName, User, UserId,
};
use keyward_storage::keys::NewKey;
use keyward_storage::{Lane, Tx, keys, users};

use super::OwnerKeys;
use crate::caller::Caller;
use crate::error::Error;
use crate::right::CreateKey;
use crate::settings::Settings;

/// Minimum lifetime that can be requested.
const SHORTEST: Lifetime = Lifetime::seconds(1);

/// Maximum number of draws for a random name; there are 230 400 names.
const DRAWS: usize = 50;

/// Parameters of a new token. Parse errors are passed in, because [`OwnerKeys::create_token`] reports
/// errors in a fixed order.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Scopes of the token.
    pub scopes: Scopes,
    /// Resources the token may act on.
    pub allow_list: Result<AllowList, InvalidAllowList>,
    /// The token's name; none draws a random one.
    pub name: Result<Option<TokenName>, InvalidTokenName>,
    /// Lifetime of the token; none takes the default.
    pub lifetime: Result<Option<Lifetime>, NotPositive>,
}

/// The requested lifetime is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPositive;

impl Default for NewToken {
    /// A token with all scopes, for all resources, with a random name and the default lifetime.
    fn default() -> Self {
        Self { scopes: Scopes::all(), allow_list: Ok(AllowList::all()), name: Ok(None), lifetime: Ok(None) }
    }
}

impl OwnerKeys<'_, CreateKey> {
    /// Creates a token.
    ///
    /// # Errors
    /// The first error, in this order: the request exceeds the calling key; the name, the allow list or
    /// the lifetime is invalid; a live token has the name.
    pub async fn create_token(&self, new: NewToken) -> Result<(PlainKey, ApiKey), Error> {
        let (service, caller) = (self.service, self.caller);
        // Values that could not be parsed do not exceed the calling key; they are refused below.
        let requested_allow_list = new.allow_list.as_ref().unwrap_or(&caller.key().allow_list);
        let requested_end = new.lifetime.ok().flatten();
        let requested_end = requested_end.map(|lifetime| caller.now.checked_add(lifetime).unwrap_or(Timestamp::MAX));
        let request = MintRequest { scopes: &new.scopes, allow_list: requested_allow_list, expires_at: requested_end };
        let latest_end = within_caller(caller.key(), request, &service.inner.catalogue)?;

        let (name, allow_list) = (new.name?, new.allow_list?);
        let lifetime = self.lifetime(new.lifetime.map_err(|NotPositive| Error::LifetimeNotPositive)?)?;
        let end = caller.now.checked_add(lifetime).ok_or_else(|| self.too_long())?;
        let expires_at = latest_end.map_or(end, |latest| latest.min(end));

        let plain = PlainKey::generate(KeyKind::Token)?;
        let key = ApiKey {
            id: plain.id().clone(),
            user_id: self.owner.id,
            name: None,
            login_type: LoginType::Token,
            scopes: new.scopes,
            allow_list,
            lifetime: expires_at.since(caller.now),
            created_at: caller.now,
            updated_at: caller.now,
            last_used: None,
            expires_at,
            ended_at: None,
            end_reason: None,
            end_note: None,
            slides_until: None,
            last_used_ip: None,
            minted_by: Some(caller.key().id.clone()),
        };
        let (digest, caller, in_service) = (plain.digest(), caller.clone(), service.clone());
        let key = service
            .change(Lane::Normal, move |tx| {
                let caller = confirm(tx, &caller, key.user_id, key.lifetime, &in_service.inner.settings)?;
                let name = free_name(tx, &key, name)?;
                let key = ApiKey { name: Some(name), ..key };
                keys::create(tx, NewKey { key: key.clone(), digest }, false, &caller.origin())?;
                Ok::<_, Error>(key)
            })
            .await?;
        Ok((plain, key))
    }

    /// Creates a session key. A session has all scopes and resources, so a token that creates one must
    /// have them too; the session ends no later than that token.
    ///
    /// # Errors
    /// [`Error::ExceedsCaller`] if the calling key has fewer rights.
    pub async fn create_session(&self) -> Result<PlainKey, Error> {
        let caller = self.caller;
        let (scopes, allow_list) = (Scopes::all(), AllowList::all());
        let request = MintRequest { scopes: &scopes, allow_list: &allow_list, expires_at: None };
        let slides_until = within_caller(caller.key(), request, &self.service.inner.catalogue)?;
        let lifetime = self.lifetime(None)?;
        let end = caller.now.checked_add(lifetime).ok_or_else(|| self.too_long())?;
        let plain = PlainKey::generate(KeyKind::Session)?;
        let key = ApiKey {
            id: plain.id().clone(),
            user_id: self.owner.id,
            name: None,
            login_type: LoginType::Password,
            scopes,
            allow_list,
            lifetime,
            created_at: caller.now,
            updated_at: caller.now,
            last_used: None,
            expires_at: slides_until.map_or(end, |latest| latest.min(end)),
            ended_at: None,
            end_reason: None,
            end_note: None,
            slides_until,
            last_used_ip: None,
            minted_by: Some(caller.key().id.clone()),
        };
        let (new, caller) = (NewKey { key, digest: plain.digest() }, caller.clone());
        let service = self.service.clone();
        self.service
            .change(Lane::Normal, move |tx| {
                let caller = confirm(tx, &caller, new.key.user_id, new.key.lifetime, &service.inner.settings)?;
                Ok::<_, Error>(keys::create(tx, new, false, &caller.origin())?)
            })
            .await?;
        Ok(plain)
    }

    /// The requested lifetime if it is allowed; without one, the default, limited to the maximum.
    fn lifetime(&self, requested: Option<Lifetime>) -> Result<Lifetime, Error> {
        let settings = &self.service.inner.settings;
        let max = settings.max_lifetime_for(&self.owner);
        match requested {
            None => Ok(settings.tokens.default_token_lifetime.min(max)),
            Some(lifetime) if lifetime > max => Err(self.too_long()),
            Some(lifetime) if lifetime < SHORTEST => Err(Error::LifetimeTooShort(lifetime)),
            Some(lifetime) => Ok(lifetime),
        }
    }

    fn too_long(&self) -> Error {
        too_long(&self.service.inner.settings, &self.owner)
    }
}

fn too_long(settings: &Settings, owner: &User) -> Error {
    Error::LifetimeTooLong { max: settings.max_lifetime_for(owner), of_an_owner: owner.is_owner() }
}

/// Checks the right to create a key with this lifetime for `owner` again on the current rows.
fn confirm(
    tx: &mut Tx<'_>,
    caller: &Caller,
    owner: UserId,
    lifetime: Lifetime,
    settings: &Settings,
) -> Result<Caller, Error> {
    let owner = users::find_for_share(tx, owner)?.ok_or(Error::NotFound)?;
    // The owner is locked first, as in the use cases that expire all keys of a user.
    let caller = caller.confirm(tx)?;
    caller.require(Act::CreateKey, &owner)?;
    // Fewer roles may mean a shorter maximum.
    if lifetime > settings.max_lifetime_for(&owner) {
        return Err(too_long(settings, &owner));
    }
    Ok(caller)
}

/// The requested name, or a random one, if no live token of the owner has it.
fn free_name(tx: &mut Tx<'_>, key: &ApiKey, requested: Option<TokenName>) -> Result<TokenName, Error> {
    if let Some(name) = requested {
        return if lock_if_free(tx, key, &name)? { Ok(name) } else { Err(Error::TokenNameTaken(name.to_string())) };
    }
    for _ in 0..DRAWS {
        let name = random_name()?;
        if lock_if_free(tx, key, &name)? {
            return Ok(name);
        }
    }
    Err(Error::NoRandomName)
}

/// Locks the name. Returns whether no live token of the owner has it.
fn lock_if_free(tx: &mut Tx<'_>, key: &ApiKey, name: &TokenName) -> Result<bool, Error> {
    keys::lock_name(tx, key.user_id, name)?;
    Ok(!keys::live_name_exists(tx, key.user_id, name, key.created_at)?)
}
