//! `keyward tokens identify`: finds whose key a text is, such as one found in a log.
//!
//! **Invariant:** no error and no output contains the text.

use keyward_sdk::SecretString;

use super::view;
use crate::App;
use crate::args::ViewFormat;
use crate::error::{Context, Error};
use crate::exit::Exit;
use crate::output::Cell;
use crate::prompt;

/// Find out whose key a text is
///
/// The text is a key, or begins with the ID of one. It is sent to the server, which stores no part of it
/// and does not count it as a use. The audit log notes that you asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward tokens identify < found-in-a-log
  pbpaste | keyward tokens identify -
  keyward tokens identify kwd_a1B2c3D4e5")]
pub(crate) struct Args {
    /// The text; without one or with `-`, it is read from stdin, so that the process list does not show it
    text: Option<SecretString>,

    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: ViewFormat,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    let text = match args.text.filter(|text| text.expose() != "-") {
        Some(text) => text,
        None => prompt::secret_from_stdin(app.out, "Key: ", "`tokens identify` needs the text")?,
    };
    let text = SecretString::from(text.expose().trim());
    let client = app.config.connect()?.client;
    let identified = client.identify(&text).await.context("cannot identify the text")?;
    let (Some(key), true) = (&identified.key, identified.found) else {
        let error = Error::new(Exit::NotFound, "no key was found");
        return Err(match identified.how.as_str() {
            "malformed" => error
                .why("the text is not a key, and does not begin with the ID of one")
                .hint("check that the text begins with kwd_ or kws_; `keyward tokens view ID` shows a key by its ID"),
            _ => error.why("no key has the ID in the text, or you may not see it"),
        });
    };
    match args.output {
        ViewFormat::Json => app.out.json(&identified),
        ViewFormat::Table => {
            let how = match identified.how.as_str() {
                "exact" => "exact: the secret is the key's",
                "id_only" => "id_only: the ID is the key's, and the secret is missing or another",
                other => other,
            };
            let mut fields = vec![("how", Cell::Text(how.to_owned()))];
            fields.extend(view::fields(key));
            if let Some(user) = &identified.user {
                fields.push(("owner", Cell::Text(user.username.clone())));
            }
            app.out.details(fields)
        }
    }
}
