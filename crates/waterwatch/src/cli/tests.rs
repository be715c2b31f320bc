use clap::CommandFactory;

use super::*;

/// The words of a command line as a shell cuts them: blanks separate, double quotes hold
/// together, and what comes after `>` or `|` is the shell's.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut is_quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '>' | '|' if !is_quoted => break,
            ' ' if !is_quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    assert!(!is_quoted, "{line}");
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

fn every_command(command: &clap::Command, path: &str, see: &mut impl FnMut(&str, &clap::Command)) {
    let mut inner = command.get_subcommands().filter(|inner| inner.get_name() != "help").peekable();
    if inner.peek().is_none() {
        return see(path, command);
    }
    inner.for_each(|inner| every_command(inner, &format!("{path} {}", inner.get_name()), see));
}

#[test]
fn every_command_has_an_example_that_can_be_typed() {
    let mut seen = 0;
    every_command(&Cli::command(), "waterwatch", &mut |path, command| {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let example = help.strip_prefix("Example: ").unwrap_or_else(|| panic!("{path} has no example"));
        assert!(example.starts_with(path), "{path}: {example}");
        if let Err(error) = Cli::try_parse_from(words(example)) {
            panic!("{example}: {error}");
        }
        seen += 1;
    });
    assert!(seen > 20, "{seen}");
}

#[test]
fn the_examples_in_the_documents_can_be_typed() {
    let mut seen = 0;
    for (name, text) in [
        ("docs/commands.md", include_str!("../../../../docs/commands.md")),
        ("docs/operations.md", include_str!("../../../../docs/operations.md")),
        ("README.md", include_str!("../../../../README.md")),
    ] {
        for line in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let words = words(line);
            if words[0] != "waterwatch" {
                continue;
            }
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{name}: {line}: {error}");
            }
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}
