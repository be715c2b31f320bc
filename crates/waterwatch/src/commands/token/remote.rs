//! The tokens of a running server: it is asked by HTTP, with a token of an admin.

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use waterwatch_core::Token;
use waterwatch_core::token::Right;

use crate::cli::ServerOptions;
use crate::failure::Failure;
use crate::http_client::HttpClient;
use crate::tokens::Secret;

/// The command that shows which there are.
const LOOK: &str = "waterwatch token list";

/// The server that has the database.
pub(super) struct Remote(HttpClient);

/// A token that is to be made.
#[derive(Serialize)]
struct Wanted<'a> {
    name: &'a str,
    role: &'a str,
    may: Vec<&'a str>,
}

/// A token that was made.
#[derive(Deserialize)]
struct Made {
    secret: String,
}

impl Remote {
    /// # Errors
    /// If it hears no HTTP, or there is no token for it.
    pub(super) fn of(options: &ServerOptions) -> Result<Remote, Failure> {
        HttpClient::of(options).map(Remote)
    }

    /// Has it make a token like this one, and gives its secret.
    pub(super) fn add(&self, wanted: &Token) -> Result<Secret, Failure> {
        let may = wanted.rights.iter().map(Right::name).collect();
        let order = Wanted { name: &wanted.name, role: wanted.role.name(), may };
        let made: Made =
            self.0.post(&["api", "v1", "tokens"], &order).map_err(|error| error.of_a_change(LOOK))?;
        let secret = Secret::parse(&made.secret);
        Ok(secret.context("the server made a token, and its secret cannot be read: revoke it")?)
    }

    /// Has it revoke the token of this name.
    pub(super) fn revoke(&self, name: &str) -> Result<(), Failure> {
        if matches!(name, "" | "." | "..") {
            // It cannot be a part of an address; no token that anybody needs is called so.
            return Err(Failure::Failed(anyhow!("there is no token \"{name}\"")));
        }
        let path = ["api", "v1", "tokens", name];
        let IgnoredAny = self.0.delete(&path, &[]).map_err(|error| error.of_a_change(LOOK))?;
        Ok(())
    }
}
