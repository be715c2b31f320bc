//! `waterwatch oncall …`: who has duty. The running server is asked, since its
//! configuration file is its own.

use std::io::{self, Write};

use anyhow::anyhow;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use waterwatch_core::calling::RotaId;

use super::alarm::output;
use super::page::json;
use super::page::table::{self, Paint, words};
use super::printed;
use crate::cli::{OncallCommand, OncallShowOptions};
use crate::failure::Failure;
use crate::http_client::HttpClient;
use crate::shown::duty::{ContactObject, DutiesObject, RotaObject, ShiftObject};
use crate::shown::text::plain;

/// Does what was asked about duty.
///
/// # Errors
/// If no server can be asked, or it knows no such rota.
pub fn run(command: &OncallCommand) -> Result<(), Failure> {
    match command {
        OncallCommand::Show(options) => show(options),
    }
}

fn show(options: &OncallShowOptions) -> Result<(), Failure> {
    let OncallShowOptions { rota, days, from, server, json } = options;
    if let Some(rota) = rota {
        RotaId::new(rota).map_err(|why| Failure::wrong_input(anyhow!("\"{rota}\" is no rota: {why}")))?;
    }
    let (days, from) = (days.to_string(), from.map(|from| from.to_string()));
    let mut query = vec![("days", days.as_str())];
    query.extend(from.as_deref().map(|from| ("from", from)));
    let mut duties: DutiesObject = HttpClient::of(server)?.get(&["api", "v1", "oncall"], &query)?;
    if let Some(rota) = rota {
        let known: Vec<String> = duties.rotas.iter().map(|duty| plain(&duty.rota)).collect();
        duties.rotas.retain(|duty| duty.rota == *rota);
        if duties.rotas.is_empty() {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::Failed(anyhow!("the server has no rota {rota}; it has {known}")));
        }
    }
    let (mut out, terminal) = output();
    let done = match *json {
        true => json::object(&mut out, &duties),
        false => write(&mut out, &duties, terminal),
    };
    printed(done.and_then(|()| out.flush()))
}

/// Writes a table for each rota.
fn write(out: &mut impl Write, duties: &DutiesObject, terminal: bool) -> io::Result<()> {
    if duties.rotas.is_empty() {
        return writeln!(out, "the server has no rota; its configuration file has them ([rotas.NAME])");
    }
    for (number, rota) in duties.rotas.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        let RotaObject { rota: name, zone, fallback, shifts } = rota;
        writeln!(out, "{} ({})", plain(name), plain(zone))?;
        // The server's own zone: times are those at which its people hand over.
        let zone = TimeZone::get(zone).unwrap_or_else(|_| TimeZone::system());
        let texts = |shift: &ShiftObject| {
            [
                told(shift.from, "always", &zone),
                told(shift.until, "no end is seen", &zone),
                who(shift, fallback),
            ]
        };
        let paint = |shift: &ShiftObject| shift.contact.is_none().then_some((2, Paint::Alarm));
        table::write(out, [words("FROM"), words("UNTIL"), words("ON DUTY")], shifts, terminal, texts, paint)?;
    }
    Ok(())
}

fn told(at: Option<Timestamp>, never: &str, zone: &TimeZone) -> String {
    at.map_or_else(
        || never.to_owned(),
        |at| at.to_zoned_datetime(zone.clone()).strftime("%a %Y-%m-%d %H:%M %:z").to_string(),
    )
}

fn who(shift: &ShiftObject, fallback: &ContactObject) -> String {
    match &shift.contact {
        Some(contact) => named(contact),
        None => format!("nobody: {} stands in", named(fallback)),
    }
}

/// `Ana Kovač (ana)`, or `ana` if that is all that she is called.
fn named(ContactObject { contact, name }: &ContactObject) -> String {
    if contact == name { plain(name) } else { format!("{} ({})", plain(name), plain(contact)) }
}
