//! `keyward logout`: expires the session in use and forgets it. A token is only forgotten.

use keyward_sdk::{KeyId, KeyKind, SecretString};

use crate::App;
use crate::config::{SESSION_TOKEN, Source};
use crate::error::{Context, Error};
use crate::server_url::ServerUrl;

/// Log out: expire the session and forget it on this machine
///
/// The server expires a session (kws_…). A token (kwd_…) is only forgotten, because other programs
/// may use it; expire it with `keyward tokens remove`. If KEYWARD_SESSION_TOKEN is set, this ends that
/// session, and the stored one stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward logout
  KEYWARD_SESSION_TOKEN=kws_... keyward logout")]
pub(crate) struct Args {}

pub(crate) async fn run(_args: &Args, app: &App<'_>) -> Result<(), Error> {
    let url = app.config.url()?;
    let in_use = app.config.credential()?;
    end(&url, &in_use.token, app).await?;
    if in_use.source == Source::Variable {
        // The variable may hold the stored session. Then there is nothing left to keep.
        let stored = app.config.stored_credential_if_any()?;
        if stored.is_some_and(|stored| stored.token.expose() == in_use.token.expose()) {
            app.config.store()?.forget_session()?;
        }
        app.out.warn(&format!("{SESSION_TOKEN} is still set; unset it"));
    } else {
        app.config.store()?.forget_session()?;
    }

    app.out.line(&format!("Logged out of {url}."))?;
    if !is_session(&in_use.token) {
        let id = KeyId::leading(in_use.token.expose());
        let name = id.map_or_else(|| "the token".to_owned(), |id| format!("token {id}"));
        let hint = "run `keyward tokens remove` to expire it";
        app.out.note(&format!("{name} was forgotten on this machine but not expired; {hint}"));
    }
    Ok(())
}

/// Expires a session on the server. A session that has expired already is no error.
pub(super) async fn end(url: &ServerUrl, token: &SecretString, app: &App<'_>) -> Result<(), Error> {
    if !is_session(token) {
        return Ok(());
    }
    match app.config.client(url, Some(token))?.logout().await {
        Err(error) if error.is_unauthorized() => Ok(()),
        ended => ended
            .context("cannot expire the session")
            .map_err(|error| error.hint("the session is still stored; log out again later")),
    }
}

/// Whether the key is a session, which logout ends.
fn is_session(key: &SecretString) -> bool {
    KeyId::leading(key.expose()).and_then(|id| id.kind()) == Some(KeyKind::Session)
}
