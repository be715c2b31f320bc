//! Tokens that are added and revoked: their part of a draft; and the same without a
//! writer's thread, at a first start and for whoever works on the database of a server
//! that does not run.

use waterwatch_core::Token;
use waterwatch_core::alarm::{self, Kind, Ledger, Rejected};
use waterwatch_core::token::{Digest, Revoked, Rights, Role, TOKENS_EVER_MAX, TOKENS_MAX};

use super::draft::Draft;
use crate::store::{Batch, Store, StoreError, Tokens};

/// A token that is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// What the ledger is to call whoever has it.
    pub name: &'a str,
    /// What it may do.
    pub role: Role,
    /// What it may do beyond that.
    pub rights: Rights,
    /// The digest of its secret.
    pub digest: Digest,
}

/// Adds a token where no writer runs; `by` nobody if the server does it of itself.
/// What the ledger says of it says nothing of when a server was at work.
///
/// # Errors
/// Those of [`Store::commit`]; within, why it cannot be.
pub fn add_token<S: Store>(
    store: &mut S,
    new: &NewToken<'_>,
    by: Option<&str>,
    now_ms: i64,
) -> Result<Result<(), Rejected>, StoreError> {
    alone(store, now_ms, |draft, known| draft.add_token(known, new, by))
}

/// Revokes a token where no writer runs.
///
/// # Errors
/// Those of [`Store::commit`]; within, why it cannot be.
pub fn revoke_token<S: Store>(
    store: &mut S,
    name: &str,
    by: &str,
    now_ms: i64,
) -> Result<Result<(), Rejected>, StoreError> {
    alone(store, now_ms, |draft, known| draft.revoke_token(known, name, by))
}

/// One batch that has nothing else: no time passes in it, and nobody was heard.
fn alone<S: Store>(
    store: &mut S,
    now_ms: i64,
    change: impl FnOnce(&mut Draft, Option<&Tokens>) -> Result<(), Rejected>,
) -> Result<Result<(), Rejected>, StoreError> {
    let batch = Batch { received_at_ms: now_ms, sequence: store.sequence(), ..Batch::default() };
    let mut draft = Draft::default();
    draft.batch = batch;
    match change(&mut draft, store.tokens()) {
        Ok(()) => store.commit(&draft.batch).map(Ok),
        Err(rejected) => Ok(Err(rejected)),
    }
}

impl Draft {
    /// Adds a token, if there may be one more and nobody has, or had, its name.
    pub(super) fn add_token(
        &mut self,
        known: Option<&Tokens>,
        new: &NewToken<'_>,
        by: Option<&str>,
    ) -> Result<(), Rejected> {
        let by = by.map(alarm::name).transpose()?;
        let &NewToken { name, role, rights, digest } = new;
        let token = Token::new(name, role, rights, self.batch.received_at_ms, by)?;
        if let Some((_, taken)) = self.token_named(known, &token.name) {
            return Err(Rejected::TokenNameTaken { name: token.name, is_revoked: !taken.is_valid() });
        }
        let is_taken = known.is_some_and(|known| known.get(&digest).is_some())
            || self.batch.tokens.iter().any(|(other, _)| *other == digest);
        if is_taken {
            return Err(Rejected::TokenSecretTaken);
        }
        // Those that this batch revokes make room for the next one.
        let added = self.batch.tokens.iter().filter(|(_, token)| token.is_valid()).count();
        if known.map_or(0, Tokens::count_valid) + added >= TOKENS_MAX {
            return Err(Rejected::TokensMax { tokens_max: TOKENS_MAX });
        }
        if known.map_or(0, Tokens::len) + self.batch.tokens.len() >= TOKENS_EVER_MAX {
            return Err(Rejected::TokensEverMax { tokens_max: TOKENS_EVER_MAX });
        }
        self.tell_of(Kind::TokenAdded, by, &token);
        self.batch.tokens.push((digest, token));
        Ok(())
    }

    /// Revokes a token, unless nobody could change tokens and settings any more.
    pub(super) fn revoke_token(
        &mut self,
        known: Option<&Tokens>,
        name: &str,
        by: &str,
    ) -> Result<(), Rejected> {
        let by = alarm::name(by)?;
        let name = name.trim();
        let Some((digest, token)) = self.token_named(known, name) else {
            return Err(Rejected::NoSuchToken { name: name.into() });
        };
        if let Some(Revoked { at_ms, by }) = token.revoked {
            return Err(Rejected::TokenAlreadyRevoked { by, at_ms });
        }
        if token.role == Role::Admin && self.is_last_admin(known, &token) {
            return Err(Rejected::LastAdmin { name: token.name });
        }
        let revoked = Some(Revoked { at_ms: self.batch.received_at_ms, by: by.into() });
        self.tell_of(Kind::TokenRevoked, Some(by), &token);
        // Each is in the batch once.
        self.batch.tokens.retain(|(other, _)| *other != digest);
        self.batch.tokens.push((digest, Token { revoked, ..token }));
        Ok(())
    }

    /// The token of this name after the batch so far.
    fn token_named(&self, known: Option<&Tokens>, name: &str) -> Option<(Digest, Token)> {
        let in_batch = self.batch.tokens.iter().find(|(_, token)| *token.name == *name);
        in_batch.cloned().or_else(|| {
            let (digest, token) = known?.named(name)?;
            Some((digest, Token::clone(&token)))
        })
    }

    fn is_last_admin(&self, known: Option<&Tokens>, token: &Token) -> bool {
        let in_batch = |name: &str| self.batch.tokens.iter().find(|(_, token)| *token.name == *name);
        let known = known.map_or_else(Vec::new, Tokens::admins);
        let mut others = known.iter().filter(|name| ***name != *token.name && in_batch(name).is_none());
        let mut new =
            self.batch.tokens.iter().filter(|(_, other)| {
                other.is_valid() && other.role == Role::Admin && other.name != token.name
            });
        others.next().is_none() && new.next().is_none()
    }

    fn tell_of(&mut self, kind: Kind, by: Option<&str>, token: &Token) {
        let Batch { sequence, events, received_at_ms, .. } = &mut self.batch;
        Ledger { sequence, events }.of_token(kind, by, &token.described(), *received_at_ms);
    }
}
