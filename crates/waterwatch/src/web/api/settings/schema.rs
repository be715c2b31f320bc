//! What may be said, for the OpenAPI document: by the limits that judge it.

use std::ops::RangeInclusive;

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, SchemaType,
    Type,
};
use waterwatch_core::alarm::{Point, PointSettings, Priority};
use waterwatch_core::settings::{
    CHATTER_WINDOW_S_MIN, GRACE_S, PERIOD_S, POINT_SECONDS_MAX, RESPOND_WITHIN_MIN, Setting, TEXT_CHARS_MAX,
};

use crate::station_says::{
    ALLOW_FROM_MAX, NAME_CHARS_MAX, NOTE_CHARS_MAX, PLACE_CHARS_MAX, TAG_CHARS_MAX, TAGS_MAX,
};
use crate::web::extract::printable;

/// Stands for what is said of a station.
#[derive(Debug)]
pub(in crate::web::api) struct StationSaid;

/// Stands for what is said for an area or the fleet.
#[derive(Debug)]
pub(in crate::web::api) struct ScopeSaid;

impl ToSchema for StationSaid {}

impl utoipa::PartialSchema for StationSaid {
    fn schema() -> RefOr<Schema> {
        let tag = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(TAG_CHARS_MAX))
            .pattern(Some(r"^[^,\x00-\x1f\x7f-\x9f]*[^,\s\x00-\x1f\x7f-\x9f][^,\x00-\x1f\x7f-\x9f]*$"));
        let address = ObjectBuilder::new().schema_type(Type::String).examples(["10.21.0.0/16"]);
        let by = ObjectBuilder::new()
            .schema_type(or_null(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some(
                "Until when it is to be heard for the first time, this century; else it is silent.",
            ));
        let object = scope("All that is said of a station.")
            .property("name", text("What it is called.", NAME_CHARS_MAX))
            .property("area", text("The area that it is in.", NAME_CHARS_MAX))
            .property("location", text("Where it is.", PLACE_CHARS_MAX))
            .property("access_note", text("How somebody gets in.", NOTE_CHARS_MAX))
            .property("telephones", text("Whom to call.", PLACE_CHARS_MAX))
            .property("tags", list("Words by which it is found.", tag, TAGS_MAX))
            .property("expected_by", by)
            .property(
                "allow_from",
                list("Addresses and networks from which alone it may report.", address, ALLOW_FROM_MAX),
            );
        object.into()
    }
}

impl ToSchema for ScopeSaid {}

impl utoipa::PartialSchema for ScopeSaid {
    fn schema() -> RefOr<Schema> {
        scope("All that is said for an area or the fleet.").into()
    }
}

/// What every scope may say.
fn scope(about: &str) -> ObjectBuilder {
    let points = Point::OF_STATION
        .iter()
        .fold(closed("Of its points.").schema_type(or_null(Type::Object)), |points, &of| {
            points.property(of.name(), point(of))
        });
    closed(about)
        .property("period_s", number("How often it reports, in seconds.", &PERIOD_S))
        .property("grace_s", number("How much later a report may come, in seconds.", &GRACE_S))
        .property("points", points)
}

fn point(point: Point) -> Object {
    let seconds = |about, min| number(about, &(min..=POINT_SECONDS_MAX));
    let mut object = closed("How it is judged, and what is to be done.").schema_type(or_null(Type::Object));
    for setting in Setting::ALL {
        let schema = match setting {
            Setting::OnDelay | Setting::OffDelay if !point.is_contact() => continue,
            Setting::Enabled => flag("Whether it is judged at all."),
            Setting::Priority => priority(),
            Setting::OnDelay => seconds("How long it must be on until that is an alarm, in seconds.", 0),
            Setting::OffDelay => seconds("How long it must be off until the alarm is over, in seconds.", 0),
            Setting::Latched => flag("Whether an alarm that is over waits for its acknowledgement."),
            Setting::RealarmAfter => {
                seconds("How long after its acknowledgement one that is still on alarms again; 0: never.", 0)
            }
            Setting::ChatterRaises => number(
                "More raises than this within the window are chatter.",
                &(0..=PointSettings::CHATTER_RAISES_MAX),
            ),
            Setting::ChatterWindow => seconds("The window of chatter, in seconds.", CHATTER_WINDOW_S_MIN),
        };
        object = object.property(setting.name(), schema);
    }
    object
        .property("label", text("What it means.", TEXT_CHARS_MAX))
        .property("consequence", text("What happens if nobody comes.", TEXT_CHARS_MAX))
        .property("response", text("What is to be done.", TEXT_CHARS_MAX))
        .property(
            "respond_within_min",
            number("How soon somebody must have come, in minutes.", &RESPOND_WITHIN_MIN),
        )
        .build()
}

/// An object with no other fields than those that it names.
fn closed(about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .description(Some(about))
}

/// What may be left out may be null as well.
fn or_null(of: Type) -> SchemaType {
    SchemaType::from_iter([of, Type::Null])
}

fn text(about: &str, chars_max: usize) -> Object {
    printable(chars_max).schema_type(or_null(Type::String)).description(Some(about)).build()
}

fn number(about: &str, range: &RangeInclusive<u32>) -> Object {
    ObjectBuilder::new()
        .schema_type(or_null(Type::Integer))
        .minimum(Some(*range.start()))
        .maximum(Some(*range.end()))
        .description(Some(about))
        .build()
}

fn flag(about: &str) -> Object {
    ObjectBuilder::new().schema_type(or_null(Type::Boolean)).description(Some(about)).build()
}

fn priority() -> Object {
    let words = Priority::ALL.iter().map(|priority| Value::from(priority.name()));
    ObjectBuilder::new()
        .schema_type(or_null(Type::String))
        .enum_values(Some(words.chain([Value::Null]).collect::<Vec<_>>()))
        .description(Some("How urgent it is."))
        .build()
}

fn list(about: &str, of: ObjectBuilder, items_max: usize) -> utoipa::openapi::schema::Array {
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(of)
        .max_items(Some(items_max))
        .description(Some(about))
        .build()
}
