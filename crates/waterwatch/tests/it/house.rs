//! The house rules that a machine can check: who may know what.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("a source")));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// No file of `folder` outside `except` says any of `words`.
fn nobody_says(folder: &str, words: &[&str], except: &[&str]) {
    for (name, text) in sources(folder) {
        if name.contains("tests") || except.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        for word in words {
            let said = text.lines().find(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            assert!(said.is_none(), "{folder}/{name} must not know {word}: {}", said.unwrap_or_default());
        }
    }
}

#[test]
fn the_core_is_pure() {
    let words =
        ["std::net", "std::fs", "std::thread", "Instant", "SystemTime", "tokio", "rusqlite", "std::env"];
    nobody_says("core/src", &words, &[]);
}

#[test]
fn nothing_but_the_store_knows_sql() {
    nobody_says("waterwatch/src", &["rusqlite", "SELECT ", "INSERT ", "PRAGMA"], &["store/"]);
}

#[test]
fn nobody_but_the_writer_commits() {
    nobody_says("waterwatch/src", &[".commit("], &["writer/recorder.rs", "writer/tokens.rs", "store/"]);
}

#[test]
fn dependencies_point_one_way() {
    nobody_says(
        "waterwatch/src/store",
        &["crate::writer", "crate::intake", "crate::lane", "crate::live", "crate::server::", "wire"],
        &[],
    );
    for (part, words) in [
        ("writer", ["crate::intake", "crate::server::", "std::net", "tokio::net"].as_slice()),
        ("lane", &["crate::intake", "crate::writer", "crate::server::", "crate::store"]),
        ("live", &["crate::writer", "crate::intake", "crate::server::", "crate::commands", "crate::web"]),
        ("intake", &["crate::writer", "crate::server::", "crate::store"]),
        ("shown", &["crate::cli", "crate::commands", "crate::web", "axum", "crate::writer", "crate::intake"]),
        ("web", &["crate::writer", "crate::intake", "crate::server::", "crate::store::sqlite"]),
        (
            "http_client",
            &["crate::web", "crate::writer", "crate::lane", "crate::server::", "crate::store::sqlite"],
        ),
        ("commands", &["crate::web", "crate::lane", "crate::intake", "crate::server::"]),
        ("metrics", &["crate::web", "crate::writer", "crate::intake", "crate::server::"]),
        ("client", &["crate::intake", "crate::writer", "crate::server::", "crate::store"]),
        ("fleet", &["crate::intake", "crate::writer", "crate::server::", "crate::store"]),
    ] {
        for (name, text) in sources("waterwatch/src") {
            if name.starts_with(part) && !name.contains("tests") {
                for word in words {
                    assert!(!text.contains(word), "{name} must not know {word}");
                }
            }
        }
    }
}
