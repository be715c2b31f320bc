//! `waterwatch completions`: what completes these commands in a shell.

use std::fmt::Write as _;
use std::io::Write;

use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::generate;

use super::alarm::output;
use super::printed;
use crate::cli::{Cli, CompletionsOptions, Shell};
use crate::failure::Failure;

/// What completes by default in bash, which is the name of any file.
const BY_DEFAULT: &str = " -o bashdefault -o default";

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
    let mut command = hinted(Cli::command());
    // It panics if it cannot write, so what it writes into takes everything.
    let mut script = Vec::new();
    generate(shell, &mut command, "waterwatch", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match options.shell {
        Shell::Bash => bash(&command, &script),
        Shell::Zsh => script.into_owned(),
        Shell::Fish => fish(&command, &script),
    };
    let (mut out, _) = output();
    printed(out.write_all(script.as_bytes()).and_then(|()| out.flush()))
}

/// The same with what each value is: the name of a file, or none.
fn hinted(command: Command) -> Command {
    let hint = |arg: Arg| match arg.get_value_hint() {
        _ if !arg.get_action().takes_values() => arg,
        ValueHint::AnyPath => arg.value_hint(ValueHint::FilePath),
        ValueHint::Unknown => arg.value_hint(ValueHint::Other),
        _ => arg,
    };
    command.mut_args(hint).mut_subcommands(hinted)
}

/// The commands below this one, each as the words behind its name, with what is asked for
/// without a name.
fn each(command: &Command, words: &[&str], see: &mut impl FnMut(&[&str], &[&Arg])) {
    let positionals: Vec<&Arg> = command.get_positionals().collect();
    if !positionals.is_empty() {
        see(words, &positionals);
    }
    for inner in command.get_subcommands() {
        each(inner, &[words, &[inner.get_name()]].concat(), see);
    }
}

fn is_file(arg: &&Arg) -> bool {
    arg.get_value_hint() == ValueHint::FilePath
}

/// In bash nothing is known of what is asked for without a name: names of files are offered
/// where one is asked for, and nowhere else.
fn bash(command: &Command, script: &str) -> String {
    let mut patterns = Vec::new();
    each(command, &[], &mut |words, positionals| {
        if positionals.iter().any(is_file) {
            patterns.push(format!("\"{} \"*", words.join(" ")));
        }
    });
    let mut script = script
        .replace(BY_DEFAULT, "")
        .replace("complete -F _waterwatch ", "complete -F _waterwatch_or_file ");
    // A string takes everything.
    let _ = write!(
        script,
        "\n_waterwatch_or_file() {{\n    _waterwatch \"$@\"\n    case \"${{COMP_WORDS[*]:1}} \" in\n        {})\n            \
         compopt -o default 2>/dev/null\n            ;;\n    esac\n}}\n",
        patterns.join(" | ")
    );
    script
}

/// In fish nothing is done about what is asked for without a name: names of files are
/// switched off where none is asked for, and the words of closed sets are offered.
fn fish(command: &Command, script: &str) -> String {
    let mut script = script.to_owned();
    each(command, &[], &mut |words, positionals| {
        let Some((first, rest)) = words.split_first() else { return };
        if positionals.iter().any(is_file) {
            return;
        }
        let seen = rest.iter().map(|word| format!("; and __fish_seen_subcommand_from {word}"));
        let when = format!("__fish_waterwatch_using_subcommand {first}{}", seen.collect::<String>());
        let offered: Vec<String> = positionals
            .iter()
            .flat_map(|arg| arg.get_possible_values())
            .map(|value| value.get_name().to_owned())
            .collect();
        let offered = match offered.is_empty() {
            true => String::new(),
            false => format!(" -a \"{}\"", offered.join(" ")),
        };
        let _ = writeln!(script, "complete -c waterwatch -n \"{when}\" -f{offered}");
    });
    script
}
