//! Use cases in one call: gets the value with the right, and calls its method.

use keyward_domain::user::{Password, UserRef, UserStatus};
use keyward_domain::{ApiKey, KeyId, PlainKey, Roles, User};
use keyward_service::keys::NewToken;
use keyward_service::keys::Why;
use keyward_service::{Barrier, Caller, Error, Service, right};
use zeroize::Zeroizing;

pub(crate) trait Acts {
    async fn create_token(&self, caller: &Caller, user: &User, new: NewToken) -> Result<(PlainKey, ApiKey), Error>;
    async fn create_session(&self, caller: &Caller, user: &User) -> Result<PlainKey, Error>;
    async fn expire_key(&self, caller: &Caller, id: &KeyId) -> Result<Barrier, Error>;
    async fn delete_key(&self, caller: &Caller, id: &KeyId) -> Result<(), Error>;
    async fn view_key(&self, caller: &Caller, id: &KeyId) -> Result<ApiKey, Error>;
    async fn edit_roles(&self, caller: &Caller, user: &User, roles: Roles) -> Result<User, Error>;
    async fn set_status(&self, caller: &Caller, user: &User, status: UserStatus) -> Result<User, Error>;
    async fn set_password(&self, caller: &Caller, user: &User, password: &str) -> Result<(), Error>;
    async fn delete_user(&self, caller: &Caller, user: &User) -> Result<(), Error>;
}

impl Acts for Service {
    async fn create_token(&self, caller: &Caller, user: &User, new: NewToken) -> Result<(PlainKey, ApiKey), Error> {
        self.keys_of(caller, right::CreateKey, &UserRef::Id(user.id)).await?.create_token(new).await
    }

    async fn create_session(&self, caller: &Caller, user: &User) -> Result<PlainKey, Error> {
        self.keys_of(caller, right::CreateKey, &UserRef::Id(user.id)).await?.create_session().await
    }

    async fn expire_key(&self, caller: &Caller, id: &KeyId) -> Result<Barrier, Error> {
        self.key(caller, right::ExpireKey, &UserRef::Me, id.clone()).await?.expire(Why::default()).await
    }

    async fn delete_key(&self, caller: &Caller, id: &KeyId) -> Result<(), Error> {
        self.key(caller, right::DeleteKey, &UserRef::Me, id.clone()).await?.delete().await
    }

    async fn view_key(&self, caller: &Caller, id: &KeyId) -> Result<ApiKey, Error> {
        self.key(caller, right::ReadKeys, &UserRef::Me, id.clone()).await?.view().await.map(|owned| owned.key)
    }

    async fn edit_roles(&self, caller: &Caller, user: &User, roles: Roles) -> Result<User, Error> {
        self.user(caller, right::EditRoles, &UserRef::Id(user.id)).await?.edit_roles(roles).await
    }

    async fn set_status(&self, caller: &Caller, user: &User, status: UserStatus) -> Result<User, Error> {
        self.user(caller, right::SetStatus, &UserRef::Id(user.id)).await?.set_status(status).await
    }

    async fn set_password(&self, caller: &Caller, user: &User, password: &str) -> Result<(), Error> {
        let password = Password::new(Zeroizing::new(password.to_owned()));
        self.user(caller, right::SetPassword, &UserRef::Id(user.id)).await?.set_password(None, password).await
    }

    async fn delete_user(&self, caller: &Caller, user: &User) -> Result<(), Error> {
        self.user(caller, right::DeleteUser, &UserRef::Id(user.id)).await?.delete().await
    }
}
