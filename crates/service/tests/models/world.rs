//! A service with its own database and a clock that the test moves.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use keyward_domain::event::{Origin, RequestInfo};
use keyward_domain::key::PresentedKey;
use keyward_domain::user::{Password, UserLogin, UserStatus};
use keyward_domain::{ApiKey, Catalogue, Clock, Lifetime, PlainKey, Roles, Scopes, Timestamp, User, UserId};
use keyward_service::activity::Via;
use keyward_service::users::NewUser;
use keyward_service::{Caller, Checked, Lane, Service, Settings, StoreError};
use keyward_storage::keys::{self, OwnedKey};
use keyward_test_database::{Backend, TestDatabase};
use keyward_verdict::{Facts, Grant, Need, Verdict};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::locks::{KnownLocks, granted};

/// A session lifetime of 100 years, so that the caller's session outlives every history.
const CENTURY: Lifetime = Lifetime::days(36_500);

pub(crate) struct World {
    pub service: Service,
    pub clock: Arc<HandClock>,
    /// The file of the SQLite database.
    pub file: PathBuf,
    /// The locks that the database should have.
    pub locks: Mutex<KnownLocks>,
    /// The last user whose roles were changed.
    pub last_user: Mutex<Option<UserId>>,
    /// The session with which the owner acts.
    pub session: PlainKey,
    owner: Caller,
    // Declared last, because fields are dropped in order: the database is removed after its service.
    _database: TestDatabase,
}

#[derive(Debug)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, by: Lifetime) {
        self.0.fetch_add(by.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// The result of a judgement: the verdict, the key and its owner, without the times of use, and what the
/// key grants of [`PROBES`](crate::locks::PROBES).
pub(crate) type Judged = Option<(Verdict, ApiKey, User, Vec<bool>)>;

impl World {
    /// A service on SQLite, which has a cache.
    pub(crate) async fn new() -> Self {
        Self::on(Backend::Sqlite).await.unwrap()
    }

    /// None if the database should be PostgreSQL and there is none.
    pub(crate) async fn on(backend: Backend) -> Option<Self> {
        let database = TestDatabase::create(backend)?;
        let file = database.directory().join("keyward.db");
        let clock = Arc::new(HandClock(AtomicI64::new(1_000_000_000_000_000)));
        let mut settings = Settings::default();
        settings.sessions.session_duration = CENTURY;
        settings.sessions.session_max_lifetime = CENTURY;
        settings.tokens.max_admin_token_lifetime = CENTURY;
        let url = database.parsed();
        let service =
            Service::open(&url, Arc::<HandClock>::clone(&clock), Catalogue::built_in(), settings).await.unwrap();
        if backend == Backend::Sqlite {
            // Set on the only write connection. These tests do not check crashes.
            service.store().execute_raw("PRAGMA synchronous = OFF".to_owned()).await.unwrap();
        }
        let password = Zeroizing::new("a long password, 1".to_owned());
        let new = NewUser {
            email: "owner@example.com".parse().unwrap(),
            username: "owner".parse().unwrap(),
            name: String::new(),
            login: UserLogin::Password,
            password: Some(Password::new(password.clone()).unwrap()),
            roles: Roles::default(),
        };
        service.create_admin_user(new).await.unwrap();
        let session = service.log_in(request(), "owner", password).await.unwrap();
        let owner = service.authenticate(session.expose(), Via::Api, Lane::Normal, request()).await.unwrap();
        let (locks, last_user) = (Mutex::default(), Mutex::default());
        Some(Self { service, clock, file, locks, last_user, session, owner, _database: database })
    }

    /// The owner, who may do everything, with the current time.
    pub(crate) fn owner(&self) -> Caller {
        let mut caller = self.owner.clone();
        caller.now = self.service.now();
        caller
    }

    /// Creates a user whose password hash matches no password.
    pub(crate) async fn user(&self) -> User {
        let now = self.service.now();
        let id = UserId::random();
        let word = id.as_uuid().simple();
        let user = User {
            id,
            username: format!("u{}", &word.to_string()[..24]).parse().unwrap(),
            name: String::new(),
            email: format!("{word}@example.com").parse().unwrap(),
            login: UserLogin::Password,
            status: UserStatus::Active,
            roles: Roles::default(),
            created_at: now,
            updated_at: now,
            last_seen_at: None,
        };
        let made = user.clone();
        let work = move |tx: &mut keyward_storage::Tx<'_>| {
            keyward_storage::users::create(tx, &made, Some("no hash"), &Origin::system(now))
        };
        self.service.store().write::<_, StoreError, _, _>(Lane::Normal, work, |_| ()).await.unwrap();
        user
    }

    /// Judges a key through the service, from its cache if the key is cached.
    pub(crate) async fn with_cache(&self, text: &str, need: &Need) -> Judged {
        let asked = vec![(text.to_owned(), need.clone())];
        match self.service.desk(&self.owner()).unwrap().check_keys(asked).await.unwrap().pop().unwrap() {
            Checked::Invalid => None,
            Checked::Known { verdict, facts } => {
                let granted = granted(|scope| facts.grants().iter().any(|held| held.covers(scope)));
                Some((verdict, comparable(facts.key()), unseen(facts.user()), granted))
            }
        }
    }

    /// Judges a key by its current row and the known locks.
    pub(crate) async fn without_cache(&self, text: &str, need: &Need) -> Judged {
        let OwnedKey { key, owner } = self.stored(text).await?;
        let catalogue = self.service.catalogue();
        let locked = self.locks.lock().unwrap().on(&key, &owner, catalogue);
        let facts = Facts {
            ended: key.ended_at.is_some(),
            ends: key.expires_at,
            expires_at: key.expires_at,
            user_is_active: owner.is_active(),
            locked: None,
            grant: Grant { scopes: &Scopes::all(), allow_list: &key.allow_list },
        };
        let grants = |scope: &_| locked.limits.iter().chain([&key.scopes]).all(|held| catalogue.grants(held, scope));
        // Locks and scopes are judged here, without the code of the verdict.
        let verdict = match (facts.judge(need, self.service.now()), locked.denied) {
            (verdict @ (Verdict::Expired(_) | Verdict::UserSuspended), _) => verdict,
            (_, Some(message)) => Verdict::Locked(message),
            (_, None) if need.scopes().iter().any(|scope| !grants(scope)) => {
                let missing = need.scopes().iter().find(|scope| !grants(scope));
                Verdict::InsufficientScope(missing.map(ToString::to_string).unwrap_or_default())
            }
            (verdict, None) => verdict,
        };
        Some((verdict, comparable(&key), unseen(&owner), granted(grants)))
    }

    /// The key's row, if the secret is right.
    pub(crate) async fn stored(&self, text: &str) -> Option<OwnedKey> {
        let presented = PresentedKey::parse(text).ok()?;
        let id = presented.id;
        let work = move |conn: &mut keyward_storage::Conn<'_>| keys::facts(conn, &id);
        let found = self.service.store().read::<_, StoreError, _>(Lane::Normal, work).await.unwrap();
        found.filter(|facts| facts.digest.matches(&presented.digest)).map(|facts| facts.owned)
    }
}

pub(crate) fn request() -> RequestInfo {
    RequestInfo { id: Uuid::nil(), ip: None, user_agent: String::new() }
}

/// The key without its last use, which is written later and does not affect the judgement, and without
/// its scopes, which a lock changes: what they grant is compared instead.
pub(crate) fn comparable(key: &ApiKey) -> ApiKey {
    ApiKey { last_used: None, scopes: Scopes::none(), ..key.clone() }
}

/// The user without the time of last use.
pub(crate) fn unseen(user: &User) -> User {
    User { last_seen_at: None, ..user.clone() }
}
