//! `[contacts.NAME]`: somebody who can be told.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use waterwatch_core::calling::{Contact, ContactId};

use super::zone;
use crate::config::fields::{Fields, Written};

/// How many there may be: everybody of a large utility.
const CONTACTS_MAX: usize = 1_000;

/// What they are called is read aloud, and stands in every message about them.
const NAME_CHARS_MAX: usize = 64;

pub(super) fn read(file: &Fields<'_, '_>, default: &TimeZone) -> BTreeMap<ContactId, Contact> {
    let mut contacts = BTreeMap::new();
    for (Written { value: id, place }, fields) in file.named("contacts", "the contact") {
        let id = match ContactId::new(id) {
            Ok(id) => Some(id),
            Err(why) => {
                let says = format!(
                    "\"{id}\" cannot be the name of a contact: {why}; the key `name` has what people call them"
                );
                file.problems.error(place.clone(), says);
                None
            }
        };
        let name = fields.made("name", "\"Ana Kovač\"", name);
        let zone = fields.made("zone", "\"Europe/Zagreb\"", zone);
        fields.done();
        let Some(id) = id else { continue };
        if contacts.len() == CONTACTS_MAX {
            file.problems.error(place, format!("there are more than {CONTACTS_MAX} contacts"));
            break;
        }
        let name = name.map_or_else(|| id.as_str().into(), |name| name.value);
        let zone = zone.map_or_else(|| default.clone(), |zone| zone.value);
        contacts.insert(id, Contact { name, zone, ways: Vec::new(), quiet: None });
    }
    contacts
}

fn name(text: &str) -> Result<Box<str>, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX {
        return Err(format!("a name has from 1 to {NAME_CHARS_MAX} letters"));
    }
    if text.chars().any(char::is_control) {
        return Err("a name has no line breaks and no other letters that cannot be printed".to_owned());
    }
    Ok(text.into())
}
