//! A store over a temporary database, with a user and a clock that is moved by hand.

use keyward_domain::event::{Cause, Origin};
use keyward_domain::user::{UserLogin, UserStatus};
use keyward_domain::{
    AllowList, ApiKey, Clock as _, KeyId, KeyKind, Lifetime, LoginType, PlainKey, Role, Roles, Scopes, Timestamp, User,
    UserId,
};
use keyward_storage::keys::{self, KeyCursor, ListFilter, NewKey, Owners};
use keyward_storage::{Lane, Outcome, Store, StoreError, Tx, users};
use keyward_test_database::{Backend, ManualClock, TestDatabase};

pub(crate) struct Db {
    pub database: TestDatabase,
    pub store: Store,
    pub clock: ManualClock,
    /// An owner.
    pub owner: User,
}

/// Runs an async test on a new database of this kind. Without PostgreSQL, its tests are skipped with a
/// warning; with `CI=true` they fail.
pub(crate) fn run<F: Future<Output = ()>>(backend: Backend, body: impl FnOnce(Db) -> F) {
    let Some(database) = TestDatabase::create(backend) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move { body(Db::new(database).await).await });
}

/// For each async function of these names, which takes a [`Db`], makes a module of its name with one
/// test per database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[test]
            fn sqlite() {
                crate::support::run(keyward_test_database::Backend::Sqlite, super::$name);
            }

            #[test]
            fn postgres() {
                crate::support::run(keyward_test_database::Backend::Postgres, super::$name);
            }
        }
    )*};
}
pub(crate) use on_both;

impl Db {
    async fn new(database: TestDatabase) -> Self {
        let store = Store::open(&database.parsed()).unwrap();
        let clock = ManualClock::default();
        let owner = new_user("owner", std::iter::once(Role::Owner).collect(), clock.now());
        let db = Self { database, store, clock, owner };
        db.insert(db.owner.clone()).await;
        db
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs a transaction that must succeed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.store.write(Lane::Normal, work, |_: &Outcome| ()).await.unwrap()
    }

    /// Makes a user who is a plain member.
    pub(crate) async fn user(&self, name: &str) -> User {
        let user = new_user(name, Roles::default(), self.now());
        self.insert(user.clone()).await;
        user
    }

    async fn insert(&self, user: User) {
        let origin = Origin::system(self.now());
        self.write(move |tx| users::create(tx, &user, Some("no hash"), &origin)).await;
    }

    /// Makes a token of the owner's, for a week.
    pub(crate) async fn token(&self, name: &str) -> KeyId {
        self.key(&self.owner, LoginType::Token, Some(name)).await
    }

    /// Makes a session of the owner's, for a week.
    pub(crate) async fn session(&self) -> KeyId {
        self.key(&self.owner, LoginType::Password, None).await
    }

    pub(crate) async fn key(&self, user: &User, login_type: LoginType, name: Option<&str>) -> KeyId {
        let plain = PlainKey::generate(login_type.kind()).unwrap();
        let (now, lifetime) = (self.now(), Lifetime::days(7));
        let key = ApiKey {
            id: plain.id().clone(),
            user_id: user.id,
            name: name.map(|name| name.parse().unwrap()),
            login_type,
            scopes: Scopes::all(),
            allow_list: AllowList::all(),
            lifetime,
            created_at: now,
            updated_at: now,
            last_used: None,
            expires_at: now.checked_add(lifetime).unwrap(),
            ended_at: None,
            end_reason: None,
            end_note: None,
            slides_until: None,
            last_used_ip: None,
            minted_by: None,
        };
        let new = NewKey { key, digest: plain.digest() };
        self.write(move |tx| keys::create(tx, new, false, &Origin::system(now))).await;
        plain.id().clone()
    }

    /// Ends a key, a minute later.
    pub(crate) async fn expire(&self, id: &KeyId) {
        self.clock.advance(Lifetime::minutes(1));
        let (id, now) = (id.clone(), self.now());
        self.write(move |tx| expire(tx, &id, now)).await;
    }

    /// The ids of the owner's tokens, as a list shows them.
    pub(crate) async fn tokens(&self, include_expired: bool) -> Vec<String> {
        let owners = Owners::One(self.owner.id, Some(KeyKind::Token));
        let filter = ListFilter { owners, include_expired, now: self.now() };
        let list = self
            .store
            .read(Lane::Normal, move |conn| {
                keys::list(conn, filter, &keyward_domain::Catalogue::built_in(), &KeyCursor::first(), 100)
            })
            .await;
        let list: Result<_, StoreError> = list;
        list.unwrap().into_iter().map(|listed| listed.key.id.to_string()).collect()
    }

    /// How many audit entries there are.
    pub(crate) fn entries(&self) -> i64 {
        self.database.count("SELECT count(*) AS count FROM audit_logs")
    }
}

/// Ends a key in a transaction.
pub(crate) fn expire(tx: &mut Tx<'_>, id: &KeyId, now: Timestamp) -> Result<(), StoreError> {
    let owned = keys::find_for_update(tx, id)?.unwrap();
    keys::expire(tx, owned.key, now, &Cause::Requested.into(), &Origin::system(now))
}

fn new_user(name: &str, roles: Roles, now: Timestamp) -> User {
    User {
        id: UserId::random(),
        username: name.parse().unwrap(),
        name: String::new(),
        email: format!("{name}@example.com").parse().unwrap(),
        login: UserLogin::Password,
        status: UserStatus::Active,
        roles,
        created_at: now,
        updated_at: now,
        last_seen_at: None,
    }
}
