//! `keyward users create`: creates a user or a service account.

use clap::ValueEnum;
use keyward_sdk::CreateUser;

use crate::App;
use crate::args::TextFormat;
use crate::error::{Context, Error};
use crate::prompt;

/// Create a user or a service account
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keyward users create --username ada --email ada@example.com
  keyward users create --username svc-ci --email ci@example.com --login-type none")]
pub(crate) struct Args {
    /// Username, for commands and API paths
    #[arg(long)]
    username: String,

    /// E-mail address
    #[arg(long)]
    email: String,

    /// Display name
    #[arg(long)]
    name: Option<String>,

    /// Login type
    #[arg(long, value_enum, default_value = "password")]
    login_type: LoginType,

    /// Role: owner, user-admin, auditor or verifier; may be repeated [default: member]
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,

    /// Read the password from stdin, as one line
    #[arg(long)]
    password_stdin: bool,

    /// Output format: one line of text, or the response as JSON
    #[arg(short, long, value_enum, default_value = "text")]
    output: TextFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LoginType {
    /// A person, with a password
    Password,
    /// A service account without a password; an owner creates its tokens
    None,
}

pub(crate) async fn run(args: Args, app: &App<'_>) -> Result<(), Error> {
    if args.login_type == LoginType::None && args.password_stdin {
        return Err(Error::usage("a service account has no password; omit --password-stdin"));
    }
    let client = app.config.connect()?.client;
    let mut request = CreateUser::new(args.email, args.username);
    if let Some(name) = args.name {
        request = request.name(name);
    }
    if !args.role.is_empty() {
        request = request.roles(args.role);
    }
    request = match args.login_type {
        LoginType::None => request.service_account(),
        LoginType::Password => request.password(prompt::read_new_password(app.out, args.password_stdin)?),
    };
    let user = client.create_user(&request).await.context("cannot create the user")?;
    match args.output {
        TextFormat::Text => app.out.line(&format!("User {} has been created.", user.username)),
        TextFormat::Json => app.out.json(&user),
    }
}
