//! Locks: refuse or limit keys at once, without ending them.
//!
//! Use cases: `crates/service/src/locks.rs`.

use actix_web::HttpResponse;
use keyward_api::NoContent;
use keyward_api::locks::{self as wire, AddLock, ListLocks, LockMaker, Locks, RemoveLock};
use keyward_domain::lock::{Lock, LockMode};

use super::parse;
use crate::http::{Call, IdPath, Problem};

/// `POST /api/v2/locks`
pub(crate) async fn add(call: Call<AddLock>) -> Result<HttpResponse, Problem> {
    let desk = call.service().lock_desk(call.caller()?)?;
    let new = parse::lock(call.json()?, call.service().catalogue(), call.service().now())?;
    call.answer(&show(&desk.add(new).await?))
}

/// `GET /api/v2/locks`
pub(crate) async fn list(call: Call<ListLocks>) -> Result<HttpResponse, Problem> {
    let locks = call.service().lock_desk(call.caller()?)?.list().await?;
    call.answer(&Locks { locks: locks.iter().map(show).collect() })
}

/// `DELETE /api/v2/locks/{id}`
pub(crate) async fn remove(call: Call<RemoveLock>) -> Result<HttpResponse, Problem> {
    let IdPath { id } = call.path()?;
    call.service().lock_desk(call.caller()?)?.remove(id).await?;
    call.answer(&NoContent {})
}

fn show(lock: &Lock) -> wire::Lock {
    let (mode, scopes) = match &lock.mode {
        LockMode::Deny => ("deny", None),
        LockMode::Limit(scopes) => ("limit", Some(scopes.to_strings())),
    };
    let selector = wire::LockSelector {
        user: lock.selector.user.map(|user| user.to_string()),
        ids: lock.selector.ids.as_ref().map(|ids| ids.iter().map(ToString::to_string).collect()),
        scope: lock.selector.scope.as_ref().map(ToString::to_string),
        name_prefix: lock.selector.name_prefix.clone(),
        everything: (lock.selector == Default::default()).then_some(true),
    };
    wire::Lock {
        id: lock.id,
        selector,
        mode: mode.to_owned(),
        scopes,
        message: lock.message.clone(),
        ends_at: lock.ends_at,
        reason: lock.reason.map(|reason| reason.to_string()),
        created_at: lock.created_at,
        by: LockMaker { user_id: lock.actor.as_uuid(), username: lock.actor_username.clone() },
    }
}
