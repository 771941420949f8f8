//! `keyward users …`: create, list, view, suspend, activate and delete users; set roles and passwords.

mod activate;
mod create;
mod delete;
mod edit_roles;
mod list;
mod password;
mod suspend;
mod view;

use clap::Subcommand;
use keyward_sdk::types::User;

use crate::App;
use crate::error::Error;
use crate::output::Cell;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    List(list::Args),
    View(view::Args),
    Suspend(suspend::Args),
    Activate(activate::Args),
    Delete(delete::Args),
    EditRoles(edit_roles::Args),
    Password(password::Args),
}

pub(crate) async fn run(command: Command, app: &App<'_>) -> Result<(), Error> {
    match command {
        Command::Create(args) => create::run(args, app).await,
        Command::List(args) => list::run(args, app).await,
        Command::View(args) => view::run(args, app).await,
        Command::Suspend(args) => suspend::run(args, app).await,
        Command::Activate(args) => activate::run(args, app).await,
        Command::Delete(args) => delete::run(args, app).await,
        Command::EditRoles(args) => edit_roles::run(args, app).await,
        Command::Password(args) => password::run(args, app).await,
    }
}

/// The roles of a user, or "member" without any.
pub(crate) fn role_cell(user: &User) -> Cell {
    if user.roles.is_empty() {
        Cell::Text("member".to_owned())
    } else {
        Cell::List(user.roles.iter().map(|role| role.name.clone()).collect())
    }
}
