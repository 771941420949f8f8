//! Changing users: roles, status, password, and deleting them.

use keyward_domain::access::{self, Act};
use keyward_domain::audit::Action;
use keyward_domain::user::{Password, UserLogin, UserStatus};
use keyward_domain::{Roles, User, UserId};
use keyward_storage::users::{self, Change};
use keyward_storage::{Conn, Lane, keys};
use zeroize::Zeroizing;

use crate::Service;
use crate::cache::Touched;
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
        self.change_user(caller, target.id, Act::EditRoles, move |conn, caller, old| {
            if old.roles == roles {
                return Ok(old);
            }
            if old.is_owner() && !roles.contains(keyward_domain::Role::Owner) {
                keep_an_owner(conn, old.id)?;
            }
            let new = User { roles, updated_at: caller.now, ..old.clone() };
            let entry = caller.audit().user(Action::Write, 200, Some(&old), Some(&new), false);
            users::update(conn, &new, Change::Roles, &entry)?;
            Ok(new)
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
        self.change_user(caller, target.id, Act::SetStatus, move |conn, caller, old| {
            if old.status == status {
                return Ok(old);
            }
            if status == UserStatus::Suspended && old.is_owner() {
                keep_an_owner(conn, old.id)?;
            }
            let new = User { status, updated_at: caller.now, ..old.clone() };
            let entry = caller.audit().user(Action::Write, 200, Some(&old), Some(&new), false);
            users::update(conn, &new, Change::Status, &entry)?;
            Ok(new)
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
        self.change_user(caller, target.id, Act::DeleteUser, move |conn, caller, old| {
            if old.is_owner() {
                keep_an_owner(conn, old.id)?;
            }
            let entry = caller.audit().user(Action::Delete, 200, Some(&old), None, false);
            users::set_deleted(conn, old.id, caller.now, &entry)?;
            end_keys(conn, caller, old.id, 200)
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
        self.change_user(caller, target.id, Act::SetPassword, move |conn, caller, old| {
            let new = User { updated_at: caller.now, ..old.clone() };
            let entry = caller.audit().user(Action::Write, 204, Some(&old), Some(&new), true);
            users::update(conn, &new, Change::Password(&hash), &entry)?;
            end_keys(conn, caller, old.id, 204)
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

    /// One transaction around a change of a user. Who may is decided again on the row as it is now:
    /// the target may have become an owner since they were looked up.
    async fn change_user<T: Send + 'static>(
        &self,
        caller: &Caller,
        id: UserId,
        act: Act,
        work: impl FnOnce(&mut Conn<'_>, &Caller, User) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let caller = caller.clone();
        self.change(Lane::Normal, Touched::Everything, move |conn| {
            users::hold_all(conn)?;
            let old = users::find_for_update(conn, id)?.ok_or(Error::NotFound)?;
            caller.require(act, &old)?;
            work(conn, &caller, old)
        })
        .await
    }
}

fn keep_an_owner(conn: &mut Conn<'_>, id: UserId) -> Result<(), Error> {
    if users::another_owner_is_active(conn, id)? { Ok(()) } else { Err(Error::LastOwner) }
}

fn end_keys(conn: &mut Conn<'_>, caller: &Caller, user: UserId, status: u16) -> Result<(), Error> {
    let tell = |old: &_, new: &_| caller.audit().key(Action::Write, status, Some(old), Some(new));
    keys::end_all_of(conn, user, caller.now, tell)?;
    Ok(())
}
