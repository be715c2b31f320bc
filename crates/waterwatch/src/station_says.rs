//! What people say of one station. Whoever has a [`StationSays`] has one that can
//! be meant.

use std::ops::RangeInclusive;

use waterwatch_core::settings::{Said, ScopeSays, Told, Unfit, text};

use crate::config::Range;

/// When a station may be expected, in milliseconds UTC: this century. Seconds
/// would be a time before it.
const EXPECTED_BY_MS: RangeInclusive<i64> = 946_684_800_000..=4_102_444_800_000;

/// Addresses and networks of one station, at most: what a person writes. Each is
/// looked at with each report of the station.
pub const ALLOW_FROM_MAX: usize = 32;

/// A name stands at the head of each notice, and that of an area in the name of a
/// source.
pub const NAME_CHARS_MAX: usize = 100;

/// Where it is, and whom to call: some lines on a phone.
pub const PLACE_CHARS_MAX: usize = 200;

/// How somebody gets in.
pub const NOTE_CHARS_MAX: usize = 500;

/// Tags of one station, at most.
pub const TAGS_MAX: usize = 20;

/// How long a tag may be.
pub const TAG_CHARS_MAX: usize = 50;

/// What is said of a station alone.
const OWN_FIELDS: [&str; 8] =
    ["name", "area", "location", "access_note", "telephones", "tags", "expected_by", "allow_from"];

/// What people say of one station. What is not said comes from its area or the
/// fleet, or is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationSays {
    name: Option<Box<str>>,
    area: Option<Box<str>>,
    location: Option<Box<str>>,
    access_note: Option<Box<str>>,
    telephones: Option<Box<str>>,
    tags: Vec<Box<str>>,
    expected_by_ms: Option<i64>,
    allow_from: Vec<Range>,
    judged: ScopeSays,
}

impl StationSays {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The area that it is in.
    #[must_use]
    pub fn area(&self) -> Option<&str> {
        self.area.as_deref()
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// How somebody gets in.
    #[must_use]
    pub fn access_note(&self) -> Option<&str> {
        self.access_note.as_deref()
    }

    /// Whom to call.
    #[must_use]
    pub fn telephones(&self) -> Option<&str> {
        self.telephones.as_deref()
    }

    /// Words by which stations are found.
    #[must_use]
    pub fn tags(&self) -> &[Box<str>] {
        &self.tags
    }

    /// Until when it is expected to be heard for the first time, in milliseconds
    /// UTC.
    #[must_use]
    pub fn expected_by_ms(&self) -> Option<i64> {
        self.expected_by_ms
    }

    /// From where it may report; from anywhere if that is empty.
    #[must_use]
    pub fn allow_from(&self) -> &[Range] {
        &self.allow_from
    }

    /// How it and its points are judged.
    #[must_use]
    pub fn judged(&self) -> &ScopeSays {
        &self.judged
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == StationSays::default()
    }

    /// All fields, in the order in which they are [`told`](Self::told).
    #[must_use]
    pub fn fields() -> Vec<String> {
        let own = OWN_FIELDS.map(str::to_owned).into_iter();
        own.chain(ScopeSays::fields()).collect()
    }

    /// Takes what is said in a field: `name`, `area`, `location`, `access_note`,
    /// `telephones`, `tags` (separated by commas), `expected_by` (milliseconds UTC),
    /// `allow_from` (addresses and networks, separated by blanks or commas), or one
    /// of [`ScopeSays::say`]. A list that is empty is not said.
    ///
    /// # Errors
    /// If there is no such field, or what is said cannot be meant. The error
    /// names the field.
    pub fn say(&mut self, field: &str, said: Said<'_>) -> Result<(), Unfit> {
        match field {
            "name" => self.name = Some(text("name", said, NAME_CHARS_MAX)?),
            "area" => self.area = Some(text("area", said, NAME_CHARS_MAX)?),
            "location" => self.location = Some(text("location", said, PLACE_CHARS_MAX)?),
            "access_note" => self.access_note = Some(text("access_note", said, NOTE_CHARS_MAX)?),
            "telephones" => self.telephones = Some(text("telephones", said, PLACE_CHARS_MAX)?),
            "tags" => self.tags = tags(said)?,
            "expected_by" => self.expected_by_ms = Some(expected_by(said)?),
            "allow_from" => self.allow_from = allow_from(said)?,
            _ => self.judged.say(field, said).map_err(known_here)?,
        }
        Ok(())
    }

    /// What is said of how it and its points are judged, in place of what was.
    #[must_use]
    pub fn judged_by(self, judged: ScopeSays) -> StationSays {
        StationSays { judged, ..self }
    }

    /// All that is said, field by field, by the names that [`say`](Self::say)
    /// takes.
    #[must_use]
    pub fn told(&self) -> Vec<(String, Told)> {
        let words = |text: &Option<Box<str>>| text.as_deref().map(|text| Told::Text(text.to_owned()));
        let list = |words: String| (!words.is_empty()).then_some(Told::Text(words));
        let fields = [
            ("name", words(&self.name)),
            ("area", words(&self.area)),
            ("location", words(&self.location)),
            ("access_note", words(&self.access_note)),
            ("telephones", words(&self.telephones)),
            ("tags", list(self.tags_text())),
            ("expected_by", self.expected_by_ms.map(Told::Number)),
            ("allow_from", list(self.allow_from_text())),
        ];
        let own = fields.into_iter().filter_map(|(name, said)| Some((name.to_owned(), said?)));
        own.chain(self.judged.told()).collect()
    }

    /// Bytes of the texts in it.
    #[must_use]
    pub fn texts_bytes(&self) -> usize {
        let text = |(_, told): &(String, Told)| match told {
            Told::Text(text) => text.len(),
            Told::Flag(_) | Told::Number(_) => 0,
        };
        self.told().iter().map(text).sum()
    }

    /// The tags as one text.
    #[must_use]
    pub fn tags_text(&self) -> String {
        self.tags.join(", ")
    }

    /// From where it may report, as one text.
    #[must_use]
    pub fn allow_from_text(&self) -> String {
        let ranges: Vec<String> = self.allow_from.iter().map(Range::to_string).collect();
        ranges.join(", ")
    }
}

/// A field that no scope has may be one of a station.
fn known_here(unfit: Unfit) -> Unfit {
    if !unfit.is_unknown() || unfit.name.starts_with("points.") {
        return unfit;
    }
    Unfit { wanted: format!("{}, {}", OWN_FIELDS.join(", "), unfit.wanted), ..unfit }
}

fn tags(said: Said<'_>) -> Result<Vec<Box<str>>, Unfit> {
    const NAME: &str = "tags";
    let wanted = || format!("up to {TAGS_MAX} words of at most {TAG_CHARS_MAX} characters, between commas");
    let Said::Text(all) = said else { return Err(Unfit::new(NAME, said, wanted())) };
    let words = all.split(',').filter(|word| !word.trim().is_empty());
    let words = words.map(|word| text(NAME, Said::Text(word), TAG_CHARS_MAX));
    let tags: Vec<Box<str>> = words.collect::<Result<_, _>>()?;
    if tags.len() > TAGS_MAX {
        return Err(Unfit::new(NAME, format_args!("a text with {} of them", tags.len()), wanted()));
    }
    Ok(tags)
}

fn expected_by(said: Said<'_>) -> Result<i64, Unfit> {
    match said {
        Said::Number(ms) if EXPECTED_BY_MS.contains(&ms) => Ok(ms),
        other => Err(Unfit::new("expected_by", other, "a time of this century in milliseconds UTC")),
    }
}

fn allow_from(said: Said<'_>) -> Result<Vec<Range>, Unfit> {
    const NAME: &str = "allow_from";
    const WANTED: &str = "addresses and networks such as 10.20.0.7, 10.21.0.0/16";
    let Said::Text(all) = said else { return Err(Unfit::new(NAME, said, WANTED)) };
    let words = all.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty());
    let ranges: Vec<Range> =
        words.map(str::parse).collect::<Result<_, String>>().map_err(|_| Unfit::new(NAME, said, WANTED))?;
    if ranges.len() > ALLOW_FROM_MAX {
        let wanted = format!("at most {ALLOW_FROM_MAX} addresses and networks");
        return Err(Unfit::new(NAME, format_args!("a text with {} of them", ranges.len()), wanted));
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_says_the_same() {
        let mut says = StationSays::default();
        for (field, said) in [
            ("name", Said::Text(" North lift ")),
            ("area", Said::Text("North")),
            ("location", Said::Text("Mill Lane 4")),
            ("access_note", Said::Text("the key is at the gate")),
            ("telephones", Said::Text("Ana 01 234")),
            ("tags", Said::Text("pump,, old ")),
            ("expected_by", Said::Number(1_795_482_600_000)),
            ("allow_from", Said::Text("10.20.0.7 10.21.0.0/16,2001:db8::/32")),
            ("grace_s", Said::Number(60)),
            ("points.alarm1.label", Said::Text("High level")),
        ] {
            says.say(field, said).unwrap();
        }
        assert_eq!((says.name(), says.tags()), (Some("North lift"), &["pump".into(), "old".into()][..]));
        let mut again = StationSays::default();
        for (field, told) in says.told() {
            let said = match &told {
                Told::Flag(flag) => Said::Flag(*flag),
                Told::Number(number) => Said::Number(*number),
                Told::Text(text) => Said::Text(text),
            };
            again.say(&field, said).unwrap();
        }
        assert_eq!((again.told().len(), &again), (10, &says));
        again.say("tags", Said::Text(" , ")).unwrap();
        again.say("allow_from", Said::Text("")).unwrap();
        assert_eq!(again.told().len(), 8, "an empty list is not said");
    }

    #[test]
    fn what_cannot_be_meant_is_named_by_its_field_and_changes_nothing() {
        let many = "10.0.0.1 ".repeat(ALLOW_FROM_MAX + 1);
        let tags = "a,".repeat(TAGS_MAX + 1);
        for (field, said, complaint) in [
            ("name", Said::Text(""), "name is the text \"\"; it must be a text of 1 to 100 characters"),
            ("area", Said::Text("North\nSouth"), "all of which can be printed"),
            ("area", Said::Number(7), "area is 7; it must be a text"),
            ("tags", Said::Text(&tags), "tags is a text with 21 of them"),
            ("expected_by", Said::Number(1_795_482_600), "a time of this century in milliseconds UTC"),
            ("allow_from", Said::Text("10.0.0.300"), "it must be addresses and networks such as"),
            ("allow_from", Said::Text(&many), "it must be at most 32 addresses and networks"),
            ("points.alarm1.priority", Said::Text("urgent"), "points.alarm1.priority is the text \"urgent\""),
            ("color", Said::Flag(true), "color is not known; it must be name, area,"),
        ] {
            let mut says = StationSays::default();
            let error = says.say(field, said).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
            assert!(says.is_empty(), "{field}");
        }
    }
}
