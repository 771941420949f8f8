//! The last active owner can log in and act, although a lock refuses all keys.

use keyward_domain::lock::LockSelector;
use keyward_domain::user::UserStatus;
use keyward_domain::{Role, Roles};
use keyward_test_database::Backend;
use keyward_verdict::{Need, Verdict};

use crate::acts::Acts as _;
use crate::locks::deny;
use crate::world::World;

#[derive(Clone, Copy, Debug)]
enum Leaves {
    Demoted,
    Suspended,
    Deleted,
}

#[tokio::test]
async fn the_owner_who_is_left_is_spared_by_a_lock_that_was_made_while_there_were_two() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(world) = World::on(backend).await else { continue };
        for leaves in [Leaves::Demoted, Leaves::Suspended, Leaves::Deleted] {
            let (service, owner) = (&world.service, world.owner());
            let other = world.user().await;
            let roles: Roles = std::iter::once(Role::Owner).collect();
            let other = service.edit_roles(&owner, &other, roles).await.unwrap();
            let session = service.create_session(&owner, owner.user()).await.unwrap();
            let desk = service.lock_desk(&owner).unwrap();
            let lock = desk.add(deny(LockSelector::default(), "all")).await.unwrap();
            let verdict = || async {
                let judged = world.with_cache(session.expose(), &Need::nothing()).await;
                judged.map(|(verdict, ..)| verdict)
            };
            assert_eq!(verdict().await, Some(Verdict::Locked("all".to_owned())), "another owner can act");
            match leaves {
                Leaves::Demoted => drop(service.edit_roles(&owner, &other, Roles::default()).await.unwrap()),
                Leaves::Suspended => drop(service.set_status(&owner, &other, UserStatus::Suspended).await.unwrap()),
                Leaves::Deleted => service.delete_user(&owner, &other).await.unwrap(),
            }
            assert_eq!(verdict().await, Some(Verdict::Valid), "{leaves:?}");
            desk.remove(lock.id).await.unwrap();
        }
    }
}
