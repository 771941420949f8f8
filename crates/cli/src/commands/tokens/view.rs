//! `keyward tokens view`: shows one key, live or expired, and its relatives.

use keyward_sdk::UserRef;
use keyward_sdk::types::{ApiKey, LoginType};

use super::column::Column;
use super::family::Family;
use super::key_ref::Target;
use super::uses;
use crate::App;
use crate::args::ViewFormat;
use crate::error::Error;
use crate::output::Cell;

/// Show a token, or a session by its ID
///
/// A name selects the live token; without one, the token that expired last. Below the token are its last
/// accepted and refused uses, the keys that created it, up to the session of a login, and the keys that it
/// created itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward tokens view ci
  keyward tokens view kwd_a1B2c3D4e5 -o json
  keyward tokens view nightly --user svc-deploy")]
pub(crate) struct Args {
    /// Token name, ID, or the token itself, of which only the ID is used; `-` reads it from stdin
    #[arg(value_name = "NAME|ID|TOKEN")]
    token: Target,

    /// Owner of the token: a username, a user ID, or me
    #[arg(short, long, default_value = "me")]
    user: UserRef,

    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ViewFormat,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let wanted = args.token.resolve(app)?;
    let client = app.config.connect()?.client;
    let key = wanted.find(&client, &args.user, "view").await?;
    if args.output == ViewFormat::Json {
        return app.out.json(&key);
    }
    app.out.details(fields(&key))?;
    let mut family = Family::new(&client, &args.user);
    let uses = uses::of(&client, &args.user, &key.id, app.out).await;
    let (ancestors, children) = (family.ancestors(&key).await, family.children(&key).await);
    let sections = [
        ("LAST USES", "the uses of the key", uses),
        ("MINTED BY", "the keys that created this one", ancestors),
        ("MINTED", "the keys that this one created", children),
    ];
    for (title, what, lines) in sections {
        match lines {
            Ok(lines) if lines.is_empty() => {}
            Ok(lines) => {
                app.out.line(title)?;
                lines.iter().try_for_each(|line| app.out.line(line))?;
            }
            // The key itself has been shown, so this is only a warning.
            Err(error) => app.out.warn(&format!("cannot read {what}: {error}")),
        }
    }
    Ok(())
}

/// The labelled values of a key.
pub(super) fn fields(key: &ApiKey) -> Vec<(&'static str, Cell)> {
    let kind = match key.login_type {
        LoginType::Token => "token",
        LoginType::Password => "session",
        _ => "other",
    };
    let mut fields: Vec<_> = Column::DEFAULT.into_iter().map(|column| (column.name(), column.cell(key, ""))).collect();
    fields.extend(key.last_used_ip.is_some().then(|| ("last used ip", Column::LastUsedIp.cell(key, ""))));
    fields.extend(key.status.is_some().then(|| ("status", Column::Status.cell(key, ""))));
    if let Some(reason) = &key.end_reason {
        let note = key.end_note.iter().map(|note| format!(": {note}"));
        let reason = std::iter::once(reason.clone()).chain(note).collect();
        fields.push(("end reason", Cell::Text(reason)));
    }
    fields.push(("kind", Cell::Text(kind.to_owned())));
    fields.push(("owner id", Cell::Text(key.user_id.to_string())));
    fields
}
