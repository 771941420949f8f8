//! The acts of a history, and how they run.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use keyward_domain::user::UserStatus;
use keyward_domain::{AllowList, ApiKey, Lifetime, PlainKey, Roles, Scope, User};
use keyward_service::activity::Via;
use keyward_service::keys::NewToken;
use keyward_service::{Caller, Error, Lane, Rejection};
use keyward_verdict::{Need, Verdict};

use super::lock_act::LockAct;
use crate::acts::Acts as _;
use crate::embedded::Embedded;
use crate::locks::{PROBES, granted};
use crate::world::{World, comparable, request, unseen};

#[derive(Clone, Debug)]
pub(super) enum Act {
    CreateToken {
        scopes: usize,
        allow_list: usize,
        minutes: i64,
    },
    CreateSession,
    /// Judges the key with and without the cache.
    Ask {
        key: usize,
        need: usize,
    },
    /// Uses the key, which may slide a session.
    Authenticate {
        key: usize,
    },
    Expire {
        key: usize,
    },
    Delete {
        key: usize,
    },
    /// Revokes the key as its holder.
    Revoke {
        key: usize,
    },
    LogOut {
        key: usize,
    },
    Suspend,
    Activate,
    EditRoles {
        roles: usize,
    },
    SetPassword,
    DeleteUser,
    Wait {
        minutes: i64,
    },
    WriteUses,
    Retain,
    Lock(LockAct),
    Unlock {
        which: usize,
    },
    EndLocks,
    /// Another program writes to the file.
    FromOutside {
        key: usize,
        what: Outside,
    },
    /// A change that the cache does not learn of: a fault.
    Unnoticed {
        key: usize,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Outside {
    Expire,
    Suspend,
    Narrow,
    Delete,
}

pub(super) const SCOPES: [&[&str]; 5] = [
    &["*:*"],
    &["workspace:read"],
    &["workspace:*"],
    &["template:read", "workspace:ssh"],
    &["coder:workspaces.access"],
];
const ALLOW_LISTS: [&[&str]; 4] = [&["*:*"], &["workspace:w1"], &["workspace:*"], &["template:t1", "workspace:w2"]];
const ROLES: [&[&str]; 4] = [&[], &["verifier"], &["auditor", "user-admin"], &["owner"]];
const NEEDS: [(&[&str], &[&str]); 6] = [
    (&[], &[]),
    (&["workspace:read"], &[]),
    (&["workspace:ssh"], &["workspace:w1"]),
    (&["template:read"], &["template:t1"]),
    (&[], &["workspace:w2"]),
    (&["workspace:read", "workspace:delete"], &["workspace:*"]),
];

/// Slightly longer than an external write may go undetected.
const DETECTED_AFTER: Duration = Duration::from_micros(1_200);

/// A user and their keys.
pub(super) struct History<'w> {
    pub(super) world: &'w World,
    pub(super) user: User,
    keys: Vec<PlainKey>,
    verifier: Option<&'w Embedded>,
}

impl<'w> History<'w> {
    pub(super) async fn begin(world: &'w World, verifier: Option<&'w Embedded>) -> Self {
        Self::clean(world).await;
        Self { world, user: world.user().await, keys: Vec::new(), verifier }
    }

    /// Compares the judgements of every key.
    pub(super) async fn ask_all(&self) -> Result<(), String> {
        for key in &self.keys {
            self.ask(key, &Need::nothing()).await?;
            if self.verifier.is_some() {
                for scope in PROBES {
                    self.ask(key, &Need::scope(scope)).await?;
                }
            }
        }
        self.ask_last_owner().await
    }

    /// Runs an act. Returns an error if the judgements differ.
    pub(super) async fn act(&mut self, act: Act) -> Result<(), String> {
        let (service, owner) = (&self.world.service, self.world.owner());
        match act {
            Act::CreateToken { scopes, allow_list, minutes } => {
                let catalogue = service.catalogue();
                let (scopes, allow_list) = (SCOPES[scopes % SCOPES.len()], ALLOW_LISTS[allow_list % ALLOW_LISTS.len()]);
                let new = NewToken {
                    name: Ok(Some(format!("Deploy-{}", self.keys.len()).parse().unwrap())),
                    lifetime: Ok(Lifetime::from_secs(minutes * 60)),
                    scopes: catalogue.parse_scopes(scopes.iter().copied()).unwrap(),
                    allow_list: AllowList::parse(allow_list.iter().copied(), catalogue),
                };
                let made = done(service.create_token(&owner, &self.user, new).await)?;
                self.keys.extend(made.map(|(plain, _)| plain));
            }
            Act::CreateSession => {
                let made = done(service.create_session(&owner, &self.user).await)?;
                self.keys.extend(made);
            }
            Act::Ask { key, need } => {
                let (scopes, resources) = NEEDS[need % NEEDS.len()];
                let need = scopes.iter().fold(Need::nothing(), |need, scope| need.and_scope(scope));
                let need = resources.iter().fold(need, |need, resource| need.on(resource));
                if let Some(key) = self.key(key) {
                    self.ask(key, &need).await?;
                }
            }
            Act::Authenticate { key } => {
                if let Some(key) = self.key(key) {
                    self.authenticate(key).await?;
                }
            }
            Act::Expire { key } => {
                if let Some(key) = self.key(key) {
                    done(service.expire_key(&owner, key.id()).await)?;
                }
            }
            Act::Delete { key } => {
                if let Some(key) = self.key(key) {
                    done(service.delete_key(&owner, key.id()).await)?;
                }
            }
            Act::Revoke { key } => {
                if let Some(key) = self.key(key) {
                    done(service.revoke_by_holder(request(), key.expose()).await)?;
                }
            }
            Act::LogOut { key } => {
                if let Some(caller) = self.caller(key).await {
                    done(service.log_out(&caller).await)?;
                }
            }
            Act::Suspend => {
                done(service.set_status(&owner, &self.user, UserStatus::Suspended).await)?;
            }
            Act::Activate => {
                done(service.set_status(&owner, &self.user, UserStatus::Active).await)?;
            }
            Act::EditRoles { roles } => {
                *self.world.last_user.lock().unwrap() = Some(self.user.id);
                let roles = Roles::parse(ROLES[roles % ROLES.len()].iter().copied()).unwrap();
                done(service.edit_roles(&owner, &self.user, roles).await)?;
            }
            Act::SetPassword => {
                done(service.set_password(&owner, &self.user, "a new password, 2").await)?;
            }
            Act::DeleteUser => {
                done(service.delete_user(&owner, &self.user).await)?;
            }
            Act::Wait { minutes } => self.world.clock.advance(Lifetime::from_secs(minutes * 60).unwrap()),
            Act::WriteUses => service.flush_usage().await.map_err(|error| error.to_string())?,
            Act::Retain => {
                service.run_retention().await.map_err(|error| error.to_string())?;
            }
            Act::Lock(lock) => self.lock(lock).await?,
            Act::Unlock { which } => self.unlock(which).await?,
            Act::EndLocks => self.end_locks().await?,
            Act::FromOutside { key, what } => {
                if let Some(sql) = self.key(key).map(|key| self.sql(key, what)) {
                    let file = self.world.file.to_string_lossy();
                    let mut other = SqliteConnection::establish(&file).unwrap();
                    other.batch_execute("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON").unwrap();
                    other.batch_execute(&sql).unwrap();
                    std::thread::sleep(DETECTED_AFTER);
                }
            }
            Act::Unnoticed { key } => {
                if let Some(sql) = self.key(key).map(|key| self.sql(key, Outside::Expire)) {
                    // On the service's own write connection, so that it does not count as external.
                    service.store().execute_raw(sql).await.unwrap();
                }
            }
        }
        self.note_owners().await;
        Ok(())
    }

    pub(super) fn key(&self, which: usize) -> Option<&PlainKey> {
        self.keys.get(which.checked_rem(self.keys.len())?)
    }

    pub(super) async fn caller(&self, key: usize) -> Option<Caller> {
        let key = self.key(key)?;
        self.world.service.authenticate(key.expose(), Via::Api, Lane::Normal, request()).await.ok()
    }

    pub(super) async fn ask(&self, key: &PlainKey, need: &Need) -> Result<(), String> {
        let with = self.world.with_cache(key.expose(), need).await;
        let without = self.world.without_cache(key.expose(), need).await;
        if with != without {
            return Err(format!("with the cache {with:?}, without it {without:?}"));
        }
        let Some(verifier) = self.verifier else { return Ok(()) };
        let expected = without.map(|(verdict, ..)| verdict);
        let verdict = verifier.verify(key.expose(), need, self.world).await;
        // A verifier may still know a dead key whose record is gone.
        let same = verdict == expected || matches!((&expected, &verdict), (None, Some(Verdict::Expired(_))));
        if same { Ok(()) } else { Err(format!("the verifier answers {verdict:?}, expected {expected:?}")) }
    }

    async fn authenticate(&self, key: &PlainKey) -> Result<(), String> {
        let world = self.world;
        let before = world.without_cache(key.expose(), &Need::nothing()).await;
        let answer = world.service.authenticate(key.expose(), Via::Api, Lane::Normal, request()).await;
        let same = match (&before, &answer) {
            (None, Err(Rejection::Invalid)) => true,
            (Some((Verdict::Expired(end), ..)), Err(Rejection::Expired(reported, _))) => end == reported,
            (Some((Verdict::UserSuspended, ..)), Err(Rejection::Suspended(_))) => true,
            (Some((Verdict::Locked(message), ..)), Err(Rejection::Locked(told, _))) => message == told,
            (Some((Verdict::Valid, stored, user, grants)), Ok(caller)) => {
                // This use may have slid the session.
                let end = world.stored(key.expose()).await.map(|owned| owned.key.expires_at);
                let slid = end.map(|expires_at| ApiKey { expires_at, ..stored.clone() });
                let may = |scope: &Scope| caller.verdict(&Need::new(vec![scope.clone()], Vec::new())) == Verdict::Valid;
                Some(comparable(caller.key())) == slid && unseen(caller.user()) == *user && granted(may) == *grants
            }
            _ => false,
        };
        if same { Ok(()) } else { Err(format!("authenticated as {answer:?}, but the row is {before:?}")) }
    }

    fn sql(&self, key: &PlainKey, what: Outside) -> String {
        let (id, user) = (key.id(), self.user.id);
        match what {
            Outside::Expire => format!(
                "UPDATE api_keys SET ended_at = created_at, expires_at = created_at WHERE id = '{id}' AND ended_at IS NULL"
            ),
            Outside::Suspend => format!("UPDATE users SET status = 'suspended' WHERE id = '{user}'"),
            Outside::Narrow => format!("UPDATE api_keys SET scopes = '[\"template:read\"]' WHERE id = '{id}'"),
            Outside::Delete => format!("DELETE FROM api_keys WHERE id = '{id}'"),
        }
    }
}

/// The result of an act; none if the user or the key does not exist any more. Any other error is a
/// fault of the history.
pub(super) fn done<T>(result: Result<T, Error>) -> Result<Option<T>, String> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(Error::NotFound | Error::UnknownUser) => Ok(None),
        Err(error) => Err(format!("the act failed: {error}")),
    }
}
