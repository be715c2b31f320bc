//! Few repetitions, told by their median with the least and the most.

use std::fmt;

/// What repetitions of one measurement came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    /// The middle one, or the mean of the two.
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Spread {
    /// `None` if there is nothing.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let median = f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Spread { min, median, max })
    }

    /// With so many decimals: `median (min–max)`.
    pub(super) fn text(&self, decimals: usize) -> String {
        let Spread { min, median, max } = *self;
        format!("{} ({}–{})", number(median, decimals), number(min, decimals), number(max, decimals))
    }
}

/// Decimals that tell a small figure from another: two, or more below one.
pub(super) fn decimals(value: f64) -> usize {
    match value.abs() {
        value if value >= 1.0 || value == 0.0 => 2,
        value if value >= 0.1 => 3,
        _ => 4,
    }
}

/// A number as people read it: 1,234,567.8.
pub(super) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits = whole.len();
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (digits - place).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// How much is how many times something else: `0.85 x`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Ratio(pub(super) f64);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0 {
            ratio if ratio >= 10.0 => 0,
            ratio if ratio >= 0.1 => 2,
            _ => 4,
        };
        write!(f, "{} x", number(self.0, decimals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_mind_an_outlier() {
        let spread = Spread::of([9.0, 1_000.0, 8.0]).unwrap();
        assert_eq!(spread, Spread { min: 8.0, median: 9.0, max: 1_000.0 });
        assert_eq!(spread.text(0), "9 (8–1,000)");
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 2.5]).unwrap().median, 2.25);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn numbers_are_grouped() {
        for (value, decimals, text) in
            [(0.0, 0, "0"), (999.0, 0, "999"), (1_000.0, 0, "1,000"), (1_234_567.84, 1, "1,234,567.8")]
        {
            assert_eq!(number(value, decimals), text);
        }
        assert_eq!(number(-123.0, 0), "-123");
        assert_eq!(Ratio(0.854).to_string(), "0.85 x");
        assert_eq!(Ratio(26.6).to_string(), "27 x");
        assert_eq!(Ratio(0.0312).to_string(), "0.0312 x");
        assert_eq!([8.7, 0.18, 0.01].map(decimals), [2, 3, 4]);
    }
}
