//! The points' tables of the configuration file: what holds for a point of
//! every station, and what tells an operator what to do about it.

use anyhow::{Context, ensure};
use serde::Deserialize;
use waterwatch_core::Together;
use waterwatch_core::alarm::{Point, Priority};
use waterwatch_core::settings::{
    Fleet, FleetTogether, PointOverrides, PointTexts, RESPOND_WITHIN_MIN, Said, Setting, StationOverrides,
};

use super::FleetNumbers;

/// A text is read by a person on a phone, and stands in every notice.
const TEXT_CHARS_MAX: usize = 500;

/// `[points.alarm1]`, `[points.alarm2]`, `[points.comms]`, `[points.identity]`,
/// `[points.new_stations]`, `[points.on_call]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePoints {
    #[serde(default)]
    alarm1: FilePoint,
    #[serde(default)]
    alarm2: FilePoint,
    #[serde(default)]
    comms: FilePoint,
    #[serde(default)]
    identity: FilePoint,
    #[serde(default)]
    new_stations: FilePoint,
    #[serde(default)]
    on_call: FilePoint,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePoint {
    enabled: Option<bool>,
    priority: Option<FilePriority>,
    on_delay_s: Option<u32>,
    off_delay_s: Option<u32>,
    latched: Option<bool>,
    realarm_after_s: Option<u32>,
    chatter_raises: Option<u32>,
    chatter_window_s: Option<u32>,
    label: Option<Box<str>>,
    consequence: Option<Box<str>>,
    response: Option<Box<str>>,
    respond_within_min: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct FilePriority(Priority);

impl TryFrom<String> for FilePriority {
    type Error = String;

    fn try_from(text: String) -> Result<FilePriority, String> {
        Priority::from_name(&text)
            .map(FilePriority)
            .ok_or_else(|| format!("\"{text}\" is no priority; write critical, high, medium or low"))
    }
}

impl FilePoints {
    /// The fleet's scope: the file's points, and what the numbers say of all
    /// contacts where a point says nothing.
    pub(super) fn with(self, numbers: &FleetNumbers) -> anyhow::Result<Fleet> {
        let contacts = PointOverrides {
            on_delay_s: Some(numbers.on_delay_s),
            off_delay_s: Some(numbers.off_delay_s),
            ..PointOverrides::default()
        };
        let FilePoints { alarm1, alarm2, comms, identity, new_stations, on_call } = self;
        let (alarm1, alarm1_texts) = alarm1.checked(Point::Alarm1)?;
        let (alarm2, alarm2_texts) = alarm2.checked(Point::Alarm2)?;
        let (comms, comms_texts) = comms.checked(Point::Comms)?;
        let (identity, identity_texts) = identity.checked(Point::Identity)?;
        let (new_stations, new_stations_texts) = new_stations.checked(Point::NewStations)?;
        let (on_call, on_call_texts) = on_call.checked(Point::OnCall)?;
        let overrides = StationOverrides {
            period_s: Some(numbers.period_s),
            grace_s: Some(numbers.grace_s),
            points: [alarm1.or(&contacts), alarm2.or(&contacts), comms, identity, new_stations, on_call],
        };
        let window_ms = i64::from(numbers.silent_together_s) * 1_000;
        let together = FleetTogether {
            area: Together { share_percent: numbers.area_silent_percent, window_ms },
            all: Together { share_percent: numbers.all_silent_percent, window_ms },
        };
        Ok(Fleet {
            overrides,
            texts: [
                alarm1_texts,
                alarm2_texts,
                comms_texts,
                identity_texts,
                new_stations_texts,
                on_call_texts,
            ],
            together,
        })
    }
}

impl FilePoint {
    fn checked(self, point: Point) -> anyhow::Result<(PointOverrides, PointTexts)> {
        let number = |number: Option<u32>| number.map(|number| Said::Number(number.into()));
        let mut overrides = PointOverrides::default();
        for (setting, said) in [
            (Setting::Enabled, self.enabled.map(Said::Flag)),
            (Setting::Priority, self.priority.map(|FilePriority(priority)| Said::Text(priority.name()))),
            (Setting::OnDelay, number(self.on_delay_s)),
            (Setting::OffDelay, number(self.off_delay_s)),
            (Setting::Latched, self.latched.map(Said::Flag)),
            (Setting::RealarmAfter, number(self.realarm_after_s)),
            (Setting::ChatterRaises, number(self.chatter_raises)),
            (Setting::ChatterWindow, number(self.chatter_window_s)),
        ] {
            if let Some(said) = said {
                overrides.say(point, setting, said).with_context(|| format!("in [points.{point}]"))?;
            }
        }
        if let Some(said) = number(self.respond_within_min) {
            said.number("respond_within_min", &RESPOND_WITHIN_MIN)
                .with_context(|| format!("in [points.{point}]"))?;
        }
        let texts = PointTexts {
            label: self.label,
            consequence: self.consequence,
            response: self.response,
            respond_within_min: self.respond_within_min,
        };
        for (name, text) in
            [("label", &texts.label), ("consequence", &texts.consequence), ("response", &texts.response)]
        {
            ensure!(
                text.as_ref().is_none_or(|text| (1..=TEXT_CHARS_MAX).contains(&text.chars().count())),
                "{name} of [points.{point}] must have from 1 to {TEXT_CHARS_MAX} characters"
            );
        }
        Ok((overrides, texts))
    }
}
