//! The document that describes the API, against the API: by schemathesis, a program
//! that makes requests from such documents, right ones and wrong ones.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::Server;

/// Where `./test` installs it.
fn schemathesis() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let program = root.join("target/schemathesis/bin/schemathesis");
    program.exists().then_some(program)
}

#[test]
fn the_api_is_as_it_describes_itself() {
    let Some(program) = schemathesis() else {
        eprintln!("skipped: schemathesis is not installed; ./test does it");
        return;
    };
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    // Something to find.
    assert_eq!(server.say(b"0 1 0\n1 0 1\n"), "OK\nOK\n");
    let api = server.api();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/schemathesis.toml");
    let output = Command::new(program)
        .arg("--config-file")
        .arg(config)
        .arg("run")
        .arg(format!("http://{}/api/v1/openapi.json", api.address))
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", server.token()))
        .args(["--max-examples", "25", "--seed", "1", "--no-color"])
        .current_dir(folder.path())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("generated"), "it has tried something:\n{said}");
    // Whatever was asked: no mistake of the server, and it goes on.
    let log = server.running.logged();
    assert!(!log.contains("panicked") && !log.contains("a mistake of the server"), "{log}");
    assert_eq!(server.say(b"2 0 0\n"), "OK\n");
}
