//! Reading the tables of a configuration file, key by key: all that is wrong is found at
//! once, each with its place and in a sentence.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;

/// Up to how many letters may be wrong in what was meant.
const TYPOS_MAX: usize = 2;

/// What is written somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written<T> {
    /// What.
    pub(super) value: T,
    /// Where.
    pub(super) place: Range<usize>,
}

/// One table, and what was asked of it.
pub(super) struct Fields<'a, 't> {
    /// What it is about: `the contact ana`.
    pub(super) of: String,
    /// Where it, or the name of it, is.
    pub(super) place: Range<usize>,
    pub(super) problems: &'a Problems,
    table: &'a DeTable<'t>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a, 't> Fields<'a, 't> {
    /// The table `of` something.
    pub(super) fn new(
        of: impl Into<String>,
        place: Range<usize>,
        table: &'a DeTable<'t>,
        problems: &'a Problems,
    ) -> Fields<'a, 't> {
        Fields { of: of.into(), place, problems, table, asked: RefCell::default() }
    }

    /// What is written for `key`, if anything is.
    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'t>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    /// The same, where nothing can be meant without it.
    pub(super) fn required<T>(&self, key: &str, example: &str, read: Option<T>) -> Option<T> {
        if read.is_none() && !self.table.contains_key(key) {
            let says = format!("{} has no {key}; write, for example, {key} = {example}", self.of);
            self.problems.error(self.place.clone(), says);
        }
        read
    }

    fn wrong(&self, key: &str, place: Range<usize>, wanted: &str, example: &str) {
        let says = format!("{key} of {} must be {wanted}, such as {key} = {example}", self.of);
        self.problems.error(place, says);
    }

    /// A text.
    pub(super) fn text(&self, key: &'static str, example: &str) -> Option<Written<&'a str>> {
        let value = self.get(key)?;
        match text_of(value) {
            Some(text) => Some(text),
            None => {
                self.wrong(key, value.span(), "a text in quotes", example);
                None
            }
        }
    }

    /// A text of which `make` makes something; it says what is wrong.
    pub(super) fn made<T>(
        &self,
        key: &'static str,
        example: &str,
        make: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Written<T>> {
        let Written { value, place } = self.text(key, example)?;
        match make(value) {
            Ok(value) => Some(Written { value, place }),
            Err(why) => {
                let says = format!("{key} of {}: {why}; write it like {key} = {example}", self.of);
                self.problems.error(place, says);
                None
            }
        }
    }

    /// Several texts, or one.
    pub(super) fn texts(&self, key: &'static str, example: &str) -> Option<Vec<Written<&'a str>>> {
        let value = self.get(key)?;
        if let Some(text) = text_of(value) {
            return Some(vec![text]);
        }
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong(key, value.span(), "a list of texts", example);
            return None;
        };
        let mut texts = Vec::new();
        for value in array {
            match text_of(value) {
                Some(text) => texts.push(text),
                None => self.wrong(key, value.span(), "a list of texts, each in quotes", example),
            }
        }
        Some(texts)
    }

    /// A day.
    pub(super) fn date(&self, key: &'static str, example: &str) -> Option<Written<Date>> {
        let value = self.get(key)?;
        let date = match value.get_ref() {
            DeValue::Datetime(toml::value::Datetime { date: Some(date), time: None, offset: None }) => {
                let parts = (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day));
                let (Ok(year), Ok(month), Ok(day)) = parts else { return None };
                Date::new(year, month, day).ok()
            }
            DeValue::String(text) => text.parse().ok(),
            _ => None,
        };
        if date.is_none() {
            self.wrong(key, value.span(), "a day", example);
        }
        date.map(|date| Written { value: date, place: value.span() })
    }

    /// A whole number within a range.
    pub(super) fn number(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        example: &str,
    ) -> Option<Written<i64>> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let wanted = format!("a whole number from {} to {}", range.start(), range.end());
            self.wrong(key, value.span(), &wanted, example);
        }
        number.map(|number| Written { value: number, place: value.span() })
    }

    /// The tables within a table, each with its name: `[contacts.ana]`.
    pub(super) fn named(&self, key: &'static str, what: &str) -> Vec<(Written<&'a str>, Fields<'a, 't>)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            let says = format!("{key} must be tables with a name each, such as [{key}.NAME]");
            self.problems.error(value.span(), says);
            return Vec::new();
        };
        let mut named = Vec::new();
        for (name, value) in table {
            let place = name.span();
            let name: &str = name.get_ref();
            let DeValue::Table(fields) = value.get_ref() else {
                let says = format!("{key}.{name} must be a table of its own: [{key}.{name}]");
                self.problems.error(place, says);
                continue;
            };
            let fields = Fields::new(format!("{what} {name}"), place.clone(), fields, self.problems);
            named.push((Written { value: name, place }, fields));
        }
        named
    }

    /// Everything was asked for: what is left is known to nobody.
    pub(super) fn done(self) {
        let asked = self.asked.borrow();
        for name in self.table.keys() {
            let written: &str = name.get_ref();
            if !asked.contains(&written) {
                let mut known = asked.clone();
                known.sort_unstable();
                let says = format!("{} has no key {written}{}", self.of, meant(written, known));
                self.problems.error(name.span(), says);
            }
        }
    }
}

fn text_of<'a>(value: &'a Spanned<DeValue<'_>>) -> Option<Written<&'a str>> {
    match value.get_ref() {
        DeValue::String(text) => Some(Written { value: text, place: value.span() }),
        _ => None,
    }
}

/// `; did you mean ana?`, or which there are.
pub(super) fn meant<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let unlike = |name: &&str| strsim::damerau_levenshtein(&name.to_lowercase(), &written.to_lowercase());
    match known.iter().map(|name| (unlike(name), name)).min() {
        Some((typos, name)) if typos <= TYPOS_MAX.min(name.len() / 3) => format!("; did you mean {name}?"),
        Some(_) => format!("; there are {}", known.join(", ")),
        None => String::new(),
    }
}
