//! Making keys. Nothing mints above itself: every path here goes through
//! [`keyward_domain::key::within_caller`].

use keyward_domain::access::Act;
use keyward_domain::key::{MintRequest, random_name, within_caller};
use keyward_domain::{
    AllowList, ApiKey, KeyKind, Lifetime, LoginType, PlainKey, Scopes, Timestamp, TokenName, User, UserId,
};
use keyward_storage::keys::NewKey;
use keyward_storage::{Lane, Tx, keys, users};

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::settings::Settings;

/// The shortest lifetime that can be asked for.
const SHORTEST: i64 = 1_000_000_000;

/// How often a random name is drawn before giving up; there are 230 400 of them.
const DRAWS: usize = 50;

/// What a new token shall be, as it was asked for.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// Nanoseconds; none or 0 takes the default.
    pub lifetime: Option<i64>,
    /// None or empty draws a random one.
    pub name: Option<String>,
    /// None takes `*:*`.
    pub scopes: Option<Vec<String>>,
    /// None or empty takes `*:*`.
    pub allow_list: Option<Vec<String>>,
}

impl Service {
    /// Makes a token for `owner`, whom [`Service::owner_of_keys`] gave.
    ///
    /// # Errors
    /// The first thing that is wrong, in this order: a scope that does not exist, what goes beyond
    /// the calling key, the name, the allow list, the lifetime, a live token of that name.
    pub async fn create_token(
        &self,
        caller: &Caller,
        owner: &User,
        new: NewToken,
    ) -> Result<(PlainKey, ApiKey), Error> {
        let catalogue = &self.inner.catalogue;
        let scopes = match &new.scopes {
            Some(names) if names.is_empty() => {
                return Err(Error::field(
                    "scopes",
                    "an empty list gives a key that may do nothing; leave scopes out for all",
                ));
            }
            Some(names) => catalogue.parse_scopes(names.iter().map(String::as_str))?,
            None => Scopes::all(),
        };
        let allow_list = AllowList::parse(new.allow_list.iter().flatten().map(String::as_str), catalogue);
        // What cannot be read asks for nothing yet; it is refused below, in its turn.
        let asked_allow_list = allow_list.as_ref().map_or_else(|_| caller.key().allow_list.clone(), Clone::clone);
        let asked = new.lifetime.filter(|nanos| *nanos != 0);
        let asked_end = asked
            .and_then(Lifetime::from_nanos)
            .map(|lifetime| caller.now.checked_add(lifetime).unwrap_or(Timestamp::MAX));
        let request = MintRequest { scopes: &scopes, allow_list: &asked_allow_list, expires_at: asked_end };
        let latest_end = within_caller(caller.key(), request, catalogue)?;

        let name = new.name.as_deref().filter(|name| !name.is_empty()).map(str::parse::<TokenName>).transpose()?;
        let allow_list = allow_list?;
        let lifetime = self.token_lifetime(owner, asked)?;
        let end = caller.now.checked_add(lifetime).ok_or_else(|| self.too_long(owner))?;
        let expires_at = latest_end.map_or(end, |latest| latest.min(end));

        let plain = PlainKey::generate(KeyKind::Token)?;
        let key = ApiKey {
            id: plain.id().clone(),
            user_id: owner.id,
            name: None,
            login_type: LoginType::Token,
            scopes,
            allow_list,
            lifetime: expires_at.since(caller.now),
            created_at: caller.now,
            updated_at: caller.now,
            last_used: None,
            expires_at,
            ended_at: None,
            slides_until: None,
        };
        let digest = plain.digest();
        let caller = caller.clone();
        let key = self
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

    /// Makes a session key for `owner`, whom [`Service::owner_of_keys`] gave. It may do everything,
    /// so a token that makes one must be able to do everything too; it ends no later than that token.
    ///
    /// # Errors
    /// [`Error::ExceedsCaller`] when the calling key may do less.
    pub async fn create_session_key(&self, caller: &Caller, owner: &User) -> Result<PlainKey, Error> {
        let (scopes, allow_list) = (Scopes::all(), AllowList::all());
        let request = MintRequest { scopes: &scopes, allow_list: &allow_list, expires_at: None };
        let slides_until = within_caller(caller.key(), request, &self.inner.catalogue)?;
        let lifetime = self.token_lifetime(owner, None)?;
        let end = caller.now.checked_add(lifetime).ok_or_else(|| self.too_long(owner))?;
        let plain = PlainKey::generate(KeyKind::Session)?;
        let key = ApiKey {
            id: plain.id().clone(),
            user_id: owner.id,
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
        let new = NewKey { key, digest: plain.digest() };
        let caller = caller.clone();
        self.change(Lane::Normal, move |tx| {
            let caller = confirm(tx, &caller, new.key.user_id)?;
            Ok::<_, Error>(keys::create(tx, new, false, &caller.origin())?)
        })
        .await?;
        Ok(plain)
    }

    /// The lifetime asked for, if `owner` may have it; else the default, lowered to the maximum.
    fn token_lifetime(&self, owner: &User, asked: Option<i64>) -> Result<Lifetime, Error> {
        let settings = &self.inner.settings;
        let max = settings.max_lifetime_for(owner);
        let Some(nanos) = asked else { return Ok(settings.default_token_lifetime.min(max)) };
        match Lifetime::from_nanos(nanos) {
            Some(lifetime) if lifetime > max => Err(self.too_long(owner)),
            Some(lifetime) if nanos >= SHORTEST => Ok(lifetime),
            Some(_) => Err(Error::InvalidLifetime {
                detail: format!("lifetime must be at least 1s, not {nanos} nanoseconds"),
                hint: "lifetime is in nanoseconds: one second is 1000000000.".to_owned(),
            }),
            None => Err(Error::InvalidLifetime {
                detail: "lifetime must be positive number greater than 0".to_owned(),
                hint: "Leave lifetime out, or send 0, for the default.".to_owned(),
            }),
        }
    }

    fn too_long(&self, owner: &User) -> Error {
        let max = self.inner.settings.max_lifetime_for(owner);
        Error::lifetime_too_long(max, Settings::max_lifetime_flag(owner), owner.is_owner())
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
    Err(Error::field("token_name", "no random name is free; choose a name"))
}

fn take(tx: &mut Tx<'_>, key: &ApiKey, name: &TokenName) -> Result<bool, Error> {
    keys::lock_name(tx, key.user_id, name)?;
    Ok(!keys::live_name_exists(tx, key.user_id, name, key.created_at)?)
}
