use super::*;

/// A file that is taken, into whose parts the wrong ones are put.
const CONTACTS: &str = "[contacts.ana]\n[contacts.ben]\n";
const ROTA: &str =
    "hand_over = \"Mon 08:00\"\nturns = [\"ana\", \"ben\"]\nstarts = 2026-01-05\nfallback = \"ana\"\n";

/// 2026-02-02 12:00 in UTC.
const NOW: &str = "2026-02-02T12:00:00Z";

/// All that is found, each as `LINE:COLUMN SEVERITY SENTENCE`.
fn found(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waterwatch.toml");
    std::fs::write(&path, text).unwrap();
    let told = check(&path, NOW.parse().unwrap()).unwrap();
    assert_eq!(is_taken(&told), told.count(Severity::Error) == 0);
    let options = ServeOptions { config: Some(path), ..ServeOptions::default() };
    assert_eq!(Config::load(options).is_ok(), is_taken(&told), "{text}");
    told.problems
        .iter()
        .map(|problem| {
            let place = problem.place.map_or_else(String::new, |(line, column)| format!("{line}:{column} "));
            format!("{place}{} {}", problem.severity, problem.says)
        })
        .collect()
}

/// What is found, and where, in files each of which is wrong in one way. Words that are
/// left out stand as `…`.
#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let rota = |rest: &str| format!("{CONTACTS}[rotas.main]\n{rest}");
    let rota_with = |key: &str, value: &str| {
        let lines = ROTA.lines().filter(|line| !line.starts_with(key));
        rota(&format!("{key} = {value}\n{}\n", lines.collect::<Vec<_>>().join("\n")))
    };
    let without =
        |key: &str| rota(&ROTA.lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n"));
    let mut others = Vec::new();
    for (file, wanted) in [
        // No TOML at all.
        ("data = \n".to_owned(), "1:8 error …"),
        ("[limits\n".to_owned(), "1:8 error …"),
        ("a b c".to_owned(), "1:3 error …"),
        // All but calling.
        ("dta = \"x\"\n".to_owned(), "1:1 error there is no key dta; did you mean data?"),
        (
            "[limits]\nstations_max = 0\n".to_owned(),
            "2:16 error stations_max = 0 is out of range: from 1 to 100000000",
        ),
        ("[fleet]\nperiod_s = 0\n".to_owned(), "2:12 error period_s = 0 is out of range…"),
        (
            "[limits]\nstations_max = \"many\"\n".to_owned(),
            "2:16 error invalid type: string \"many\", expected usize",
        ),
        ("time_zone = \"Mars\"\n".to_owned(), "1:13 error \"Mars\" is no known time zone…"),
        (
            "[[listen]]\naddress = \"0.0.0.0:1\"\n".to_owned(),
            "error the listener 0.0.0.0:1 can be reached from other machines…",
        ),
        ("[points.alarm3]\n".to_owned(), "1:9 error there is no key alarm3; did you mean alarm1?"),
        (
            "[points.alarm1]\npriority = \"urgent\"\n".to_owned(),
            "2:12 error \"urgent\" is no priority; write critical, high, medium or low",
        ),
        (
            "[points.alarm1]\nlabel = \"\"\n".to_owned(),
            "error label of [points.alarm1] must have from 1 to 500 characters",
        ),
        // Contacts.
        (
            "contacts = 3\n".to_owned(),
            "1:12 error contacts must be tables with a name each, such as [contacts.NAME]",
        ),
        (
            "contacts.ana = \"Ana\"\n".to_owned(),
            "1:10 error contacts.ana must be a table of its own: [contacts.ana]",
        ),
        ("[contacts.Ana]\n".to_owned(), "1:11 error \"Ana\" cannot be the name of a contact: …"),
        ("[contacts.nobody]\n".to_owned(), "1:11 error \"nobody\" cannot be the name of a contact: …"),
        (
            "[contacts.ana]\nname = 3\n".to_owned(),
            "2:8 error name of the contact ana must be a text in quotes, such as name = \"Ana Kovač\"",
        ),
        (
            "[contacts.ana]\nname = \" \"\n".to_owned(),
            "2:8 error name of the contact ana: a name has from 1 to 64 letters…",
        ),
        (
            "[contacts.ana]\nname = \"a\\nb\"\n".to_owned(),
            "2:8 error name of the contact ana: a name has no line breaks…",
        ),
        (
            "[contacts.ana]\nzone = \"Europe/Zagrep\"\n".to_owned(),
            "2:8 error zone of the contact ana: \"Europe/Zagrep\" is no known time zone; write it like zone = \"Europe/Zagreb\"",
        ),
        (
            "[contacts.ana]\nzome = \"UTC\"\n".to_owned(),
            "2:1 error the contact ana has no key zome; did you mean zone?",
        ),
        // Rotas.
        (
            without("hand_over"),
            "3:8 error the rota main has no hand_over; write, for example, hand_over = \"Mon 08:00\"",
        ),
        (without("turns"), "3:8 error the rota main has no turns; …"),
        (without("starts"), "3:8 error the rota main has no starts; …"),
        (without("fallback"), "3:8 error the rota main has no fallback; …"),
        (
            rota_with("hand_over", "8"),
            "4:13 error hand_over of the rota main must be a list of texts, such as hand_over = \"Mon 08:00\"",
        ),
        (rota_with("hand_over", "\"8 am\""), "4:13 error hand_over of the rota main: \"8\" is no day; …"),
        (
            rota_with("hand_over", "\"25:00\""),
            "4:13 error hand_over of the rota main: \"25:00\" is no time of the day; …",
        ),
        (
            rota_with("hand_over", "\"Mon 08:60\""),
            "4:13 error hand_over of the rota main: \"08:60\" is no time of the day; …",
        ),
        (
            rota_with("hand_over", "\"Mo 08:00\""),
            "4:13 error hand_over of the rota main: \"Mo\" is no day; …",
        ),
        (
            rota_with("hand_over", "[\"Mon 08:00\", \"08:00\"]"),
            "4:27 error hand_over of the rota main: some of its times have a day and others none; …",
        ),
        (
            rota_with("hand_over", "[\"08:00\", \"8:00\"]"),
            "3:8 error the rota main cannot be: one of its times to hand over is there twice",
        ),
        (
            rota_with("hand_over", "[]"),
            "3:8 error the rota main cannot be: it needs a time at which one hands over to the next",
        ),
        (rota_with("turns", "[]"), "3:8 error the rota main cannot be: nobody is in it"),
        (rota_with("turns", "[\"nobody\"]"), "3:8 error the rota main cannot be: nobody is in it"),
        (
            rota_with("turns", "[\"ana\", \"bne\"]"),
            "4:17 error turns of the rota main: there is no contact \"bne\"; did you mean ben?",
        ),
        (
            rota_with("turns", "[\"ana\", 3]"),
            "4:17 error turns of the rota main must be a list of texts, each in quotes, such as …",
        ),
        (
            rota_with("starts", "2026-01-05T08:00:00"),
            "4:10 error starts of the rota main must be a day, such as starts = 2026-01-05",
        ),
        (
            rota_with("starts", "1026-01-05"),
            "3:8 error the rota main cannot be: its days must lie in the years from 2000 to 2199",
        ),
        (rota_with("ends", "2026-01-05"), "3:8 error the rota main cannot be: it ends before it begins"),
        (
            rota_with("fallback", "\"boss\""),
            "4:12 error fallback of the rota main: there is no contact \"boss\"; there are ana, ben; write it like fallback = \"ana\"",
        ),
        (
            rota_with("warn_before_h", "0"),
            "4:17 error warn_before_h of the rota main must be a whole number from 1 to 1440, such as warn_before_h = 48",
        ),
        (
            rota_with("warn_before_h", "\"2\""),
            "4:17 error warn_before_h of the rota main must be a whole number from 1 to 1440, such as …",
        ),
        (
            rota_with("zone", "\"Berlin\""),
            "4:8 error zone of the rota main: \"Berlin\" is no known time zone; …",
        ),
        (rota_with("tuns", "3"), "4:1 error the rota main has no key tuns; did you mean turns?"),
        (format!("{CONTACTS}[rotas.'a b']\n{ROTA}"), "3:8 error \"a b\" cannot be the name of a rota: …"),
    ] {
        let found = found(&file);
        let is_as_wanted = match (&found[..], wanted.strip_suffix('…')) {
            ([found], Some(beginning)) => found.starts_with(beginning),
            ([found], None) => found == wanted,
            _ => false,
        };
        if !is_as_wanted {
            others.push(format!("{file}\n  found  {found:#?}\n  wanted {wanted}\n"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[test]
fn what_may_not_be_meant_is_warned_of() {
    for (file, wanted) in [
        (format!("{CONTACTS}[rotas.main]\n{ROTA}"), vec![]),
        (
            format!("{CONTACTS}[contacts.cy]\n[rotas.main]\n{ROTA}"),
            vec!["3:11 warning the contact cy is in no rota"],
        ),
        (
            format!("{CONTACTS}[rotas.main]\nends = 2026-03-01\nzone = \"Europe/Zagreb\"\n{ROTA}"),
            vec![
                "3:8 warning nobody has duty in the rota main from Sun 2026-03-01 00:00 +01:00, and no end of that: ana stands in",
            ],
        ),
        (
            format!(
                "{CONTACTS}[rotas.main]\nzone = \"Europe/Zagreb\"\n{}",
                ROTA.replace("\"ben\"", "\"nobody\", \"ben\"")
            ),
            vec![
                "3:8 warning nobody has duty in the rota main now until Mon 2026-02-09 08:00 +01:00: ana stands in",
            ],
        ),
        // A rota of next year has nobody until then.
        (
            format!("{CONTACTS}[rotas.main]\nzone = \"UTC\"\n{}", ROTA.replace("2026-01-05", "2027-01-04")),
            vec![
                "3:8 warning nobody has duty in the rota main now until Mon 2027-01-04 08:00 +00:00: ana stands in",
            ],
        ),
    ] {
        assert_eq!(found(&file), wanted, "{file}");
    }
}

#[test]
fn all_problems_of_a_file_are_told_at_once_in_its_order() {
    let file = "[rotas.main]\nturns = [\"ana\"]\n[contacts.ben]\nzone = 1\n[limits]\nx = 1\n";
    let places: Vec<String> =
        found(file).iter().map(|told| told.split_once(' ').unwrap().0.to_owned()).collect();
    assert_eq!(places, ["1:8", "1:8", "1:8", "2:10", "4:8", "6:1"]);
}
