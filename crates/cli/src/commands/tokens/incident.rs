//! Ends many keys as one incident: a preview, the confirmation, the run and its summary.

use std::pin::pin;
use std::time::Duration;

use keyward_sdk::Client;
use keyward_sdk::types::{ExpireKeysRequest, ExpirePreview, ExpiredKeys, Uuid};

use crate::App;
use crate::args::TextFormat;
use crate::error::{Context, Error};
use crate::exit::Exit;
use crate::output::{Cell, Table};
use crate::prompt;

/// The maximum number of owners in a preview.
const MAX_OWNERS: usize = 10;

/// How often the progress is read.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Why the keys are expired.
pub(super) struct Why {
    pub(super) reason: String,
    pub(super) note: Option<String>,
}

/// Shows what a request would expire.
pub(super) async fn preview(request: &ExpireKeysRequest, format: TextFormat, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let preview = client.preview_expire(request).await.context(cannot_select(request))?;
    if format == TextFormat::Json {
        return app.out.json(&preview);
    }
    for line in described(&preview, request.cascade) {
        app.out.line(&line)?;
    }
    let rows = preview.sample.iter().map(|key| {
        vec![
            Cell::Id(key.key.id.clone()),
            Cell::Text(key.key.token_name.clone()),
            Cell::Text(key.username.clone()),
            Cell::Time(key.key.last_used),
        ]
    });
    app.out.table(&Table::new(vec!["id", "name", "owner", "last used"], rows.collect()))
}

/// Previews, asks, and expires the keys under a new incident ID.
pub(super) async fn expire(
    request: ExpireKeysRequest,
    why: Why,
    yes: bool,
    format: TextFormat,
    app: &App<'_>,
) -> Result<(), Error> {
    if !yes && !prompt::is_interactive() {
        return Err(prompt::no_terminal("the number of keys must be confirmed", &["--yes"])
            .hint("--dry-run shows what would be expired"));
    }
    let client = app.config.connect()?.client;
    let preview = client.preview_expire(&request).await.context(cannot_select(&request))?;
    for line in described(&preview, request.cascade) {
        app.out.note(&line);
    }
    let count = live(&preview, request.cascade);
    if count == 0 {
        app.out.note("Nothing to expire.");
        return Ok(());
    }
    if !yes {
        prompt::confirm_count(app.out, count)?;
    }
    let id = Uuid::now_v7();
    let request = request.confirmed(preview.digest.clone(), id, why.reason, why.note);
    app.out.note(&format!("Incident {id}. If this is interrupted, run: {}", resuming(id)));
    let done = match with_progress(&client, &request, id, app).await {
        Ok(done) => done,
        Err(error) if error.code() == Some("selection_changed") => {
            return Err(changed(&client, &request, &preview, error).await);
        }
        Err(error) => return Err(interrupted(error, id)),
    };
    summarize(&done, format, app)
}

/// Goes on with an incident that was stopped. Its keys were confirmed when it began.
pub(super) async fn resume(id: Uuid, format: TextFormat, app: &App<'_>) -> Result<(), Error> {
    let client = app.config.connect()?.client;
    let incident = client.incident(id).await.context(format!("cannot go on with incident {id}")).map_err(|error| {
        if error.exit() == Exit::NotFound {
            error.hint(
                "no key was expired under this ID, or another user began it; `keyward incidents list` shows yours",
            )
        } else {
            error
        }
    })?;
    let request = ExpireKeysRequest::dry_run(incident.selector, incident.cascade).confirmed(
        incident.digest,
        id,
        incident.reason,
        incident.note,
    );
    let done = with_progress(&client, &request, id, app).await.map_err(|error| interrupted(error, id))?;
    summarize(&done, format, app)
}

/// Expires the keys, which may take minutes. On a terminal, tells from time to time how many are done. If
/// the server is out of reach meanwhile, this does not wait for it any longer.
async fn with_progress(
    client: &Client,
    request: &ExpireKeysRequest,
    id: Uuid,
    app: &App<'_>,
) -> Result<ExpiredKeys, keyward_sdk::Error> {
    let mut running = pin!(client.expire_keys(request));
    let mut wait = PROGRESS_INTERVAL;
    let mut unreachable = None;
    loop {
        match (tokio::time::timeout(wait, &mut running).await, unreachable) {
            (Ok(done), _) => return done,
            (Err(_), Some(error)) => return Err(error),
            (Err(_), None) => {}
        }
        (wait, unreachable) = match client.incident(id).await {
            Ok(incident) => {
                let done = incident.expired.saturating_add(incident.already_expired);
                app.out.terminal_note(&format!("{done} of {} keys done", incident.matched));
                (PROGRESS_INTERVAL, None)
            }
            // The response may have arrived meanwhile.
            Err(error @ keyward_sdk::Error::Transport(_)) => (Duration::ZERO, Some(error)),
            // The incident has not begun, or the key in use has ended with the others.
            Err(_) => (PROGRESS_INTERVAL, None),
        };
    }
}

/// The error message when the preview fails. The server's refusal does not name the user.
fn cannot_select(request: &ExpireKeysRequest) -> String {
    match &request.selector.user {
        Some(user) => format!("cannot select the keys of user \"{user}\""),
        None => "cannot select the keys".to_owned(),
    }
}

/// The number of keys that a request would expire.
fn live(preview: &ExpirePreview, cascade: bool) -> usize {
    let children = if cascade { preview.children } else { 0 };
    preview.matched.saturating_sub(preview.already_expired).saturating_add(children)
}

fn described(preview: &ExpirePreview, cascade: bool) -> Vec<String> {
    let selected = preview.matched.saturating_sub(preview.already_expired);
    let mut lines = vec![format!(
        "{} selected: {selected} live, {} expired before",
        counted(preview.matched),
        preview.already_expired
    )];
    if preview.children > 0 {
        let fate = if cascade { "will expire too" } else { "will stay live without --cascade" };
        lines.push(format!("Created by them: {} more live, which {fate}", counted(preview.children)));
    }
    lines
        .push(format!("Used in the last hour: {}; in the last day: {}", preview.used_last_hour, preview.used_last_day));
    if !preview.owners.is_empty() {
        let owners = preview.owners.iter().take(MAX_OWNERS);
        let mut owners: Vec<_> = owners.map(|owner| format!("{} ({})", owner.username, owner.keys)).collect();
        let more = preview.owners.len().saturating_sub(MAX_OWNERS);
        if more > 0 {
            owners.push(format!("and {more} more"));
        }
        lines.push(format!("Owners: {}", owners.join(", ")));
    }
    lines
}

fn summarize(done: &ExpiredKeys, format: TextFormat, app: &App<'_>) -> Result<(), Error> {
    if format == TextFormat::Json {
        return app.out.json(done);
    }
    let barrier = done.barrier;
    let confirmed = match (barrier.confirmed, barrier.lapsed) {
        (0, 0) => "no verifier is connected".to_owned(),
        (1, 0) => format!("confirmed by 1 verifier in {} ms", barrier.waited_ms),
        (confirmed, 0) => format!("confirmed by {confirmed} verifiers in {} ms", barrier.waited_ms),
        (confirmed, lapsed) => format!(
            "confirmed by {confirmed} of {} verifiers in {} ms, and the leases of the others have run out",
            confirmed.saturating_add(lapsed),
            barrier.waited_ms
        ),
    };
    let keys = if done.expired == 1 { "key" } else { "keys" };
    app.out.line(&format!(
        "{} {keys} expired, {} had expired before; incident {}; {confirmed}.",
        done.expired, done.already_expired, done.incident_id
    ))
}

/// The error for a selection that is another one than in the preview: no key was expired.
async fn changed(
    client: &Client,
    request: &ExpireKeysRequest,
    before: &ExpirePreview,
    error: keyward_sdk::Error,
) -> Error {
    let what = "the selection has changed since the dry run; no key was expired";
    // The server refuses with the new counts as text; a new dry run has them as numbers.
    let counts = match client.preview_expire(request).await {
        Ok(now) => format!(
            "before: {}, {} expired before; now: {}, {} expired before",
            counted(before.matched),
            before.already_expired,
            counted(now.matched),
            now.already_expired
        ),
        Err(_) => error.to_string(),
    };
    Error::new(Exit::Conflict, what)
        .why(counts)
        .hint("run the command again to confirm the new number")
        .caused_by(error)
}

/// The error for a run that was stopped, perhaps in the middle.
fn interrupted(error: keyward_sdk::Error, id: Uuid) -> Error {
    Error::of_sdk("cannot expire the keys", error)
        .hint(format!("some keys may be expired; go on with: {}", resuming(id)))
}

fn resuming(id: Uuid) -> String {
    format!("keyward tokens expire --incident {id}")
}

fn counted(keys: usize) -> String {
    if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") }
}
