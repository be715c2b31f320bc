//! Who may speak to the server over HTTP: finding a token by its secret, and the first
//! token of all, which a server makes for whoever can read its files.

pub mod file;
mod secret;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use waterwatch_core::Token;
use waterwatch_core::token::{Rights, Role};

use crate::store::{Store, StoreError, Tokens};
use crate::writer::{self, NewToken};

pub use self::secret::Secret;

/// What the first token is called. It is made by the server, for nobody in particular.
const ADMIN: &str = "admin";

impl Tokens {
    /// The valid token of this secret, as somebody sends it; `None` if it is none, or
    /// was revoked.
    #[must_use]
    pub fn find(&self, secret: &str) -> Option<Arc<Token>> {
        self.valid(&Secret::parse(secret)?.digest())
    }
}

/// Sees to it that somebody can manage the server: if there is no valid token of an
/// admin, one is made, and its secret put into a file beside the database. Else the log
/// says so if what is in that file opens nothing.
///
/// Stations are heard without tokens. So what only keeps one from being made is logged,
/// and the next start tries again.
///
/// # Errors
/// If the database can no longer be trusted.
pub fn see_to_an_admin<S: Store>(store: &mut S, data: &Path, now_ms: i64) -> anyhow::Result<()> {
    let Some(tokens) = store.tokens().cloned() else { return Ok(()) };
    if tokens.admins().is_empty() {
        return make_an_admin(store, &tokens, data, now_ms);
    }
    let path = file::path(data);
    match file::read(data) {
        Ok(None) => {}
        Ok(Some(secret)) if tokens.find(secret.reveal()).is_some() => {}
        Ok(Some(_)) => tracing::warn!(
            file = %path.display(),
            "the token in this file is not valid any more, so commands that need the running server cannot \
             use it; put another one there, or delete it"
        ),
        Err(error) => tracing::warn!("{error:#}"),
    }
    if file::is_open_to_others(data) {
        tracing::warn!(
            file = %path.display(),
            "others can read the token in this file: revoke it, and add another one"
        );
    }
    Ok(())
}

/// The file comes first. If the process dies before the database has the token, there
/// is still no admin, and the next start makes another one; the other way round there
/// would be one whose secret nobody has.
fn make_an_admin<S: Store>(store: &mut S, tokens: &Tokens, data: &Path, now_ms: i64) -> anyhow::Result<()> {
    let secret = match Secret::random().context("no random numbers for a token") {
        Ok(secret) => secret,
        Err(error) => {
            tracing::error!("no token of an admin is made: {error:#}");
            return Ok(());
        }
    };
    if let Err(error) = file::write(data, &secret) {
        tracing::error!("no token of an admin is made: {error:#}");
        return Ok(());
    }
    let name = free_name(tokens);
    let new = NewToken { name: &name, role: Role::Admin, rights: Rights::ALL, digest: secret.digest() };
    match writer::add_token(store, &new, None, now_ms) {
        Ok(Ok(())) => tracing::info!(
            name,
            file = %file::path(data).display(),
            "made a token of an admin: its secret is in this file, which only its owner can read"
        ),
        Ok(Err(rejected)) => tracing::error!("no token of an admin is made: {rejected}"),
        Err(StoreError::Unavailable(reason)) => {
            tracing::error!("no token of an admin is made, since it cannot be stored: {reason}");
        }
        Err(error) => bail!("a token of an admin may have been stored or not: {error}"),
    }
    Ok(())
}

/// `admin`, or `admin-2` if there was one before.
fn free_name(tokens: &Tokens) -> String {
    if tokens.named(ADMIN).is_none() {
        return ADMIN.to_owned();
    }
    // There are more names than tokens.
    let mut others = (2..).map(|number: u32| format!("{ADMIN}-{number}"));
    others.find(|name| tokens.named(name).is_none()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
