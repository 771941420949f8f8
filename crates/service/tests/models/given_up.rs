//! Requests dropped at every point: actix drops a handler's future when the client resets the
//! connection. Whenever that happens, a key that is dead in the database is not live in the cache, and
//! verifiers get the change.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use keyward_domain::user::UserStatus;
use keyward_domain::{KeyId, User};
use keyward_service::keys::NewToken;
use keyward_service::{Error, Lane, PollReply, StoreError};
use keyward_verdict::Need;
use uuid::Uuid;

use crate::acts::Acts as _;
use crate::world::{World, request};

/// An act after which the key is rejected.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Expire,
    Delete,
    Revoke,
    Suspend,
}

/// An upper bound on the polls that an act needs.
const MOST_POLLS: usize = 64;

/// Trials for each number of polls: the speed of the write thread varies.
const TRIALS: usize = 25;

#[tokio::test]
async fn a_change_dropped_at_any_point_leaves_no_live_cache_entry() {
    for ending in [Ending::Expire, Ending::Delete, Ending::Revoke, Ending::Suspend] {
        let world = World::new().await;
        let (mut undone, mut done) = (0, 0);
        let mut polls = 0;
        while drop_after(&world, ending, polls, &mut undone, &mut done).await {
            polls += 1;
            assert!(polls < MOST_POLLS, "{ending:?} never completes");
        }
        assert!(undone > 0 && done > 0, "{ending:?}: dropped {undone} times before the change, {done} times after");
    }
}

/// Drops the act after `polls` polls, several times. Returns false once the act completes before that.
async fn drop_after(world: &World, ending: Ending, polls: usize, undone: &mut usize, done: &mut usize) -> bool {
    let mut dropped = true;
    for _ in 0..TRIALS {
        let owner = world.owner();
        let user = world.user().await;
        let (plain, key) = world.service.create_token(&owner, &user, NewToken::default()).await.unwrap();
        // The key is cached, and a verifier holds a lease, so that the change has to wait.
        assert!(is_good(world.with_cache(plain.expose(), &Need::nothing()).await));
        let verifier = Uuid::new_v4();
        let before = world.service.desk(&owner).unwrap().poll(verifier, "v", None, 0).await.unwrap();

        let change = end(world, ending, &user, &key.id, plain.expose());
        let ended = poll_times(change, polls).await;
        dropped &= ended.is_none();
        // A concurrent use may fill the cache.
        let _meanwhile = world.with_cache(plain.expose(), &Need::nothing()).await;
        // There is one writer: this write runs after the change has ended, if it has begun.
        world.service.store().write(Lane::Normal, |_| Ok::<_, StoreError>(()), |_| ()).await.unwrap();

        let stored = world.without_cache(plain.expose(), &Need::nothing()).await;
        assert_eq!(world.with_cache(plain.expose(), &Need::nothing()).await, stored, "{ending:?} after {polls} polls");
        if is_good(stored) {
            *undone += 1;
        } else {
            *done += 1;
            let PollReply { reset, keys, users, .. } = world
                .service
                .desk(&owner)
                .unwrap()
                .poll(verifier, "v", Some(before.start), before.change)
                .await
                .unwrap();
            let sent = reset || keys.contains(&key.id) || users.contains(&user.id);
            assert!(sent, "{ending:?} after {polls} polls is not sent to the verifier");
        }
        if !dropped {
            return false;
        }
    }
    true
}

async fn end(world: &World, ending: Ending, user: &User, id: &KeyId, text: &str) -> Result<(), Error> {
    let (service, owner) = (&world.service, world.owner());
    match ending {
        Ending::Expire => service.expire_key(&owner, id).await.map(|_barrier| ()),
        Ending::Delete => service.delete_key(&owner, id).await,
        Ending::Revoke => service.revoke_by_holder(request(), text).await,
        Ending::Suspend => service.set_status(&owner, user, UserStatus::Suspended).await.map(|_user| ()),
    }
}

fn is_good(judged: crate::world::Judged) -> bool {
    judged.is_some_and(|(verdict, ..)| verdict == keyward_verdict::Verdict::Valid)
}

/// Polls the future `times` times, each time after a wake, and then drops it. None if it did not
/// complete.
async fn poll_times<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
