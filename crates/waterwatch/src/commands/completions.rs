//! `waterwatch completions`: what completes these commands in a shell.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::generate;

use super::alarm::output;
use super::printed;
use crate::cli::{Cli, CompletionsOptions, Shell};
use crate::failure::Failure;

/// Prints it.
///
/// # Errors
/// If standard output cannot be written to.
pub fn run(options: &CompletionsOptions) -> Result<(), Failure> {
    let shell = match options.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    // It panics if it cannot write, so what it writes into takes everything.
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "waterwatch", &mut script);
    let (mut out, _) = output();
    printed(out.write_all(&script).and_then(|()| out.flush()))
}
