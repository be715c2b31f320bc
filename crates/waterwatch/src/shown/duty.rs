//! Who has duty in a rota, as JSON objects: the same for programs at a terminal and over
//! HTTP.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waterwatch_core::calling::{ContactId, Duty, OnCall, Plan, RotaId, Shift};

use super::time::rfc3339;

/// How many shifts of a rota are told, at most: one each hour for a week and a half.
pub const SHIFTS_MAX: usize = 256;

/// Who has duty in each rota, now and ahead.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DutiesObject {
    /// Each rota, by its name.
    pub rotas: Vec<RotaObject>,
}

/// Who has duty in one rota.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RotaObject {
    /// Its name.
    #[schema(example = "main")]
    pub rota: String,
    /// The zone by whose clock people hand over.
    #[schema(example = "Europe/Zagreb")]
    pub zone: String,
    /// Who stands in where nobody has duty.
    pub fallback: ContactObject,
    /// The shifts from the moment asked for on, the present one first; 256 at most.
    pub shifts: Vec<ShiftObject>,
}

/// Who has duty from when until when.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ShiftObject {
    /// Who; null: nobody, and the fallback stands in.
    pub contact: Option<ContactObject>,
    /// Since when; null: there was never anybody before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Until when, this moment excluded; null: no end can be seen.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// Somebody who can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactObject {
    /// What the configuration calls them.
    #[schema(example = "ana")]
    pub contact: String,
    /// What people call them.
    #[schema(example = "Ana Kovač")]
    pub name: String,
}

impl DutiesObject {
    /// All rotas of a plan, from a moment on and as far as those that begin before another.
    #[must_use]
    pub fn of(plan: &Plan, from_ms: i64, until_ms: i64) -> DutiesObject {
        let rotas = plan.rotas.iter().map(|(id, duty)| rota(plan, (id, duty), from_ms, until_ms));
        DutiesObject { rotas: rotas.collect() }
    }
}

fn rota(plan: &Plan, (id, duty): (&RotaId, &Duty), from_ms: i64, until_ms: i64) -> RotaObject {
    let shifts = OnCall::new(&duty.rota, &[]).shifts_from(from_ms);
    let shifts = shifts.take_while(|shift| shift.from_ms.max(from_ms) < until_ms).take(SHIFTS_MAX);
    RotaObject {
        rota: id.to_string(),
        zone: duty.rota.zone().iana_name().unwrap_or("").to_owned(),
        fallback: contact(plan, &duty.fallback),
        shifts: shifts.map(|told| shift(plan, &told)).collect(),
    }
}

fn shift(plan: &Plan, Shift { who, from_ms, until_ms }: &Shift) -> ShiftObject {
    ShiftObject {
        contact: who.as_ref().map(|who| contact(plan, who)),
        from: rfc3339(*from_ms),
        until: rfc3339(*until_ms),
    }
}

fn contact(plan: &Plan, id: &ContactId) -> ContactObject {
    let name = plan.contacts.get(id).map_or_else(|| id.to_string(), |contact| contact.name.to_string());
    ContactObject { contact: id.to_string(), name }
}
