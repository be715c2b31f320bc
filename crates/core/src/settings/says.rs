//! What people say in one scope: how stations and points are judged there, and
//! what tells an operator what to do. Whoever has a [`ScopeSays`] has one that
//! can be meant.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::said::{names_of_points, text};
use super::{GRACE_S, PERIOD_S, PointTexts, RESPOND_WITHIN_MIN, Said, Setting, StationOverrides, Unfit};
use crate::alarm::{Point, REASON_CHARS_MAX};

/// A text is read by a person on a phone, and stands in every notice.
pub const TEXT_CHARS_MAX: usize = 500;

/// What is told of a point, beside how it is judged.
const TEXTS: [&str; 4] = ["label", "consequence", "response", "respond_within_min"];

/// How much of a text is shown where it is told that it was changed.
const SHOWN_CHARS_MAX: usize = 60;

/// What is said for an area, for the fleet, or of a station as far as it is
/// judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSays {
    overrides: StationOverrides,
    texts: [PointTexts; Point::ALL.len()],
}

/// One thing that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A text, or a word.
    Text(String),
}

impl ScopeSays {
    /// What the configuration says, which was judged there.
    pub(super) fn of(overrides: StationOverrides, texts: [PointTexts; Point::ALL.len()]) -> ScopeSays {
        ScopeSays { overrides, texts }
    }

    /// How stations and points are judged.
    #[must_use]
    pub fn overrides(&self) -> &StationOverrides {
        &self.overrides
    }

    /// What tells an operator what to do about a point.
    #[must_use]
    pub fn texts(&self, point: Point) -> &PointTexts {
        &self.texts[point as usize]
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == ScopeSays::default()
    }

    /// All fields, in the order in which they are [`told`](Self::told).
    #[must_use]
    pub fn fields() -> Vec<String> {
        let mut fields = vec!["period_s".to_owned(), "grace_s".to_owned()];
        for &point in Point::OF_STATION {
            fields.extend(names_of(point).map(|name| format!("points.{point}.{name}")));
        }
        fields
    }

    /// Takes what is said in a field: `period_s`, `grace_s`, or `points.POINT.NAME`
    /// with one of a station's points and the name of a [`Setting`], `label`,
    /// `consequence`, `response` or `respond_within_min`.
    ///
    /// # Errors
    /// If there is no such field, or what is said cannot be meant. The error
    /// names the field as it was given.
    pub fn say(&mut self, field: &str, said: Said<'_>) -> Result<(), Unfit> {
        match field {
            "period_s" => self.overrides.period_s = Some(said.number("period_s", &PERIOD_S)?),
            "grace_s" => self.overrides.grace_s = Some(said.number("grace_s", &GRACE_S)?),
            _ => {
                let point = field.strip_prefix("points.").and_then(|field| field.split_once('.'));
                let Some((point, name)) = point else { return Err(unknown(field)) };
                let known = Point::from_name(point).filter(|point| Point::OF_STATION.contains(point));
                let known = known.ok_or_else(|| unknown(field))?;
                self.say_of_point(known, name, said)
                    .map_err(|unfit| Unfit { name: field.to_owned().into(), ..unfit })?;
            }
        }
        Ok(())
    }

    /// The same for one point: `on_delay_s`, `label`, …
    ///
    /// # Errors
    /// If there is no such field, or what is said cannot be meant.
    pub fn say_of_point(&mut self, point: Point, name: &str, said: Said<'_>) -> Result<(), Unfit> {
        let texts = &mut self.texts[point as usize];
        match name {
            "label" => texts.label = Some(text("label", said, TEXT_CHARS_MAX)?),
            "consequence" => texts.consequence = Some(text("consequence", said, TEXT_CHARS_MAX)?),
            "response" => texts.response = Some(text("response", said, TEXT_CHARS_MAX)?),
            "respond_within_min" => {
                texts.respond_within_min = Some(said.number("respond_within_min", &RESPOND_WITHIN_MIN)?);
            }
            _ => {
                let setting = Setting::ALL.into_iter().find(|setting| setting.name() == name);
                let wanted = || names_of(point).collect::<Vec<_>>().join(", ");
                let setting = setting.ok_or_else(|| Unfit::unknown(name.to_owned(), wanted()))?;
                self.overrides.points[point as usize].say(point, setting, said)?;
            }
        }
        Ok(())
    }

    /// All that is said, field by field, by the names that [`say`](Self::say)
    /// takes.
    #[must_use]
    pub fn told(&self) -> Vec<(String, Told)> {
        let mut told = Vec::new();
        let number = |number: Option<u32>| number.map(|number| Told::Number(number.into()));
        let mut tell = |name: String, said: Option<Told>| told.extend(said.map(|said| (name, said)));
        tell("period_s".to_owned(), number(self.overrides.period_s));
        tell("grace_s".to_owned(), number(self.overrides.grace_s));
        for &point in Point::OF_STATION {
            let says = &self.overrides.points[point as usize];
            let PointTexts { label, consequence, response, respond_within_min } = self.texts(point);
            let words = |text: &Option<Box<str>>| text.as_deref().map(|text| Told::Text(text.to_owned()));
            for (name, said) in [
                ("enabled", says.enabled.map(Told::Flag)),
                ("priority", says.priority.map(|priority| Told::Text(priority.name().to_owned()))),
                ("on_delay_s", number(says.on_delay_s)),
                ("off_delay_s", number(says.off_delay_s)),
                ("latched", says.latched.map(Told::Flag)),
                ("realarm_after_s", number(says.realarm_after_s)),
                ("chatter_raises", number(says.chatter_raises)),
                ("chatter_window_s", number(says.chatter_window_s)),
                ("label", words(label)),
                ("consequence", words(consequence)),
                ("response", words(response)),
                ("respond_within_min", number(*respond_within_min)),
            ] {
                tell(format!("points.{point}.{name}"), said);
            }
        }
        told
    }
}

/// What can be said of a point.
fn names_of(point: Point) -> impl Iterator<Item = &'static str> {
    let has = move |setting: &Setting| {
        point.is_contact() || !matches!(setting, Setting::OnDelay | Setting::OffDelay)
    };
    Setting::ALL.into_iter().filter(has).map(Setting::name).chain(TEXTS)
}

fn unknown(field: &str) -> Unfit {
    let wanted = format!(
        "period_s, grace_s or points.POINT.NAME, with one of {} and a setting of points",
        names_of_points()
    );
    Unfit::unknown(field.to_owned(), wanted)
}

/// What became other between two lists of what is said, in few words that fit
/// into a reason of the ledger: `period_s 60 -> 120, name "North" -> "North lift"`.
/// `None`: nothing did.
#[must_use]
pub fn changes(before: &[(String, Told)], after: &[(String, Told)]) -> Option<String> {
    let mut fields: BTreeMap<&str, [Option<&Told>; 2]> = BTreeMap::new();
    for (side, told) in [before, after].into_iter().enumerate() {
        for (name, said) in told {
            fields.entry(name).or_default()[side] = Some(said);
        }
    }
    fields.retain(|_, [before, after]| before != after);
    let shown = |said: Option<&Told>| said.map_or_else(|| "unset".to_owned(), Told::to_string);
    let mut words = String::new();
    let mut left = fields.len();
    for (name, [before, after]) in &fields {
        let separator = if words.is_empty() { "" } else { ", " };
        let change = format!("{separator}{name} {} -> {}", shown(*before), shown(*after));
        // With room for the count of those that are not shown.
        if words.chars().count() + change.chars().count() + ", and 99 more".len() > REASON_CHARS_MAX {
            break;
        }
        words += &change;
        left -= 1;
    }
    if left > 0 {
        let _ = write!(words, ", and {left} more");
    }
    (!fields.is_empty()).then_some(words)
}

impl fmt::Display for Told {
    /// As in a reason of the ledger: a long text is cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Flag(flag) => flag.fmt(f),
            Told::Number(number) => number.fmt(f),
            Told::Text(text) => {
                let end = text.char_indices().nth(SHOWN_CHARS_MAX).map(|(end, _)| end);
                match end {
                    Some(end) => write!(f, "\"{}…\"", &text[..end]),
                    None => write!(f, "\"{text}\""),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(fields: &[(&str, Said<'_>)]) -> ScopeSays {
        let mut says = ScopeSays::default();
        for (field, said) in fields {
            says.say(field, *said).unwrap();
        }
        says
    }

    /// What is told can be said again, field by field: so it can be exported and
    /// imported.
    #[test]
    fn what_is_told_says_the_same() {
        let mut whole = says(&[("period_s", Said::Number(60)), ("grace_s", Said::Number(0))]);
        for &point in Point::OF_STATION {
            for (name, said) in [
                ("enabled", Said::Flag(false)),
                ("priority", Said::Text("low")),
                ("latched", Said::Number(1)),
                ("realarm_after_s", Said::Number(7)),
                ("chatter_raises", Said::Number(8)),
                ("chatter_window_s", Said::Number(90)),
                ("label", Said::Text(" High level ")),
                ("consequence", Said::Text("Overflow")),
                ("response", Said::Text("Start pump 2")),
                ("respond_within_min", Said::Number(30)),
            ] {
                whole.say(&format!("points.{point}.{name}"), said).unwrap();
            }
            if point.is_contact() {
                whole.say_of_point(point, "on_delay_s", Said::Number(5)).unwrap();
                whole.say_of_point(point, "off_delay_s", Said::Number(6)).unwrap();
            }
        }
        let mut again = ScopeSays::default();
        for (field, told) in whole.told() {
            let said = match &told {
                Told::Flag(flag) => Said::Flag(*flag),
                Told::Number(number) => Said::Number(*number),
                Told::Text(text) => Said::Text(text),
            };
            again.say(&field, said).unwrap();
        }
        assert_eq!(again, whole);
        assert_eq!(whole.told().len(), 2 + 4 * 10 + 2 * 2, "each once");
        let told: Vec<String> = whole.told().into_iter().map(|(field, _)| field).collect();
        assert_eq!(told, ScopeSays::fields(), "in their order");
        assert_eq!(whole.texts(Point::Comms).label.as_deref(), Some("High level"), "trimmed");
    }

    #[test]
    fn what_cannot_be_meant_is_named_by_its_field_and_changes_nothing() {
        let long = "x".repeat(TEXT_CHARS_MAX + 1);
        for (field, said, complaint) in [
            ("period_s", Said::Number(0), "period_s is 0; it must be a number from 1 to 604800"),
            ("grace_s", Said::Text("60"), "grace_s is the text \"60\"; it must be a number from 0 to 604800"),
            (
                "points.alarm1.on_delay_s",
                Said::Number(-1),
                "points.alarm1.on_delay_s is -1; it must be a number from 0 to 2678400",
            ),
            ("points.comms.on_delay_s", Said::Number(1), "points.comms.on_delay_s is 1; it must be left out"),
            ("points.alarm2.label", Said::Text(" "), "it must be a text of 1 to 500 characters"),
            ("points.alarm2.label", Said::Text(&long), "it must be a text of 1 to 500 characters"),
            ("points.alarm2.label", Said::Text("a\u{1b}[2J"), "all of which can be printed"),
            ("points.alarm2.respond_within_min", Said::Number(0), "it must be a number from 1 to 44640"),
            ("points.new_stations.priority", Said::Text("low"), "points.new_stations.priority is not known"),
            ("points.alarm1.colour", Said::Text("red"), "points.alarm1.colour is not known; it must be"),
            ("points.alarm1", Said::Flag(true), "points.alarm1 is not known"),
            ("name", Said::Text("North"), "name is not known"),
        ] {
            let mut says = ScopeSays::default();
            let error = says.say(field, said).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
            assert!(says.is_empty(), "{field}");
        }
    }

    #[test]
    fn what_became_other_is_told_in_few_words() {
        let before = says(&[("period_s", Said::Number(60)), ("points.alarm1.enabled", Said::Flag(true))]);
        let after =
            says(&[("period_s", Said::Number(120)), ("points.alarm1.label", Said::Text("High level"))]);
        assert_eq!(changes(&before.told(), &before.told()), None);
        let words = "period_s 60 -> 120, points.alarm1.enabled true -> unset, points.alarm1.label unset -> \
                     \"High level\"";
        assert_eq!(changes(&before.told(), &after.told()).as_deref(), Some(words));
        let long = "ü".repeat(TEXT_CHARS_MAX);
        let texts = Point::OF_STATION.iter().flat_map(|point| {
            ["label", "consequence", "response"].map(|name| format!("points.{point}.{name}"))
        });
        let mut all = ScopeSays::default();
        texts.for_each(|field| all.say(&field, Said::Text(&long)).unwrap());
        let words = changes(&[], &all.told()).unwrap();
        assert!(words.chars().count() <= REASON_CHARS_MAX, "{words}");
        assert!(words.ends_with("…\", and 7 more"), "{words}");
    }
}
