//! What every command line has: the global flags, the choice of format, and the commands below.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::commands::Command;
use crate::server_url::ServerUrl;

const EXAMPLES: &str = "\
Examples:
  keyward login https://keyward.example.com
  keyward tokens create --name ci --lifetime 30d --scope workspace:read
  keyward tokens list
  keyward tokens remove ci

Exit codes:
  0  done
  1  failed, or refused by the server
  2  wrong usage
  3  not found
  4  not signed in, or not allowed
  5  conflict, such as a name that is taken
  6  the server is out of reach";

/// Issues, lists and ends API keys on a Keyward server.
#[derive(Debug, Parser)]
#[command(name = "keyward", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The flags that every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The server, in the place of the stored one [env: KEYWARD_URL]
    ///
    /// The stored session belongs to the stored server and is sent to no other: with another url,
    /// give a token in KEYWARD_SESSION_TOKEN. A token is never the value of a flag, since the
    /// process list shows it.
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) url: Option<ServerUrl>,

    /// Where the url and the session are stored [env: KEYWARD_CONFIG_DIR]
    ///
    /// Without it, `keyward` in the platform's configuration directory.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) config_dir: Option<PathBuf>,

    /// Print without colour [env: NO_COLOR]
    #[arg(long, global = true)]
    pub(crate) no_color: bool,

    /// Tell the whole chain of an error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// Formats of a list that programs may want as a spreadsheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people.
    Table,
    /// As the server gave it.
    Json,
    /// Comma-separated, with a header.
    Csv,
}

/// Formats of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViewFormat {
    /// For people.
    Table,
    /// As the server gave it.
    Json,
}

/// Formats of what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextFormat {
    /// One line.
    Text,
    /// As the server gave it.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::{ArgAction, CommandFactory};

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_secret_is_the_value_of_a_flag() {
        fn check(command: &clap::Command) {
            for flag in command.get_arguments().filter(|argument| !argument.is_positional()) {
                let name = flag.get_id().as_str();
                if ["token", "password", "secret", "session", "code"].iter().any(|word| name.contains(word)) {
                    assert!(matches!(flag.get_action(), ArgAction::SetTrue), "{} --{name}", command.get_name());
                }
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn lists_and_removals_answer_to_their_other_names() {
        for line in [
            "keyward token ls",
            "keyward tokens rm x",
            "keyward tokens delete x",
            "keyward tokens expire x y -",
            "keyward users ls",
            "keyward audit ls",
            "keyward tokens list -c id,name --column expires_at --url http://h -v",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }
}
