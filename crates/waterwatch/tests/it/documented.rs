//! The examples of docs/commands.md, as they stand there, against a real server.

use std::path::Path;

use tempfile::TempDir;

use crate::harness::{Server, run, stderr, stdout};

/// What is to be seen of an example.
enum Seen {
    /// All of its lines, but for numbers.
    Whole,
    /// Each of its lines, among others.
    Among,
    /// How its lines begin.
    Beginnings,
    /// Nothing: it hangs on what else is on a machine.
    Nothing,
}

fn seen(command: &str) -> Seen {
    match command {
        _ if command.starts_with("events") => Seen::Among,
        // By whom a token was made says whether a server ran.
        _ if command.starts_with("token list") => Seen::Beginnings,
        _ if command.starts_with("check") || command.starts_with("completions") => Seen::Nothing,
        _ => Seen::Whole,
    }
}

/// The examples: what is typed, and what is printed.
fn examples(text: &str) -> Vec<(&str, Vec<&str>)> {
    let blocks = text.split("\n```").enumerate().filter(|(number, _)| number % 2 == 1);
    let mut examples: Vec<(&str, Vec<&str>)> = Vec::new();
    for (_, block) in blocks {
        let mut is_typed = false;
        for line in block.lines().skip(1) {
            if let Some(command) = line.strip_prefix("$ waterwatch ") {
                examples.push((command, Vec::new()));
                is_typed = true;
            } else if let (true, Some((_, printed))) = (is_typed, examples.last_mut()) {
                printed.push(line);
            }
        }
    }
    examples
}

/// The words of a command line, as a shell cuts them.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    let mut words = vec![String::new()];
    for (number, part) in parts {
        let is_quoted = number % 2 == 1;
        for (place, piece) in part.split(' ').enumerate() {
            match words.last_mut() {
                Some(last) if place == 0 => last.push_str(piece),
                Some(last) if is_quoted => last.extend([" ", piece]),
                _ => words.push(piece.to_owned()),
            }
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

/// A line without what is never the same: numbers, secrets, and how wide a column is.
fn shape(line: &str) -> String {
    let line = line.find("ww_").map_or(line, |secret| &line[..secret + "ww_".len()]);
    let mut shape = String::new();
    for word in line.split_whitespace() {
        for letter in word.chars() {
            let letter = if letter.is_ascii_digit() { 'N' } else { letter };
            if letter != 'N' || !shape.ends_with('N') {
                shape.push(letter);
            }
        }
        shape.push(' ');
    }
    shape
}

fn typed(command: &str, folder: &Path) -> String {
    let words = words(command);
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "--follow").collect();
    let output = run(&words, folder);
    assert!(output.status.success(), "{command}: {}", stderr(&output));
    stdout(&output)
}

#[test]
fn the_examples_of_the_commands_work() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let server = Server::start(folder, &[]);
    server.api();
    // What they speak of: an alarm that was acknowledged once and is there again, another one.
    assert_eq!(server.say(b"123 1 0\n"), "OK\n");
    typed("alarm ack 123 alarm1 --on-behalf-of Ana", folder);
    assert_eq!(server.say(b"123 0 0\n123 1 1\n"), "OK\nOK\n");
    let mut tried = 0;
    for (command, wanted) in examples(include_str!("../../../../docs/commands.md")) {
        let seen = seen(command);
        if matches!(seen, Seen::Nothing) {
            continue;
        }
        let printed = typed(command, folder);
        let first = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
        let wanted: Vec<String> = wanted.into_iter().map(shape).collect();
        let lines: Vec<String> = printed.lines().map(shape).collect();
        match seen {
            Seen::Among => {
                for line in &wanted {
                    assert!(lines.contains(line), "{command}: {line}\n{printed}");
                }
            }
            Seen::Beginnings => {
                let [wanted, lines] = [&wanted, &lines].map(|of| of.iter().map(first).collect::<Vec<_>>());
                assert_eq!(lines, wanted, "{command}: {printed}");
            }
            Seen::Whole | Seen::Nothing => assert_eq!(lines, wanted, "{command}: {printed}"),
        }
        tried += 1;
    }
    assert!(tried >= 10, "{tried} examples");
}
