//! A change evicts only what it changed, from the server's cache and from the verifiers' caches. The
//! right to make the change is checked again on the current rows.

use keyward_domain::user::UserStatus;
use keyward_domain::{ApiKey, Lifetime, PlainKey, Role, Roles, User};
use keyward_service::activity::Via;
use keyward_service::keys::NewToken;
use keyward_service::{Caller, Error, Lane, PollReply, Retired};
use keyward_verdict::{Need, Verdict};
use uuid::Uuid;

use crate::acts::Acts as _;
use crate::world::{World, request};

/// Observes what is evicted from the cache and sent to a verifier.
struct Watcher<'w> {
    world: &'w World,
    /// A key whose row is dead but whose cached facts are live: it is accepted until it is evicted.
    canary: PlainKey,
    /// The canary's owner.
    user: User,
    verifier: Uuid,
    last: PollReply,
}

impl<'w> Watcher<'w> {
    async fn new(world: &'w World) -> Self {
        let user = world.user().await;
        let (canary, _) = token(world, &user).await;
        let watcher = Self { world, canary, user, verifier: Uuid::new_v4(), last: poll_first(world).await };
        assert!(watcher.accepts_the_canary().await);
        let id = watcher.canary.id();
        let end = format!("UPDATE api_keys SET ended_at = created_at, expires_at = created_at WHERE id = '{id}'");
        // On the service's own connection, whose writes do not count as external.
        world.service.store().execute_raw(end).await.unwrap();
        Self { last: poll(world, watcher.verifier, None).await, ..watcher }
    }

    async fn accepts_the_canary(&self) -> bool {
        let judged = self.world.with_cache(self.canary.expose(), &Need::nothing()).await;
        judged.is_some_and(|(verdict, ..)| verdict == Verdict::Valid)
    }

    /// The verifier's next poll, with the changes since the last one.
    async fn next_reply(&mut self) -> PollReply {
        let reply = poll(self.world, self.verifier, Some(&self.last)).await;
        self.last = reply.clone();
        reply
    }

    async fn assert_no_change_after(&mut self, what: &str) {
        let before = self.last.change;
        let reply = self.next_reply().await;
        assert_eq!((reply.change, reply.reset), (before, false), "{what} wakes a verifier");
        assert!(self.accepts_the_canary().await, "{what} evicts");
    }
}

async fn poll_first(world: &World) -> PollReply {
    poll(world, Uuid::new_v4(), None).await
}

async fn poll(world: &World, verifier: Uuid, last: Option<&PollReply>) -> PollReply {
    let (start, change) = last.map_or((None, 0), |last| (Some(last.start), last.change));
    world.service.desk(&world.owner()).unwrap().poll(verifier, "v", start, change).await.unwrap()
}

async fn token(world: &World, user: &User) -> (PlainKey, ApiKey) {
    world.service.create_token(&world.owner(), user, NewToken::default()).await.unwrap()
}

/// Logs the user in.
async fn log_in(world: &World, user: &User) -> Caller {
    let session = world.service.create_session(&world.owner(), user).await.unwrap();
    world.service.authenticate(session.expose(), Via::Api, Lane::Normal, request()).await.unwrap()
}

#[tokio::test]
async fn what_changes_nothing_evicts_nothing_and_wakes_no_verifier() {
    let world = World::new().await;
    let (service, owner, user) = (&world.service, world.owner(), world.user().await);
    let (_, live) = token(&world, &user).await;
    let (_, dead) = token(&world, &user).await;
    service.expire_key(&owner, &dead.id).await.unwrap();
    let stranger = world.user().await;
    let stranger = log_in(&world, &stranger).await;
    let suspended = world.user().await;
    service.set_status(&owner, &suspended, UserStatus::Suspended).await.unwrap();

    let mut watcher = Watcher::new(&world).await;
    let refused = service.expire_key(&stranger, &live.id).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    watcher.assert_no_change_after("a refused expire").await;
    service.expire_key(&owner, &dead.id).await.unwrap();
    watcher.assert_no_change_after("an expire of a dead key").await;
    assert_eq!(service.run_retention().await.unwrap(), Retired::default());
    watcher.assert_no_change_after("retention with nothing to remove").await;
    service.edit_roles(&owner, &user, user.roles.clone()).await.unwrap();
    watcher.assert_no_change_after("a role change that changes nothing").await;
    service.set_status(&owner, &suspended, UserStatus::Suspended).await.unwrap();
    watcher.assert_no_change_after("a suspension of a suspended user").await;
    token(&world, &user).await;
    watcher.assert_no_change_after("a new key").await;
}

#[tokio::test]
async fn a_change_evicts_and_sends_only_what_it_changed() {
    let world = World::new().await;
    let (service, owner) = (&world.service, world.owner());
    let mut watcher = Watcher::new(&world).await;
    let user = world.user().await;
    let (_, key) = token(&world, &user).await;
    service.expire_key(&owner, &key.id).await.unwrap();
    let reply = watcher.next_reply().await;
    assert_eq!((reply.reset, reply.keys, reply.users), (false, vec![key.id], vec![]));
    assert!(watcher.accepts_the_canary().await);

    service.set_status(&owner, &user, UserStatus::Suspended).await.unwrap();
    let reply = watcher.next_reply().await;
    assert_eq!((reply.reset, reply.keys, reply.users), (false, vec![], vec![user.id]));
    assert!(watcher.accepts_the_canary().await, "the canary belongs to another user");

    service.set_status(&owner, &watcher.user, UserStatus::Suspended).await.unwrap();
    let reply = watcher.next_reply().await;
    assert_eq!((reply.reset, reply.users), (false, vec![watcher.user.id]));
    assert!(!watcher.accepts_the_canary().await);
}

#[tokio::test]
async fn an_expire_of_a_dead_key_waits_for_verifiers_that_have_not_acknowledged_its_end() {
    let world = World::new().await;
    let (service, owner, user) = (&world.service, world.owner(), world.user().await);
    let (_, key) = token(&world, &user).await;
    let verifier = Uuid::new_v4();
    let reply = poll(&world, verifier, None).await;
    // Both wait for the verifier, which does not acknowledge.
    let (first, second) = tokio::join!(service.expire_key(&owner, &key.id), service.expire_key(&owner, &key.id));
    for barrier in [first.unwrap(), second.unwrap()] {
        assert_eq!((barrier.confirmed, barrier.lapsed), (0, 1));
    }
    assert_eq!(poll(&world, verifier, Some(&reply)).await.change, reply.change + 1, "it is one change");
}

#[tokio::test]
async fn a_right_that_is_lost_between_the_check_and_the_write_is_refused() {
    let world = World::new().await;
    let (service, owner) = (&world.service, world.owner());
    let (admin, user) = (world.user().await, world.user().await);
    let (_, key) = token(&world, &user).await;
    let roles: Roles = std::iter::once(Role::UserAdmin).collect();
    let admin = service.edit_roles(&owner, &admin, roles).await.unwrap();

    // The caller is demoted between the check and the write.
    let caller = log_in(&world, &admin).await;
    service.edit_roles(&owner, &admin, Roles::default()).await.unwrap();
    let expired = service.expire_key(&caller, &key.id).await;
    assert!(matches!(expired, Err(Error::NotFound)), "{expired:?}");
    let suspended = service.set_status(&caller, &user, UserStatus::Suspended).await;
    assert!(matches!(suspended, Err(Error::NotFound)), "{suspended:?}");

    // The caller is demoted between the check of the lifetime and the write.
    let roles: Roles = std::iter::once(Role::Owner).collect();
    service.edit_roles(&owner, &admin, roles).await.unwrap();
    let former_owner = log_in(&world, &admin).await;
    service.edit_roles(&owner, &admin, Roles::default()).await.unwrap();
    let long = NewToken { lifetime: Ok(Some(Lifetime::days(3_650))), ..NewToken::default() };
    let made = service.create_token(&former_owner, former_owner.user(), long).await;
    assert!(matches!(made, Err(Error::LifetimeTooLong { of_an_owner: false, .. })), "{made:?}");

    // The caller is suspended between the check and the write.
    service.set_status(&owner, &admin, UserStatus::Suspended).await.unwrap();
    let made = service.create_token(&caller, &admin, NewToken::default()).await;
    assert!(matches!(made, Err(Error::Suspended)), "{made:?}");
    service.set_status(&owner, &admin, UserStatus::Active).await.unwrap();

    // The calling key is ended between the check and the write.
    service.expire_key(&owner, &caller.key().id).await.unwrap();
    let made = service.create_token(&caller, &admin, NewToken::default()).await;
    assert!(matches!(made, Err(Error::CallerEnded(Some(_)))), "{made:?}");
    let (_, live) = token(&world, &user).await;
    assert_eq!(service.view_key(&owner, &live.id).await.unwrap().ended_at, None);
}
