//! `waterwatch token list`: who may speak to the HTTP API.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::Value;
use waterwatch_core::Token;
use waterwatch_core::token::{Revoked, Right, Role};

use crate::cli::TokenListOptions;
use crate::commands::alarm::output;
use crate::commands::elsewhere::{Elsewhere, Query, read};
use crate::commands::page::table::{self, Paint, optional, words};
use crate::commands::page::{cut, json};
use crate::commands::printed;
use crate::failure::Failure;
use crate::shown::count;
use crate::shown::text::plain;
use crate::shown::time::{Clock, rfc3339};
use crate::store::reader::Reader;

/// A token, for programs.
#[derive(Serialize)]
struct Object<'a> {
    name: &'a str,
    role: &'a str,
    may: Vec<&'a str>,
    created_at: Option<Timestamp>,
    created_by: Option<&'a str>,
    revoked_at: Option<Timestamp>,
    revoked_by: Option<&'a str>,
}

/// The same as a server writes it.
#[derive(Deserialize)]
struct Told {
    name: Box<str>,
    role: String,
    may: Vec<String>,
    created_at: Option<Timestamp>,
    created_by: Option<Box<str>>,
    revoked_at: Option<Timestamp>,
    revoked_by: Option<Box<str>>,
}

pub(super) fn run(options: &TokenListOptions) -> Result<(), Failure> {
    let TokenListOptions { all, look } = options;
    if let Some(server) = Elsewhere::of(look)? {
        return elsewhere(*all, look.json, &server);
    }
    let read = || -> anyhow::Result<_> { Reader::open(&look.data.file)?.tokens() };
    let mut tokens = read().map_err(Failure::of_database)?;
    tokens.sort_by_key(|token| !token.is_valid());
    let valid = tokens.partition_point(Token::is_valid);
    let revoked = tokens.len() - valid;
    if !all {
        tokens.truncate(valid);
    }
    let (mut out, terminal) = output();
    let done = if look.json {
        json::array(&mut out, tokens.iter().map(object))
    } else {
        let hidden = if *all { 0 } else { revoked };
        write(&mut out, &tokens, hidden, &Clock::system(), terminal)
    };
    printed(done.and_then(|()| out.flush()))
}

/// The same where a server was named.
fn elsewhere(all: bool, as_json: bool, server: &Elsewhere) -> Result<(), Failure> {
    let rows = server.rows("tokens", &Query::new(), None, usize::MAX)?.rows;
    let tokens: Option<Vec<(Token, &Value)>> = rows.iter().map(|row| Some((token(row)?, row))).collect();
    let mut tokens = tokens.ok_or_else(|| server.strange())?;
    tokens.sort_by_key(|(token, _)| !token.is_valid());
    let valid = tokens.partition_point(|(token, _)| token.is_valid());
    let hidden = if all { 0 } else { tokens.len() - valid };
    tokens.truncate(tokens.len() - hidden);
    let (mut out, terminal) = output();
    let done = if as_json {
        json::array(&mut out, tokens.iter().map(|(_, row)| row))
    } else {
        let tokens: Vec<Token> = tokens.into_iter().map(|(token, _)| token).collect();
        write(&mut out, &tokens, hidden, &Clock::system(), terminal)
    };
    printed(done.and_then(|()| out.flush()))
}

/// A token of which a server tells this; `None` if it has words that are not known here.
fn token(row: &Value) -> Option<Token> {
    let told: Told = read(row)?;
    let revoked = told.revoked_at.zip(told.revoked_by);
    Some(Token {
        name: told.name,
        role: Role::from_name(&told.role)?,
        rights: told.may.iter().map(|right| Right::from_name(right)).collect::<Option<_>>()?,
        created_at_ms: told.created_at?.as_millisecond(),
        created_by: told.created_by,
        revoked: revoked.map(|(at, by)| Revoked { at_ms: at.as_millisecond(), by }),
    })
}

fn object(token: &Token) -> Object<'_> {
    let revoked = token.revoked.as_ref();
    Object {
        name: &token.name,
        role: token.role.name(),
        may: token.rights.iter().map(Right::name).collect(),
        created_at: rfc3339(token.created_at_ms),
        created_by: token.created_by.as_deref(),
        revoked_at: revoked.and_then(|revoked| rfc3339(revoked.at_ms)),
        revoked_by: revoked.map(|revoked| &*revoked.by),
    }
}

/// Writes the table. `hidden`: so many were revoked, and are not in it.
fn write(
    out: &mut impl Write,
    tokens: &[Token],
    hidden: usize,
    clock: &Clock,
    terminal: bool,
) -> io::Result<()> {
    if !tokens.is_empty() {
        let columns =
            [words("NAME"), words("ROLE"), words("MAY"), words("MADE"), words("BY"), optional("REVOKED")];
        let texts = |token: &Token| {
            let may: Vec<&str> = token.rights.iter().map(Right::name).collect();
            let revoked = token.revoked.as_ref();
            [
                plain(&token.name),
                token.role.name().to_owned(),
                if may.is_empty() { "-".to_owned() } else { may.join(", ") },
                clock.minute(token.created_at_ms),
                token.created_by.as_deref().map_or_else(|| "the server".to_owned(), |by| cut(&plain(by))),
                revoked.map_or_else(String::new, |revoked| {
                    format!("{} by {}", clock.minute(revoked.at_ms), cut(&plain(&revoked.by)))
                }),
            ]
        };
        let paint = |token: &Token| (!token.is_valid()).then_some((0, Paint::Past));
        table::write(out, columns, tokens, terminal, texts, paint)?;
        writeln!(out)?;
    }
    let shown = count(tokens.len() as u64, "token");
    match hidden {
        0 => writeln!(out, "{shown}"),
        hidden => writeln!(out, "{shown}; {hidden} revoked, which --all shows"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use waterwatch_core::token::{Rights, Role};

    use super::*;

    #[test]
    fn the_table_has_who_may_do_what_and_who_said_so() {
        let clock =
            Clock { now: Timestamp::from_millisecond(1_795_484_760_000).unwrap(), zone: TimeZone::UTC };
        let token = |name, role, rights, by| Token::new(name, role, rights, 1_795_484_760_000, by).unwrap();
        let report = Rights { report: true, ..Rights::default() };
        let mut gone = token("old gateway", Role::Viewer, report, Some("Ana"));
        gone.revoked = Some(Revoked { at_ms: 1_795_488_360_000, by: "user water".into() });
        let tokens = [
            token("Ana", Role::Operator, Rights { acknowledge: true, ..report }, Some("admin")),
            token("admin", Role::Admin, Rights::ALL, None),
            token("wall display", Role::Viewer, Rights::default(), Some("user root")),
            gone,
        ];
        let written = |tokens: &[Token], hidden| {
            let mut out = Vec::new();
            write(&mut out, tokens, hidden, &clock, false).unwrap();
            String::from_utf8(out).unwrap()
        };
        insta::assert_snapshot!(written(&tokens, 0), @r"
        NAME          ROLE      MAY                  MADE              BY          REVOKED
        Ana           operator  acknowledge, report  2026-11-24 01:46  admin
        admin         admin     acknowledge, report  2026-11-24 01:46  the server
        wall display  viewer    -                    2026-11-24 01:46  user root
        old gateway   viewer    report               2026-11-24 01:46  Ana         2026-11-24 02:46 by user water

        4 tokens
        ");
        insta::assert_snapshot!(written(&tokens[..1], 1), @r"
        NAME  ROLE      MAY                  MADE              BY
        Ana   operator  acknowledge, report  2026-11-24 01:46  admin

        1 token; 1 revoked, which --all shows
        ");
        insta::assert_snapshot!(written(&[], 0), @"0 tokens");
        let mut out = Vec::new();
        json::array(&mut out, tokens[2..].iter().map(object)).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        [
          {"name":"wall display","role":"viewer","may":[],"created_at":"2026-11-24T01:46:00Z","created_by":"user root","revoked_at":null,"revoked_by":null},
          {"name":"old gateway","role":"viewer","may":["report"],"created_at":"2026-11-24T01:46:00Z","created_by":"Ana","revoked_at":"2026-11-24T02:46:00Z","revoked_by":"user water"}
        ]
        "#);
    }
}
