//! The closed sets of words that objects have, as the description of the HTTP API
//! names them: each from the one list that the program goes by.

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use waterwatch_core::alarm::{Kind, Point, Priority, State};
use waterwatch_core::token::{Right, Role};
use waterwatch_core::wire::Refusal;

use crate::store::reader::communication::{Comms, Quality};

/// A type that stands for a set of words in schemas.
macro_rules! words {
    ($($(#[doc = $doc:literal])+ $name:ident: $words:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                one_of(concat!($($doc),+), $words)
            }
        }

        impl ToSchema for $name {}
    )+};
}

words! {
    /// The state of an alarm, after ISA-18.2.
    AlarmState: State::ALL.iter().map(|state| state.name());
    /// How urgent an alarm is.
    AlarmPriority: Priority::ALL.iter().map(|priority| priority.name());
    /// What an alarm is about.
    AlarmPoint: Point::ALL.iter().map(|point| point.name());
    /// What happened: docs/alarms.md tells each of them.
    EventKind: Kind::ALL.iter().map(|kind| kind.name());
    /// What whoever has a token may do; each may do all that those before it may.
    TokenRole: Role::ALL.iter().map(|role| role.name());
    /// What no role alone allows.
    TokenRight: Right::ALL.iter().map(|right| right.name());
    /// Why a line or a report is refused: docs/protocol.md tells each of them.
    RefusalCode: Refusal::CODES;
    /// How a station is heard.
    CommsState: Comms::ALL.map(Comms::name);
    /// What a point is worth: `good` is so, `stale` was so when it was last heard of, `never` was never heard of.
    PointQuality: Quality::ALL.map(Quality::name);
}

fn one_of(about: &str, words: impl IntoIterator<Item = &'static str>) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::String).description(Some(about.trim()));
    object.enum_values(Some(words.into_iter().map(Value::from).collect::<Vec<_>>())).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shown::alarm::AlarmObject;

    #[test]
    fn objects_name_the_words_that_they_may_have() {
        let schema = |of: RefOr<Schema>| serde_json::to_value(of).unwrap();
        let state = schema(AlarmState::schema());
        assert_eq!(state["description"], "The state of an alarm, after ISA-18.2.");
        let words: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
        assert_eq!(state["enum"], serde_json::json!(words));
        let alarm = schema(AlarmObject::schema());
        assert!(
            alarm["properties"]["state"].to_string().contains("#/components/schemas/AlarmState"),
            "{alarm}"
        );
        let mut named = Vec::new();
        AlarmObject::schemas(&mut named);
        let named: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
        assert!(named.contains(&"AlarmPriority"), "{named:?}");
        for (name, property) in alarm["properties"].as_object().unwrap() {
            let is_said =
                property.to_string().contains("description") || property.to_string().contains("$ref");
            assert!(is_said, "{name} is not described");
        }
        let raised_at = &alarm["properties"]["raised_at"];
        assert_eq!(
            (&raised_at["format"], &raised_at["type"]),
            (&"date-time".into(), &serde_json::json!(["string", "null"]))
        );
    }
}
