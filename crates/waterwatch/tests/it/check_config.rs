//! `waterwatch check-config`, and a server with such a file.

use crate::harness::{Server, run, stderr, stdout};

const FILE: &str = r#"
[contacts.ana]
name = "Ana Kovač"

[rotas.main]
hand_over = "Mon 08:00"
turns = ["ana"]
starts = 2026-01-05
fallback = "ana"
"#;

#[test]
fn a_file_is_checked_before_the_server_starts_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("waterwatch.toml"), text).unwrap();
    let checked = |arguments: &[&str]| {
        let output = run(&[&["check-config", "waterwatch.toml"], arguments].concat(), folder.path());
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let (code, said, _) = checked(&[]);
    assert_eq!((code, &*said), (Some(2), ""), "there is no such file");

    write(FILE);
    assert_eq!(checked(&[]), (Some(0), "waterwatch.toml: nothing is wrong with it\n".into(), String::new()));
    Server::start(folder.path(), &["--config", "waterwatch.toml", "--listen", "127.0.0.1:0"]);

    write(&FILE.replace("[\"ana\"]", "[\"ana\", \"bne\"]").replace("fallback", "fallbakc"));
    let (code, said, error) = checked(&[]);
    assert_eq!(code, Some(2));
    insta::assert_snapshot!(format!("{said}{error}"), @r#"
waterwatch.toml:5:8: error: the rota main has no fallback; write, for example, fallback = "ana"
  5 | [rotas.main]
    |        ^^^^
waterwatch.toml:7:17: error: turns of the rota main: there is no contact "bne"; there are ana
  7 | turns = ["ana", "bne"]
    |                 ^^^^^
waterwatch.toml:9:1: error: the rota main has no key fallbakc; did you mean fallback?
  9 | fallbakc = "ana"
    | ^^^^^^^^
waterwatch: 3 errors: waterwatch.toml would not be taken
"#);
    let (code, said, _) = checked(&["--json"]);
    assert_eq!(code, Some(2));
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["is_taken"], told["problems"][1]["line"].as_u64()), (&false.into(), Some(7)));

    // The server says the same, and does not start.
    let output = run(&["serve", "--config", "waterwatch.toml"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("waterwatch.toml:7:17: error: turns of the rota main"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn warnings_do_not_keep_a_file_from_being_taken() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("waterwatch.toml"), format!("{FILE}[contacts.ben]\n")).unwrap();
    let output = run(&["check-config", "waterwatch.toml"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("waterwatch.toml:10:11: warning: the contact ben is in no rota"));
}

#[test]
fn the_examples_of_the_documentation_are_taken() {
    for (name, text) in [
        ("README.md", include_str!("../../../../README.md")),
        ("docs/oncall.md", include_str!("../../../../docs/oncall.md")),
    ] {
        let (_, rest) = text.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("waterwatch.toml"), example).unwrap();
        let output = run(&["check-config", "waterwatch.toml"], folder.path());
        assert_eq!(output.status.code(), Some(0), "{name}: {}{}", stdout(&output), stderr(&output));
    }
}
