//! `keyward man [COMMAND]`: a manual page, generated from the command definitions.

use clap::CommandFactory;

use crate::args::Cli;
use crate::error::{Context, Error};
use crate::output::Output;

/// Print a manual page
///
/// Without a command, it prints the page of `keyward` itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward man tokens list | man -l -\n  keyward man > keyward.1")]
pub(crate) struct Args {
    /// Command, such as `tokens list`
    command: Vec<String>,
}

pub(crate) fn run(args: &Args, out: &Output) -> Result<(), Error> {
    let mut root = Cli::command();
    // This sets the full names of the commands, such as keyward-tokens-list.
    root.build();
    let mut command = &root;
    for word in &args.command {
        let named = |known: &&clap::Command| known.get_name() == word || known.get_all_aliases().any(|it| it == word);
        command = command.get_subcommands().find(named).ok_or_else(|| {
            Error::usage(format!("there is no command \"keyward {}\"", args.command.join(" ")))
                .hint("`keyward help` lists the commands")
        })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .source(concat!("keyward ", env!("CARGO_PKG_VERSION")))
        .manual("Keyward")
        .render(&mut page)
        .context("cannot generate the manual page")?;
    out.generated(&page)
}
