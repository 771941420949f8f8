//! Login, logout, and the first user.

use keyward_domain::event::{Actor, Cause, LoginFailure, Origin, RequestInfo};
use keyward_domain::user::{UserLogin, UserStatus};
use keyward_domain::{AllowList, ApiKey, KeyKind, LoginType, PlainKey, Role, Roles, Scopes, Timestamp, User, UserId};
use keyward_storage::keys::NewKey;
use keyward_storage::users::Credentials;
use keyward_storage::{Lane, StoreError, keys, users};
use zeroize::Zeroizing;

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;
use crate::login_throttle::Account;
use crate::users::NewUser;

impl Service {
    /// Whether the first user was created.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn has_first_user(&self) -> Result<bool, Error> {
        Ok(self.inner.store.read(Lane::Normal, users::any).await?)
    }

    /// Creates the first user, who becomes an owner.
    ///
    /// # Errors
    /// [`Error::FirstUserExists`] if there is a user already; [`Error::PasswordMissing`].
    pub async fn create_first_user(&self, request: RequestInfo, new: NewUser) -> Result<User, Error> {
        let origin = Origin { time: self.now(), request: Some(request), actor: None, key: None };
        let (user, hash) = self.new_owner(new, origin.time).await?;
        let made = user.clone();
        self.change(Lane::Normal, move |tx| {
            users::hold_all(tx)?;
            if users::any(tx)? {
                return Err(Error::FirstUserExists);
            }
            Ok(users::create(tx, &made, Some(&hash), &origin)?)
        })
        .await?;
        Ok(user)
    }

    /// Creates an owner from the server's own command line, whatever other users exist.
    ///
    /// # Errors
    /// [`Error::UsernameTaken`] if the name or address is taken; [`Error::PasswordMissing`].
    pub async fn create_admin_user(&self, new: NewUser) -> Result<User, Error> {
        let origin = Origin::system(self.now());
        let (user, hash) = self.new_owner(new, origin.time).await?;
        let made = user.clone();
        self.change(Lane::Normal, move |tx| {
            users::create(tx, &made, Some(&hash), &origin).map_err(|error| match error {
                StoreError::Taken => Error::UsernameTaken,
                other => Error::Store(other),
            })
        })
        .await?;
        Ok(user)
    }

    /// A new owner and their password hash, not yet stored.
    async fn new_owner(&self, new: NewUser, now: Timestamp) -> Result<(User, String), Error> {
        let password = new.password.clone().ok_or(Error::PasswordMissing)?;
        let roles: Roles = std::iter::once(Role::Owner).collect();
        let user = User {
            id: UserId::random(),
            username: new.username,
            name: new.name,
            email: new.email,
            login: UserLogin::Password,
            status: UserStatus::Active,
            roles,
            created_at: now,
            updated_at: now,
            last_seen_at: None,
        };
        let hash = self.inner.passwords.hash(Zeroizing::new(password.expose().to_vec())).await?;
        Ok((user, hash))
    }

    /// Logs in by e-mail address or username, and creates a session.
    ///
    /// # Errors
    /// [`Error::IncorrectCredentials`] if the user does not exist, has no password or another one; each
    /// case does the same work. [`Error::Suspended`] only after the right password.
    /// [`Error::TooManyAttempts`] after too many wrong passwords, before the password is looked at.
    pub async fn log_in(
        &self,
        request: RequestInfo,
        login: &str,
        password: Zeroizing<String>,
    ) -> Result<PlainKey, Error> {
        let name = login.to_owned();
        let found = self.inner.store.read(Lane::Normal, move |conn| users::find_login(conn, &name)).await?;
        let account =
            found.as_ref().map_or_else(|| Account::Nobody(login.to_lowercase()), |found| Account::User(found.user.id));
        if let Some(wait) = self.inner.login_throttle.wait(request.ip, &account, self.now()) {
            return Err(Error::TooManyAttempts(wait));
        }
        let stored = found.as_ref().and_then(|found| found.password_hash.clone());
        let bytes = Zeroizing::new(password.as_bytes().to_vec());
        let right = self.inner.passwords.verify(bytes, stored).await?;
        let Some(Credentials { user, password_hash }) = found.clone().filter(|_| right) else {
            let (user, now) = (found.map(|found| found.user), self.now());
            if let Some(until) = self.inner.login_throttle.add(request.ip, &account, now) {
                self.inner.failed_logins.add_refusal(user.clone(), until, &request, now);
            }
            self.inner.failed_logins.add(login, user, LoginFailure::Credentials, &request, now);
            return Err(Error::IncorrectCredentials);
        };
        self.inner.login_throttle.clear(request.ip, &account);
        if !user.is_active() {
            self.inner.failed_logins.add(login, Some(user), LoginFailure::Suspended, &request, self.now());
            return Err(Error::Suspended);
        }
        self.start_session(request, user.id, password_hash).await
    }

    /// Creates the session, if the user is still active and the hash is still the `checked` one.
    async fn start_session(
        &self,
        request: RequestInfo,
        id: UserId,
        checked: Option<String>,
    ) -> Result<PlainKey, Error> {
        let now = self.now();
        let plain = PlainKey::generate(KeyKind::Session)?;
        let lifetime = self.inner.settings.sessions.session_duration;
        let cap = now.checked_add(self.inner.settings.sessions.session_max_lifetime).unwrap_or(Timestamp::MAX);
        let key = ApiKey {
            id: plain.id().clone(),
            user_id: id,
            name: None,
            login_type: LoginType::Password,
            scopes: Scopes::all(),
            allow_list: AllowList::all(),
            lifetime,
            created_at: now,
            updated_at: now,
            last_used: None,
            expires_at: now.checked_add(lifetime).unwrap_or(Timestamp::MAX).min(cap),
            ended_at: None,
            end_reason: None,
            end_note: None,
            slides_until: None,
            last_used_ip: None,
            minted_by: None,
        };
        let new = NewKey { key, digest: plain.digest() };
        self.change(Lane::Normal, move |tx| {
            let user = users::find_for_share(tx, id)?.ok_or(Error::IncorrectCredentials)?;
            if !user.is_active() {
                return Err(Error::Suspended);
            }
            if users::password_hash(tx, id)? != checked {
                return Err(Error::IncorrectCredentials);
            }
            let origin = Origin { time: now, request: Some(request), actor: Some(Actor::from(&user)), key: None };
            Ok(keys::create(tx, new, true, &origin)?)
        })
        .await?;
        Ok(plain)
    }

    /// Expires the key that the caller presented.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn log_out(&self, caller: &Caller) -> Result<(), Error> {
        let caller = caller.clone();
        self.change(Lane::Urgent, move |tx| {
            // If the key was deleted meanwhile, the response also waits for that change.
            tx.promise_end();
            let Some(owned) = keys::find_for_update(tx, &caller.key().id)? else { return Ok(()) };
            let caller = caller.with_minters(tx)?;
            Ok(keys::expire(tx, owned.key, caller.now, &Cause::Logout.into(), &caller.origin())?)
        })
        .await
    }
}
