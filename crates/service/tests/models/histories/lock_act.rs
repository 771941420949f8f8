//! Locks in a history.

use keyward_domain::lock::{LockMode, LockSelector};
use keyward_domain::user::UserRef;
use keyward_domain::{Lifetime, Role, UserId};
use keyward_service::locks::NewLock;
use keyward_service::{Caller, Error, Lane, StoreError};
use keyward_storage::{Conn, users};
use keyward_verdict::{Need, Verdict};
use proptest::strategy::{Just, Strategy};
use proptest::{option, prop_oneof};

use super::act::{Act, History, SCOPES, done};
use super::index;
use crate::acts::Acts as _;
use crate::locks::KnownLock;
use crate::world::World;

/// A new lock. The numbers are indices.
#[derive(Clone, Debug)]
pub(super) struct LockAct {
    /// The key with which the lock is made; none for the owner's session.
    maker: Option<usize>,
    selector: usize,
    keys: [usize; 2],
    scope: usize,
    /// The scopes that are left; none to refuse the keys.
    limit: Option<usize>,
    minutes: Option<i64>,
}

const SELECTED_SCOPES: [&str; 4] = ["workspace:read", "workspace:ssh", "workspace:*", "*:*"];

pub(super) fn lock_act() -> impl Strategy<Value = Act> {
    let keys = [index(), index()];
    let (maker, limit) = (option::weighted(0.3, index()), option::of(index()));
    let lock = (maker, index(), keys, index(), limit, option::of(1..3_000_i64)).prop_map(
        |(maker, selector, keys, scope, limit, minutes)| {
            Act::Lock(LockAct { maker, selector, keys, scope, limit, minutes })
        },
    );
    prop_oneof![4 => lock, 2 => index().prop_map(|which| Act::Unlock { which }), 1 => Just(Act::EndLocks)]
}

impl History<'_> {
    /// Ends what the previous history left: its locks and, because a history begins with one owner, its
    /// user's roles.
    pub(super) async fn clean(world: &World) {
        let owner = world.owner();
        let desk = world.service.lock_desk(&owner).unwrap();
        for lock in desk.list().await.unwrap() {
            desk.remove(lock.id).await.unwrap();
        }
        world.locks.lock().unwrap().0.clear();
        let last_user = world.last_user.lock().unwrap().take();
        if let Some(user) = last_user {
            let sql = format!("UPDATE users SET roles = '[]' WHERE id = '{user}'");
            world.service.store().execute_raw(sql).await.unwrap();
        }
    }

    /// Adds a lock, which must not change how its maker's key is judged.
    pub(super) async fn lock(&self, act: LockAct) -> Result<(), String> {
        let world = self.world;
        let (caller, made_with) = match act.maker {
            None => (world.owner(), &world.session),
            Some(key) => match (self.caller(key).await, self.key(key)) {
                (Some(caller), Some(key)) => (caller, key),
                _ => return Ok(()),
            },
        };
        let new = self.new_lock(&act).await;
        let desk = match world.service.lock_desk(&caller) {
            // The allow list of the maker's key does not cover all keys.
            Err(Error::ResourceNotAllowed(_)) => return Ok(()),
            desk => desk.map_err(|error| error.to_string())?,
        };
        let before = world.without_cache(made_with.expose(), &Need::nothing()).await;
        let Some(made) = done(desk.add(new.clone()).await)? else { return Ok(()) };
        let known =
            KnownLock::new(made.id, &new, self.selected_user(&new, &caller), caller.key(), spares_owners(&caller));
        world.locks.lock().unwrap().0.push(known);
        self.note_owners().await;
        self.ask(made_with, &Need::nothing()).await?;
        let after = world.without_cache(made_with.expose(), &Need::nothing()).await;
        if before == after { Ok(()) } else { Err(format!("the maker's key was {before:?}, and is {after:?}")) }
    }

    async fn new_lock(&self, act: &LockAct) -> NewLock {
        let catalogue = self.world.service.catalogue();
        let [one, other] = act.keys.map(|key| self.key(key));
        let ids = || one.into_iter().chain(other).map(|key| key.id().clone()).collect();
        let scope = || SELECTED_SCOPES[act.scope % SELECTED_SCOPES.len()].parse().unwrap();
        let mut selector = LockSelector::default();
        match act.selector % 8 {
            0 | 1 => selector.ids = Some(ids()),
            2 => selector.scope = Some(scope()),
            3 => selector.name_prefix = self.name_prefix(act.keys[0]).await,
            4 => (selector.scope, selector.ids) = (Some(scope()), Some(ids())),
            // Everything, or all keys of the user.
            _ => {}
        }
        let limit = act.limit.map(|limit| SCOPES[limit % SCOPES.len()]);
        let limit = limit.map(|scopes| catalogue.parse_scopes(scopes.iter().copied()).unwrap());
        let after = |minutes| self.world.service.now().checked_add(Lifetime::from_secs(minutes * 60).unwrap()).unwrap();
        NewLock {
            selector,
            user: (act.selector % 8 >= 6).then_some(UserRef::Id(self.user.id)),
            mode: limit.map_or(LockMode::Deny, LockMode::Limit),
            message: format!("lock {}", self.world.locks.lock().unwrap().0.len()),
            reason: None,
            ends_at: act.minutes.map(after),
        }
    }

    /// The beginning of a key's name, in lower case as a selector has it: of all tokens, or of this one.
    async fn name_prefix(&self, key: usize) -> Option<String> {
        let stored = self.world.stored(self.key(key)?.expose()).await?;
        let name = stored.key.name_text().to_lowercase();
        let length = if key.is_multiple_of(2) { name.len().min(3) } else { name.len() };
        Some(name[..length].to_owned())
    }

    /// The user whose keys the lock selects. One who may only end their own keys selects no others.
    fn selected_user(&self, new: &NewLock, caller: &Caller) -> Option<UserId> {
        let roles = &caller.user().roles;
        let own_only = !roles.contains(Role::Owner) && !roles.contains(Role::UserAdmin);
        if own_only { Some(caller.user().id) } else { new.user.as_ref().map(|_| self.user.id) }
    }

    pub(super) async fn unlock(&self, which: usize) -> Result<(), String> {
        let id = {
            let known = self.world.locks.lock().unwrap();
            which.checked_rem(known.0.len()).map(|at| known.0[at].id)
        };
        let Some(id) = id else { return Ok(()) };
        let owner = self.world.owner();
        self.world.service.lock_desk(&owner).unwrap().remove(id).await.map_err(|error| error.to_string())?;
        self.world.locks.lock().unwrap().0.retain(|lock| lock.id != id);
        Ok(())
    }

    pub(super) async fn end_locks(&self) -> Result<(), String> {
        let now = self.world.service.now();
        self.world.service.remove_ended_locks().await.map_err(|error| error.to_string())?;
        self.world.locks.lock().unwrap().0.retain(|lock| lock.ends_at.is_none_or(|end| end > now));
        Ok(())
    }

    /// Tells the known locks who the active owners are now.
    pub(super) async fn note_owners(&self) {
        if self.world.locks.lock().unwrap().0.is_empty() {
            return;
        }
        let active = self.active_owners().await;
        self.world.locks.lock().unwrap().owners_are(&active);
    }

    /// The owner is never suspended or demoted, so only the history's user can be another one.
    async fn active_owners(&self) -> Vec<UserId> {
        let user = UserRef::Id(self.user.id);
        let find = move |conn: &mut Conn<'_>| users::find(conn, &user);
        let user = self.world.service.store().read::<_, StoreError, _>(Lane::Normal, find).await.unwrap();
        let another = user.filter(|user| user.is_owner() && user.is_active());
        another.into_iter().chain([self.world.owner().user().clone()]).map(|user| user.id).collect()
    }

    /// The only active owner can still log in and act, whatever is locked.
    pub(super) async fn ask_last_owner(&self) -> Result<(), String> {
        let world = self.world;
        let owner = world.owner();
        if world.locks.lock().unwrap().0.is_empty() || self.active_owners().await != [owner.user().id] {
            return Ok(());
        }
        let session = world.service.create_session(&owner, owner.user()).await.map_err(|error| error.to_string())?;
        self.ask(&session, &Need::scope("*:*")).await?;
        match world.with_cache(session.expose(), &Need::scope("*:*")).await {
            Some((Verdict::Valid, ..)) => Ok(()),
            judged => Err(format!("the last active owner is shut out: {judged:?}")),
        }
    }
}

/// Whether a lock by this caller spares the keys of other users with the role owner.
fn spares_owners(caller: &Caller) -> bool {
    !caller.user().roles.contains(Role::Owner) && caller.user().roles.contains(Role::UserAdmin)
}
