//! Making keys. Nothing mints above itself: every path here goes through
//! [`keyward_domain::key::within_caller`].

use keyward_domain::access::Act;
use keyward_domain::allow_list::InvalidAllowList;
use keyward_domain::key::{InvalidTokenName, MintRequest, random_name, within_caller};
use keyward_domain::{AllowList, ApiKey, KeyKind, Lifetime, LoginType, PlainKey, Scopes, Timestamp, TokenName, UserId};
use keyward_storage::keys::NewKey;
use keyward_storage::{Lane, Tx, keys, users};

use super::OwnerKeys;
use crate::caller::Caller;
use crate::error::Error;
use crate::right::CreateKey;

/// The shortest lifetime that can be asked for.
const SHORTEST: Lifetime = Lifetime::seconds(1);

/// How often a random name is drawn before giving up; there are 230 400 of them.
const DRAWS: usize = 50;

/// Parameters of a new token. What could not be parsed is refused in its turn: see
/// [`OwnerKeys::create_token`].
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it may do.
    pub scopes: Scopes,
    /// On what it may be used.
    pub allow_list: Result<AllowList, InvalidAllowList>,
    /// Its name; none draws a random one.
    pub name: Result<Option<TokenName>, InvalidTokenName>,
    /// How long it lives; none takes the default.
    pub lifetime: Result<Option<Lifetime>, NotPositive>,
}

/// A lifetime below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPositive;

impl Default for NewToken {
    /// A token that can do everything its owner can, on everything, with a random name and the
    /// default lifetime.
    fn default() -> Self {
        Self { scopes: Scopes::all(), allow_list: Ok(AllowList::all()), name: Ok(None), lifetime: Ok(None) }
    }
}

impl OwnerKeys<'_, CreateKey> {
    /// Makes a token.
    ///
    /// # Errors
    /// The first thing that is wrong, in this order: what goes beyond the calling key, the name, the
    /// allow list, the lifetime, a live token of that name.
    pub async fn create_token(&self, new: NewToken) -> Result<(PlainKey, ApiKey), Error> {
        let (service, caller) = (self.service, self.caller);
        // What could not be parsed asks for nothing yet.
        let asked_allow_list = new.allow_list.as_ref().unwrap_or(&caller.key().allow_list);
        let asked_end = new.lifetime.ok().flatten();
        let asked_end = asked_end.map(|lifetime| caller.now.checked_add(lifetime).unwrap_or(Timestamp::MAX));
        let request = MintRequest { scopes: &new.scopes, allow_list: asked_allow_list, expires_at: asked_end };
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
            slides_until: None,
        };
        let (digest, caller) = (plain.digest(), caller.clone());
        let key = service
            .change(Lane::Normal, move |tx| {
                let caller = confirm(tx, &caller, key.user_id)?;
                let name = free_name(tx, &key, name)?;
                let key = ApiKey { name: Some(name), ..key };
                keys::create(tx, NewKey { key: key.clone(), digest }, false, &caller.origin())?;
                Ok::<_, Error>(key)
            })
            .await?;
        Ok((plain, key))
    }

    /// Makes a session key. It may do everything, so a token that makes one must be able to do
    /// everything too; it ends no later than that token.
    ///
    /// # Errors
    /// [`Error::ExceedsCaller`] when the calling key may do less.
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
            slides_until,
        };
        let (new, caller) = (NewKey { key, digest: plain.digest() }, caller.clone());
        self.service
            .change(Lane::Normal, move |tx| {
                let caller = confirm(tx, &caller, new.key.user_id)?;
                Ok::<_, Error>(keys::create(tx, new, false, &caller.origin())?)
            })
            .await?;
        Ok(plain)
    }

    /// The lifetime asked for, if the user may have it; else the default, lowered to the maximum.
    fn lifetime(&self, asked: Option<Lifetime>) -> Result<Lifetime, Error> {
        let settings = &self.service.inner.settings;
        let max = settings.max_lifetime_for(&self.owner);
        match asked {
            None => Ok(settings.tokens.default_token_lifetime.min(max)),
            Some(lifetime) if lifetime > max => Err(self.too_long()),
            Some(lifetime) if lifetime < SHORTEST => Err(Error::LifetimeTooShort(lifetime)),
            Some(lifetime) => Ok(lifetime),
        }
    }

    fn too_long(&self) -> Error {
        let max = self.service.inner.settings.max_lifetime_for(&self.owner);
        Error::LifetimeTooLong { max, of_an_owner: self.owner.is_owner() }
    }
}

/// Checks the right to make a key for `owner` again, on the rows as they are.
fn confirm(tx: &mut Tx<'_>, caller: &Caller, owner: UserId) -> Result<Caller, Error> {
    let owner = users::find_for_share(tx, owner)?.ok_or(Error::NotFound)?;
    // After the user: their row is what those lock first who end all their keys.
    let caller = caller.confirm(tx)?;
    caller.require(Act::CreateKey, &owner)?;
    Ok(caller)
}

/// The name asked for, if no live token of the owner has it, or a random one that none has.
fn free_name(tx: &mut Tx<'_>, key: &ApiKey, asked: Option<TokenName>) -> Result<TokenName, Error> {
    if let Some(name) = asked {
        return if take(tx, key, &name)? { Ok(name) } else { Err(Error::TokenNameTaken(name.to_string())) };
    }
    for _ in 0..DRAWS {
        let name = random_name()?;
        if take(tx, key, &name)? {
            return Ok(name);
        }
    }
    Err(Error::NoRandomName)
}

fn take(tx: &mut Tx<'_>, key: &ApiKey, name: &TokenName) -> Result<bool, Error> {
    keys::lock_name(tx, key.user_id, name)?;
    Ok(!keys::live_name_exists(tx, key.user_id, name, key.created_at)?)
}
