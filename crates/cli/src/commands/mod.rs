//! The commands, one file each, named after the verb.

mod audit;
mod completion;
mod incidents;
mod locks;
mod login;
mod login_token;
mod logout;
mod man;
mod receipts;
mod scopes;
mod tokens;
mod users;
mod verifiers;
mod whoami;

use clap::Subcommand;

use crate::App;
use crate::args::Global;
use crate::config::Config;
use crate::error::Error;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Login(login::Args),
    Logout(logout::Args),
    Whoami(whoami::Args),
    /// Create, list and expire tokens
    #[command(
        subcommand,
        visible_alias = "token",
        after_help = "Examples:
  keyward tokens create --name ci --lifetime 30d --scope workspace:read
  keyward tokens list --all
  keyward tokens expire --user svc-deploy --dry-run"
    )]
    Tokens(tokens::Command),
    /// Manage users
    #[command(
        subcommand,
        visible_alias = "user",
        after_help = "Examples:
  keyward users create --username svc-deploy --email deploy@example.com --login-type none
  keyward users list"
    )]
    Users(users::Command),
    /// Show the incidents in which many keys were expired at once
    #[command(
        subcommand,
        visible_alias = "incident",
        after_help = "Examples:
  keyward incidents list
  keyward incidents view 019ac3f0-7a1e-7000-8000-000000000001"
    )]
    Incidents(incidents::Command),
    /// Lock keys: refuse or limit them at once, without expiring them
    #[command(
        subcommand,
        visible_alias = "lock",
        after_help = "Examples:
  keyward locks add --user svc-deploy --message 'A key was leaked; ask security@example.com'
  keyward locks list
  keyward locks remove 019ac3f0-7a1e-7000-8000-000000000001"
    )]
    Locks(locks::Command),
    /// Read, export and verify the audit log
    #[command(
        subcommand,
        after_help = "Examples:
  keyward audit list --event key.expired --limit 20
  keyward audit verify --checkpoint audit-checkpoints
  keyward audit export --output audit.jsonl"
    )]
    Audit(audit::Command),
    /// Verify receipts: signed proof that keys are expired
    #[command(
        subcommand,
        visible_alias = "receipt",
        after_help = "Examples:
  keyward tokens receipt ci > receipt.json
  keyward receipts verify receipt.json --key-file audit-key.txt"
    )]
    Receipts(receipts::Command),
    /// List the scopes that tokens can have
    #[command(
        subcommand,
        after_help = "Examples:
  keyward scopes list"
    )]
    Scopes(scopes::Command),
    /// List services that verify keys in-process
    #[command(
        subcommand,
        after_help = "Examples:
  keyward verifiers list"
    )]
    Verifiers(verifiers::Command),
    Completion(completion::Args),
    Man(man::Args),
}

/// Runs a command.
pub(crate) async fn run(command: Command, global: &Global, out: &Output) -> Result<(), Error> {
    // These two need no server and must work before anything is configured.
    let command = match command {
        Command::Completion(args) => return completion::run(&args, out),
        Command::Man(args) => return man::run(&args, out),
        command => command,
    };
    let app = App { out, config: Config::new(global)?, verbose: global.verbose };
    let done = match command {
        // Login uses no existing credential, so its errors need no explanation of one.
        Command::Login(args) => return login::run(args, &app).await,
        Command::Logout(args) => logout::run(&args, &app).await,
        Command::Whoami(args) => whoami::run(&args, &app).await,
        Command::Tokens(command) => tokens::run(command, &app).await,
        Command::Users(command) => users::run(command, &app).await,
        Command::Incidents(command) => incidents::run(command, &app).await,
        Command::Locks(command) => locks::run(command, &app).await,
        Command::Audit(command) => audit::run(command, &app).await,
        Command::Receipts(command) => receipts::run(command, &app),
        Command::Scopes(command) => scopes::run(command, &app).await,
        Command::Verifiers(command) => verifiers::run(command, &app).await,
        Command::Completion(_) | Command::Man(_) => Ok(()),
    };
    done.map_err(|error| explain_credential(error, &app))
}

/// Adds the source of the credential and the next step to an error about a refused credential.
fn explain_credential(error: Error, app: &App<'_>) -> Error {
    if !error.is_bad_credential() {
        return error;
    }
    match app.config.credential() {
        Ok(credential) => {
            error.why(format!("the credential came from {}", credential.source)).hint(credential.source.remedy())
        }
        // The error at hand matters more than the reason that the credential cannot be read.
        Err(_) => error.hint("run `keyward login`"),
    }
}
