//! What shells complete.

use std::process::Command;

use tempfile::TempDir;

use crate::harness::{run, stderr, stdout};

/// What bash offers for the last of these words, and what else it does.
fn offered(words: &[&str]) -> (Vec<String>, bool) {
    let folder = TempDir::new().unwrap();
    let script = stdout(&run(&["completions", "BASH"], folder.path()));
    std::fs::write(folder.path().join("waterwatch.bash"), script).unwrap();
    std::fs::write(folder.path().join("a file"), "").unwrap();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = quoted.len() - 1;
    // Outside of a completion `compopt` cannot be asked: it is heard instead.
    let ask = format!(
        "compopt() {{ [[ \"$*\" == '-o default' ]] && files=yes; }}\n. ./waterwatch.bash\n\
         COMP_WORDS=({})\nCOMP_CWORD={last}\nfiles=no\n\
         [[ \"$(complete -p waterwatch)\" == *default* ]] && files=always\n\
         _waterwatch_or_file waterwatch {} {}\n\
         printf '%s\\n' \"$files\" \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        quoted[last],
        quoted[last - 1],
    );
    let output = Command::new("bash").args(["-c", &ask]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let printed = stdout(&output);
    let (files, offered) = printed.split_once('\n').unwrap();
    assert_ne!(files, "always");
    (offered.lines().filter(|word| !word.is_empty()).map(str::to_owned).collect(), files == "yes")
}

#[test]
fn words_are_offered_where_words_are_asked_for_and_files_where_files_are() {
    for (words, expected) in [
        (&["alarm", "list", "--priority", ""][..], &["low", "medium", "high", "critical"][..]),
        (&["alarm", "list", "--state", "un"], &["unacknowledged"]),
        (&["station", "list", "--comms", "pa"], &["paused"]),
        (&["token", "add", "scada", "--role", ""], &["viewer", "operator", "admin"]),
        (&["events", "--kind", "rai"], &["raised", "raised_again"]),
        (&["alarm", "show", "123", "ala"], &["alarm1", "alarm2"]),
        (&["backup", "copy", "--data", "a"], &["a file"]),
        (&["station", "import", "all.csv", "--format", ""], &["csv", "json"]),
    ] {
        let (offered, _) = offered(&[&["waterwatch"], words].concat());
        assert_eq!(offered, expected, "{words:?}");
    }
    for (words, files) in [
        (&["station", "show", "a"][..], false),
        (&["alarm", "ack", "z"], false),
        (&["token", "revoke", "a"], false),
        (&["station", "import", "a"], true),
        (&["backup", "a"], true),
        (&["import", "a"], true),
    ] {
        assert_eq!(offered(&[&["waterwatch"], words].concat()), (Vec::new(), files), "{words:?}");
    }
    let (offered, _) = offered(&["waterwatch", "station", "list", "--area", "a"]);
    assert_eq!(offered, ["a"], "no name of a file");
}

#[test]
fn no_script_names_files_for_ids() {
    let folder = TempDir::new().unwrap();
    let zsh = stdout(&run(&["completions", "zsh"], folder.path()));
    assert!(zsh.contains("':id -- Which station:'"), "{zsh}");
    let fish = stdout(&run(&["completions", "fish"], folder.path()));
    for line in [
        "complete -c waterwatch -n \"__fish_waterwatch_using_subcommand station; and __fish_seen_subcommand_from show\" -f\n",
        "complete -c waterwatch -n \"__fish_waterwatch_using_subcommand completions\" -f -a \"bash zsh fish\"\n",
    ] {
        assert!(fish.contains(line), "{line}");
    }
}
