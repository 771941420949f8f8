//! `keyward logout`: expires the session and forgets it. A token is only forgotten.

use keyward_sdk::{KeyId, KeyKind, SecretString};

use crate::App;
use crate::config::{self, SESSION_TOKEN};
use crate::error::{Context, Error};
use crate::server_url::ServerUrl;

/// Log out: expire the session and forget it on this machine
///
/// The server expires a session (kws_…). A token (kwd_…) is only forgotten, because other programs
/// may use it; expire it with `keyward tokens remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: &Args, app: &App<'_>) -> Result<(), Error> {
    let url = app.config.url()?;
    let in_use = app.config.credential()?;
    end(&url, &in_use.token).await?;
    let mut tokens = vec![in_use.token];

    // Besides the variable there may be a stored session. It ends too, but only if it belongs to
    // this server.
    if app.config.variable_is_set() {
        if let Some(stored) = app.config.stored_credential_if_any()? {
            if stored.token.expose() != tokens.first().map_or("", SecretString::expose) {
                end(&url, &stored.token).await?;
                tokens.push(stored.token);
            }
            app.config.store()?.forget_session()?;
        }
        app.out.warn(&format!("{SESSION_TOKEN} is still set; unset it"));
    } else {
        app.config.store()?.forget_session()?;
    }

    app.out.line(&format!("Logged out of {url}."))?;
    for token in tokens.iter().filter(|token| !is_session(token)) {
        let name = KeyId::leading(token.expose()).map_or_else(|| "the token".to_owned(), |id| format!("token {id}"));
        let hint = "run `keyward tokens remove` to expire it";
        app.out.note(&format!("{name} was forgotten on this machine but not expired; {hint}"));
    }
    Ok(())
}

/// Expires a session on the server. A session that has expired already is no error.
async fn end(url: &ServerUrl, token: &SecretString) -> Result<(), Error> {
    if !is_session(token) {
        return Ok(());
    }
    match config::client(url, Some(token))?.logout().await {
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
