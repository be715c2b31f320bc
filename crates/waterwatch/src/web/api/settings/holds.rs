//! What holds in the end, and who says so.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use waterwatch_core::alarm::{Point, PointSettings};
use waterwatch_core::settings::{ScopeSays, Setting, StationOverrides};

use crate::said_json::{Says, of_point, value};

/// What holds, each with who says so.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HoldsObject {
    /// How often it reports, in seconds.
    period_s: HeldObject,
    /// How much later a report may come until it is silent, in seconds.
    grace_s: HeldObject,
    /// Of each point, field by field; texts that nobody says are not there.
    points: BTreeMap<&'static str, BTreeMap<String, HeldObject>>,
}

/// One thing that holds.
#[derive(Debug, Serialize, ToSchema)]
struct HeldObject {
    /// What.
    value: Value,
    /// Who says so.
    from: From,
}

/// Who says what holds: the narrowest scope that says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum From {
    /// People, of the station.
    Station,
    /// People, for its area.
    Area,
    /// People, for the fleet.
    Fleet,
    /// The server's configuration.
    Configuration,
    /// Nobody.
    Default,
}

impl HoldsObject {
    /// Of what scopes say, the narrowest first.
    pub(super) fn of(scopes: &[(From, &ScopeSays)]) -> HoldsObject {
        let overrides = scopes
            .iter()
            .fold(StationOverrides::default(), |narrower, (_, says)| narrower.or(says.overrides()));
        let holds = overrides.resolve();
        let mut object = HoldsObject {
            period_s: HeldObject::default_of((holds.period_ms / 1_000).into()),
            grace_s: HeldObject::default_of((holds.grace_ms / 1_000).into()),
            points: Point::OF_STATION
                .iter()
                .map(|&point| (point.name(), defaults(point, holds.point(point))))
                .collect(),
        };
        // The narrowest last: it takes the place of what the others say.
        for &(from, says) in scopes.iter().rev() {
            for (field, told) in Says::told(says) {
                let held = HeldObject { value: value(&field, told), from };
                match of_point(&field) {
                    Some((point, name)) => {
                        if let Some(fields) = object.points.get_mut(point) {
                            fields.insert(name.to_owned(), held);
                        }
                    }
                    None if field == "period_s" => object.period_s = held,
                    None => object.grace_s = held,
                }
            }
        }
        object
    }
}

impl HeldObject {
    fn default_of(value: Value) -> HeldObject {
        HeldObject { value, from: From::Default }
    }
}

/// What holds for a point, as long as nobody is found who says so. Defaults that hang
/// on another setting hang on the one that holds.
fn defaults(point: Point, holds: &PointSettings) -> BTreeMap<String, HeldObject> {
    let has =
        |setting: &Setting| point.is_contact() || !matches!(setting, Setting::OnDelay | Setting::OffDelay);
    let seconds = |ms: i64| Value::from(ms / 1_000);
    let value = |setting: Setting| match setting {
        Setting::Enabled => holds.enabled.into(),
        Setting::Priority => holds.priority.name().into(),
        Setting::OnDelay => seconds(holds.on_delay_ms),
        Setting::OffDelay => seconds(holds.off_delay_ms),
        Setting::Latched => holds.latched.into(),
        Setting::RealarmAfter => seconds(holds.realarm_after_ms.unwrap_or(0)),
        Setting::ChatterRaises => holds.chatter_raises.into(),
        Setting::ChatterWindow => seconds(holds.chatter_window_ms),
    };
    let settings = Setting::ALL.into_iter().filter(has);
    settings.map(|setting| (setting.name().to_owned(), HeldObject::default_of(value(setting)))).collect()
}
