//! `waterwatch token …`: who may speak to the HTTP API.
//!
//! While no server runs, the database is changed as the server would change it. While
//! one does, it is the server's alone, and the server is asked (`remote`). Looking
//! needs neither.

mod list;
mod remote;

use std::io::Write;

use anyhow::anyhow;
use jiff::Timestamp;
use serde::Serialize;
use waterwatch_core::Token;
use waterwatch_core::token::{Right, Rights};

use super::alarm::output;
use super::page::json;
use super::printed;
use crate::cli::{ServerOptions, TokenAddOptions, TokenCommand, TokenRevokeOptions};
use crate::failure::Failure;
use crate::shown::text::plain;
use crate::store::lock::InUse;
use crate::store::sqlite::SqliteStore;
use crate::store::{access, stopped};
use crate::tokens::Secret;
use crate::writer::{self, NewToken};

/// Does what was asked of the tokens.
///
/// # Errors
/// If there is no database of ours, it cannot be read or changed, or what was asked
/// for cannot be.
pub fn run(command: &TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Add(options) => add(options),
        TokenCommand::List(options) => list::run(options),
        TokenCommand::Revoke(options) => revoke(options),
    }
}

/// A token that was made, for programs.
#[derive(Serialize)]
struct Made<'a> {
    name: &'a str,
    role: &'a str,
    may: Vec<&'a str>,
    secret: &'a str,
}

/// A token that was revoked, for programs.
#[derive(Serialize)]
struct Gone<'a> {
    name: &'a str,
    revoked: bool,
}

fn add(options: &TokenAddOptions) -> Result<(), Failure> {
    let TokenAddOptions { name, role, may, server, json } = options;
    let rights: Rights = may.iter().copied().collect();
    let wanted = Token::new(name, *role, rights, 0, None).map_err(Failure::wrong_input)?;
    let secret = match changeable(server)? {
        Way::Stopped(mut store) => {
            let secret = Secret::random()?;
            let new = NewToken { name, role: *role, rights, digest: secret.digest() };
            writer::add_token(&mut *store, &new, Some(&access::this_user()), now_ms())??;
            secret
        }
        Way::Running(remote) => remote.add(&wanted)?,
    };
    let (mut out, terminal) = output();
    let done = if *json {
        let may = rights.iter().map(Right::name).collect();
        let made = Made { name: &wanted.name, role: role.name(), may, secret: secret.reveal() };
        json::object(&mut out, &made)
    } else {
        writeln!(out, "{}", secret.reveal())
    };
    done.and_then(|()| out.flush()).map_err(|error| {
        anyhow!(
            "the token {0} was made, and its secret is lost, since it could not be written to standard output \
             ({error}): revoke it (`waterwatch token revoke {0}`), and add another one",
            plain(&wanted.name)
        )
    })?;
    if terminal {
        // For the eyes alone: what is printed is the secret, and nothing else.
        let _ = writeln!(std::io::stderr(), "this is shown once: keep it where it is safe");
    }
    Ok(())
}

fn revoke(options: &TokenRevokeOptions) -> Result<(), Failure> {
    let TokenRevokeOptions { name, server, json } = options;
    let name = name.trim();
    match changeable(server)? {
        Way::Stopped(mut store) => {
            writer::revoke_token(&mut *store, name, &access::this_user(), now_ms())??;
        }
        Way::Running(remote) => remote.revoke(name)?,
    }
    let (mut out, _) = output();
    let done = if *json {
        json::object(&mut out, &Gone { name, revoked: true })
    } else {
        writeln!(out, "revoked {}", plain(name))
    };
    printed(done.and_then(|()| out.flush()))
}

/// How the tokens of a database are changed.
enum Way {
    /// No server runs, and none can start meanwhile.
    Stopped(Box<SqliteStore>),
    /// A server has it.
    Running(remote::Remote),
}

fn changeable(options: &ServerOptions) -> Result<Way, Failure> {
    if options.server.is_some() {
        return Ok(Way::Running(remote::Remote::of(options)?));
    }
    match stopped::open(&options.data.file) {
        Ok(store) => Ok(Way::Stopped(Box::new(store))),
        Err(error) if error.is::<InUse>() => Ok(Way::Running(remote::Remote::of(options)?)),
        Err(error) => Err(Failure::of_database(error)),
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
