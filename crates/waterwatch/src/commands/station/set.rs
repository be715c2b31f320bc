//! `waterwatch station set`: what is to be said of a station, field by field.

use std::io::Write;

use anyhow::anyhow;

use super::change::{ChangesObject, Wanted, after, changes, lines};
use super::fields::{field, read};
use super::remote::Remote;
use crate::cli::StationSetOptions;
use crate::commands::alarm::output;
use crate::commands::page::json;
use crate::commands::printed;
use crate::failure::Failure;

pub(super) fn run(options: &StationSetOptions) -> Result<(), Failure> {
    let StationSetOptions { id, settings, clear, dry_run, order } = options;
    let wanted = wanted(settings, clear).map_err(|why| Failure::WrongInput(anyhow!(why)))?;
    let remote = Remote::of(order)?;
    let said = remote.one(*id)?;
    let changes = match dry_run {
        true => changes(&said.says, &after(&said.says, &wanted)?),
        false => remote.change(&said, &wanted)?,
    };
    let (mut out, _) = output();
    let written = if order.json {
        json::object(&mut out, &ChangesObject::new(*id, &changes))
    } else if changes.is_empty() {
        writeln!(out, "station {id}: nothing {}", if *dry_run { "would change" } else { "to change" })
    } else {
        lines(*id, &changes).iter().try_for_each(|line| writeln!(out, "{line}"))
    };
    printed(written.and_then(|()| out.flush()))
}

/// What is to become other, each field once.
fn wanted(settings: &[String], clear: &[String]) -> Result<Vec<Wanted>, String> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let said = settings.iter().map(|setting| {
        let (name, text) = setting
            .split_once('=')
            .ok_or_else(|| format!("\"{setting}\" says nothing: write it like area=North"))?;
        let field = field(name.trim())?;
        if text.trim().is_empty() {
            return Err(format!("{name}= says nothing: to say nothing any more, write --clear {name}"));
        }
        let to = read(&field, text).map_err(|why| format!("{name}: {why}"))?;
        Ok(Wanted { field, to: Some(to) })
    });
    let cleared = clear.iter().map(|name| Ok(Wanted { field: field(name.trim())?, to: None }));
    for new in said.chain(cleared) {
        let new = new?;
        if wanted.iter().any(|wanted| wanted.field == new.field) {
            return Err(format!("{} is named twice", super::fields::short(&new.field)));
        }
        wanted.push(new);
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_said_once_or_cleared() {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let wanted = |settings: &[&str], clear: &[&str]| wanted(&texts(settings), &texts(clear));
        let fields = |wanted: Vec<Wanted>| wanted.into_iter().map(|wanted| wanted.field).collect::<Vec<_>>();
        assert_eq!(
            wanted(&["name=a = b", "points.alarm1.label=x"], &["tags"]).map(fields).unwrap(),
            ["name", "points.alarm1.label", "tags"]
        );
        for (settings, clear, complaint) in [
            (&["name"][..], &[][..], "\"name\" says nothing: write it like area=North"),
            (&["name="], &[], "name= says nothing: to say nothing any more, write --clear name"),
            (&["name=a"], &["name"], "name is named twice"),
            (&["alarm1.label=a", "points.alarm1.label=b"], &[], "alarm1.label is named twice"),
            (&["period_s=x"], &[], "period_s: \"x\" is no whole number"),
            (&[], &["nmae"], "there is no setting \"nmae\"; did you mean name?"),
        ] {
            assert_eq!(wanted(settings, clear).unwrap_err(), complaint);
        }
    }
}
