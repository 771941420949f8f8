//! Changing users: roles, status, password, and deleting them.

use keyward_domain::access::{self, Act};
use keyward_domain::event::Cause;
use keyward_domain::user::{Password, UserLogin, UserStatus};
use keyward_domain::{Roles, User, UserId};
use keyward_storage::users::{self, Change};
use keyward_storage::{Conn, Lane, Tx, keys};
use zeroize::Zeroizing;

use crate::Service;
use crate::caller::Caller;
use crate::error::Error;

impl Service {
    /// Replaces the roles of `target`, whom [`Service::user_for`] gave.
    ///
    /// # Errors
    /// When it is the caller, the roles are not theirs to give, or no active owner would be left.
    pub async fn edit_roles(&self, caller: &Caller, target: &User, roles: Roles) -> Result<User, Error> {
        if target.id == caller.user().id {
            return Err(Error::OnOneself("nobody changes their own roles; ask another owner"));
        }
        if !access::may_give(&caller.user().roles, &roles) {
            return Err(Error::Forbidden("only an owner may make owners"));
        }
        self.change_user(caller, target.id, Act::EditRoles, move |tx, caller, old| {
            if old.roles == roles {
                return Ok(old);
            }
            if !access::may_give(&caller.user().roles, &roles) {
                return Err(Error::Forbidden("only an owner may make owners"));
            }
            if old.is_owner() && !roles.contains(keyward_domain::Role::Owner) {
                keep_an_owner(tx, old.id)?;
            }
            Ok(users::update(tx, old, Change::Roles(roles), caller.now, &caller.origin())?)
        })
        .await
    }

    /// Suspends or activates `target`, whom [`Service::user_for`] gave. A suspended user's keys stop
    /// at once, and work again after activation if they have not expired.
    ///
    /// # Errors
    /// When it is the caller, or no active owner would be left.
    pub async fn set_status(&self, caller: &Caller, target: &User, status: UserStatus) -> Result<User, Error> {
        if target.id == caller.user().id {
            return Err(Error::OnOneself("nobody suspends or activates themselves; ask another owner"));
        }
        self.change_user(caller, target.id, Act::SetStatus, move |tx, caller, old| {
            if old.status == status {
                // Whoever changed it may still be waiting until everybody knows.
                tx.promise_end();
                return Ok(old);
            }
            if status == UserStatus::Suspended && old.is_owner() {
                keep_an_owner(tx, old.id)?;
            }
            Ok(users::update(tx, old, Change::Status(status), caller.now, &caller.origin())?)
        })
        .await
    }

    /// Deletes `target`, whom [`Service::user_for`] gave, and expires all their keys.
    ///
    /// # Errors
    /// When it is the caller, or no active owner would be left.
    pub async fn delete_user(&self, caller: &Caller, target: &User) -> Result<(), Error> {
        if target.id == caller.user().id {
            return Err(Error::OnOneself("nobody deletes themselves; ask another owner"));
        }
        self.change_user(caller, target.id, Act::DeleteUser, move |tx, caller, old| {
            if old.is_owner() {
                keep_an_owner(tx, old.id)?;
            }
            let (id, origin) = (old.id, caller.origin());
            users::delete(tx, old, caller.now, &origin)?;
            Ok(keys::expire_all_of(tx, id, caller.now, Cause::UserDeleted, &origin)?)
        })
        .await
    }

    /// Sets the password of `target`, whom [`Service::user_for`] gave, and expires all their keys.
    ///
    /// # Errors
    /// When the user has no password to set, or the old one, needed for one's own, is wrong.
    pub async fn set_password(
        &self,
        caller: &Caller,
        target: &User,
        old_password: Option<Zeroizing<String>>,
        password: Zeroizing<String>,
    ) -> Result<(), Error> {
        if target.login == UserLogin::None {
            return Err(Error::field("password", "a service account has no password"));
        }
        let password = Password::new(password).map_err(|error| Error::field("password", error))?;
        if target.id == caller.user().id {
            self.check_old_password(target.id, old_password).await?;
        }
        let hash = self.inner.passwords.hash(Zeroizing::new(password.expose().to_vec())).await?;
        self.change_user(caller, target.id, Act::SetPassword, move |tx, caller, old| {
            let (id, origin) = (old.id, caller.origin());
            users::update(tx, old, Change::Password(hash), caller.now, &origin)?;
            Ok(keys::expire_all_of(tx, id, caller.now, Cause::PasswordChanged, &origin)?)
        })
        .await
    }

    async fn check_old_password(&self, id: UserId, old: Option<Zeroizing<String>>) -> Result<(), Error> {
        let old = old.ok_or_else(|| Error::field("old_password", "to change your own password, send the old one"))?;
        let stored = self.inner.store.read(Lane::Normal, move |conn| users::password_hash(conn, id)).await?;
        let bytes = Zeroizing::new(old.as_bytes().to_vec());
        if self.inner.passwords.verify(bytes, stored).await? {
            Ok(())
        } else {
            Err(Error::field("old_password", "the old password is incorrect"))
        }
    }

    /// One transaction around a change of a user. The right is checked again on the rows as they are:
    /// the target may have become an owner since they were looked up, or the caller may be one no
    /// more.
    async fn change_user<T: Send + 'static>(
        &self,
        caller: &Caller,
        id: UserId,
        act: Act,
        work: impl FnOnce(&mut Tx<'_>, &Caller, User) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let caller = caller.clone();
        self.change(Lane::Normal, move |tx| {
            users::hold_all(tx)?;
            let caller = caller.confirm(tx)?;
            let old = users::find_for_update(tx, id)?.ok_or(Error::NotFound)?;
            caller.require(act, &old)?;
            work(tx, &caller, old)
        })
        .await
    }
}

fn keep_an_owner(conn: &mut Conn<'_>, id: UserId) -> Result<(), Error> {
    if users::another_owner_is_active(conn, id)? { Ok(()) } else { Err(Error::LastOwner) }
}
