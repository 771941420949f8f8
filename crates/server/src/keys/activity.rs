//! `GET /api/v2/users/{user}/keys/{keyid}/activity`: how a key was used and refused last.
//!
//! Use cases: `crates/service/src/activity.rs`.

use actix_web::HttpResponse;
use keyward_api::keys::{AcceptedUses, KeyActivity, RefusedUses, ViewKeyActivity};
use keyward_service::activity::{RefusedRow, UsedRow};
use keyward_service::right;

use crate::http::{Call, KeyPath, Problem};

pub(crate) async fn activity(call: Call<ViewKeyActivity>) -> Result<HttpResponse, Problem> {
    let KeyPath { user, keyid } = call.path()?;
    let key = call.service().key(call.caller()?, right::ReadKeys, &user, keyid).await?;
    let activity = key.activity().await?;
    let refused =
        |RefusedRow { code, ip, count, first_at, last_at }| RefusedUses { code, ip, count, first_at, last_at };
    let used = |UsedRow { via, asked_by, ip, count, first_at, last_at }| AcceptedUses {
        via,
        by: asked_by,
        ip,
        count,
        first_at,
        last_at,
    };
    call.answer(&KeyActivity {
        refused: activity.refused.into_iter().map(refused).collect(),
        used: activity.used.into_iter().map(used).collect(),
    })
}
