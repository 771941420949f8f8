//! Changes users' roles, status and password, and deletes users.

use keyward_domain::access;
use keyward_domain::event::Cause;
use keyward_domain::user::{InvalidPassword, Password, UserLogin, UserStatus};
use keyward_domain::{Roles, User, UserId};
use keyward_storage::users::{self, Change};
use keyward_storage::{Conn, Lane, Tx, keys};
use zeroize::Zeroizing;

use super::OneUser;
use crate::caller::Caller;
use crate::error::Error;
use crate::right::{DeleteUser, EditRoles, Right, SetPassword, SetStatus};

impl OneUser<'_, EditRoles> {
    /// Replaces the user's roles.
    ///
    /// # Errors
    /// If the user is the caller, the caller may not assign these roles, or no active owner would be
    /// left.
    pub async fn edit_roles(&self, roles: Roles) -> Result<User, Error> {
        self.require_another_user(Error::OwnRoles)?;
        if !access::may_give(&self.caller.user().roles, &roles) {
            return Err(Error::OwnersOnly);
        }
        self.change(move |tx, caller, old| {
            if old.roles == roles {
                return Ok(old);
            }
            if !access::may_give(&caller.user().roles, &roles) {
                return Err(Error::OwnersOnly);
            }
            if old.is_owner() && !roles.contains(keyward_domain::Role::Owner) {
                require_another_owner(tx, old.id)?;
            }
            Ok(users::update(tx, old, Change::Roles(roles), caller.now, &caller.origin())?)
        })
        .await
    }
}

impl OneUser<'_, SetStatus> {
    /// Suspends or activates the user. A suspended user's keys stop at once, and work again after
    /// activation if they have not expired.
    ///
    /// # Errors
    /// If the user is the caller, or no active owner would be left.
    pub async fn set_status(&self, status: UserStatus) -> Result<User, Error> {
        self.require_another_user(Error::OwnStatus)?;
        self.change(move |tx, caller, old| {
            if old.status == status {
                // The request that changed the status may still be waiting for its barrier.
                tx.promise_end();
                return Ok(old);
            }
            if status == UserStatus::Suspended && old.is_owner() {
                require_another_owner(tx, old.id)?;
            }
            Ok(users::update(tx, old, Change::Status(status), caller.now, &caller.origin())?)
        })
        .await
    }
}

impl OneUser<'_, DeleteUser> {
    /// Deletes the user and expires all their keys.
    ///
    /// # Errors
    /// If the user is the caller, or no active owner would be left.
    pub async fn delete(&self) -> Result<(), Error> {
        self.require_another_user(Error::OwnDeletion)?;
        self.change(move |tx, caller, old| {
            if old.is_owner() {
                require_another_owner(tx, old.id)?;
            }
            let (id, origin) = (old.id, caller.origin());
            users::delete(tx, old, caller.now, &origin)?;
            Ok(keys::expire_all_of(tx, id, caller.now, Cause::UserDeleted, &origin)?)
        })
        .await
    }
}

impl OneUser<'_, SetPassword> {
    /// Sets the user's password and expires all their keys.
    ///
    /// # Errors
    /// If the user is a service account, the new password is invalid, or the caller changes their own
    /// password and the old one is missing or wrong.
    pub async fn set_password(
        &self,
        old_password: Option<Zeroizing<String>>,
        password: Result<Password, InvalidPassword>,
    ) -> Result<(), Error> {
        if self.user.login == UserLogin::None {
            return Err(Error::NoPasswordToSet);
        }
        let password = password?;
        if self.user.id == self.caller.user().id {
            self.check_old_password(old_password).await?;
        }
        let hash = self.service.inner.passwords.hash(Zeroizing::new(password.expose().to_vec())).await?;
        self.change(move |tx, caller, old| {
            let (id, origin) = (old.id, caller.origin());
            users::update(tx, old, Change::Password(hash), caller.now, &origin)?;
            Ok(keys::expire_all_of(tx, id, caller.now, Cause::PasswordChanged, &origin)?)
        })
        .await
    }

    async fn check_old_password(&self, old: Option<Zeroizing<String>>) -> Result<(), Error> {
        let (id, old) = (self.user.id, old.ok_or(Error::OldPasswordMissing)?);
        let stored = self.service.inner.store.read(Lane::Normal, move |conn| users::password_hash(conn, id)).await?;
        let bytes = Zeroizing::new(old.as_bytes().to_vec());
        if self.service.inner.passwords.verify(bytes, stored).await? {
            Ok(())
        } else {
            Err(Error::OldPasswordIncorrect)
        }
    }
}

impl<R: Right> OneUser<'_, R> {
    /// Refuses an act on the caller's own account.
    fn require_another_user(&self, refusal: Error) -> Result<(), Error> {
        if self.user.id == self.caller.user().id { Err(refusal) } else { Ok(()) }
    }

    /// Runs a change of the user in one transaction. It checks the right again on the current rows:
    /// since the lookup, the user may have become an owner, or the caller may have lost a role.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>, &Caller, User) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (caller, id) = (self.caller.clone(), self.user.id);
        self.service
            .change(Lane::Normal, move |tx| {
                users::hold_all(tx)?;
                let caller = caller.confirm(tx)?;
                let old = users::find_for_update(tx, id)?.ok_or(Error::NotFound)?;
                caller.require(R::ACT, &old)?;
                work(tx, &caller, old)
            })
            .await
    }
}

fn require_another_owner(conn: &mut Conn<'_>, id: UserId) -> Result<(), Error> {
    if users::another_owner_is_active(conn, id)? { Ok(()) } else { Err(Error::LastOwner) }
}
