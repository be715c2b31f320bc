//! The tokens of a running server.
//!
//! Only the server may change its database, and nothing else on this machine can ask
//! it to.

use anyhow::anyhow;
use waterwatch_core::Token;

use crate::store::lock::InUse;
use crate::tokens::Secret;

/// The server that has the database.
pub(super) struct Remote {
    in_use: InUse,
}

impl Remote {
    pub(super) fn of(in_use: InUse) -> Remote {
        Remote { in_use }
    }

    /// Has it make a token like this one, and gives its secret.
    pub(super) fn add(&self, _wanted: &Token) -> anyhow::Result<Secret> {
        Err(self.refusal())
    }

    /// Has it revoke the token of this name.
    pub(super) fn revoke(&self, _name: &str) -> anyhow::Result<()> {
        Err(self.refusal())
    }

    fn refusal(&self) -> anyhow::Error {
        anyhow!("tokens are changed while no server runs: {}", self.in_use)
    }
}
