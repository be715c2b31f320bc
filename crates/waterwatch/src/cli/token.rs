//! The options of `waterwatch token …`.

use clap::{Args, Subcommand};
use waterwatch_core::token::{Right, Role};

use super::alarm::LookOptions;
use super::order::ServerOptions;
use super::words;

/// What `waterwatch token` does.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print its secret: nobody can see it again
    ///
    /// The ledger calls whoever has it by NAME, which no token has, or had. A viewer may look; an
    /// operator may put alarms aside; an admin may change settings and tokens.
    #[command(after_help = "Example: waterwatch token add scada --role viewer --may report")]
    Add(TokenAddOptions),
    /// The tokens that are valid, by their names
    #[command(after_help = "Example: waterwatch token list --all")]
    List(TokenListOptions),
    /// Revoke a token: from now on it opens nothing
    ///
    /// The last token of an admin cannot be revoked: add another one first.
    #[command(after_help = "Example: waterwatch token revoke scada")]
    Revoke(TokenRevokeOptions),
}

/// Options of `waterwatch token add`.
#[derive(Debug, Args)]
pub struct TokenAddOptions {
    /// What the ledger calls whoever has it: a person, or a program
    pub name: String,
    /// What it may do: viewer, operator or admin
    #[arg(long, value_parser = words::role(), hide_possible_values = true)]
    pub role: Role,
    /// What it may do beyond that: acknowledge, report, or both with a comma
    #[arg(long, value_name = "RIGHTS", value_delimiter = ',', value_parser = words::right(), hide_possible_values = true)]
    pub may: Vec<Right>,
    /// Which database, or which server
    #[command(flatten)]
    pub server: ServerOptions,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `waterwatch token list`.
#[derive(Debug, Args)]
pub struct TokenListOptions {
    /// Also those that were revoked
    #[arg(long)]
    pub all: bool,
    /// Which database, and in which form
    #[command(flatten)]
    pub look: LookOptions,
}

/// Options of `waterwatch token revoke`.
#[derive(Debug, Args)]
pub struct TokenRevokeOptions {
    /// Its name
    pub name: String,
    /// Which database, or which server
    #[command(flatten)]
    pub server: ServerOptions,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}
