//! A running server as the commands reach it: by its HTTP API, where it says that it
//! hears it, with a token from a file.
//!
//! It speaks plain HTTP, as the server does. It follows no redirect and uses no proxy:
//! a token goes to the server that was named, and to nobody else.

mod error;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::IF_MATCH;
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::ServerOptions;
use crate::failure::Failure;
use crate::store::{access, lock};
use crate::tokens::{self, Secret};
use crate::{endpoint, small_file};

pub use self::error::{HttpError, Refusal};

/// How long reaching the server may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long an answer may take: longer than a server needs to say itself that it does
/// not know (`http_timeout_s`, and ten seconds), unless it was told to wait longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How much of an answer is read: no answer of ours is longer.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(Url);

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<ServerUrl, String> {
        let like = "write it like http://127.0.0.1:8321";
        let url: Url = text.parse().map_err(|error| format!("\"{text}\" is no address: {error}; {like}"))?;
        match url.scheme() {
            "http" => {}
            "https" => {
                return Err(format!(
                    "https is not spoken by these commands; run them on the server's machine, or through a \
                     tunnel (ssh -L 8321:127.0.0.1:8321 HOST), and {like}"
                ));
            }
            _ => return Err(format!("\"{text}\" is no address of a server; {like}")),
        }
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_nobodys = url.username().is_empty() && url.password().is_none();
        match is_bare && is_nobodys {
            true => Ok(ServerUrl(url)),
            false => Err(format!("\"{text}\" is more than where a server is; {like}")),
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// What was said of a server, if nobody said where it is: where its database says
/// that it hears HTTP. One that was killed could not take that back: whoever has its
/// port by now must not be shown a token.
///
/// # Errors
/// If what the database says cannot be read.
pub fn found(data: &Path) -> anyhow::Result<Option<ServerUrl>> {
    let address = endpoint::read(data)?.filter(|_| !lock::has_ended(data));
    let url = |address| ServerUrl::from_str(&format!("http://{address}")).map_err(|why| anyhow!(why));
    address.map(url).transpose()
}

/// A server, and who asks.
#[derive(Debug)]
pub struct HttpClient {
    client: Client,
    server: ServerUrl,
    token: Option<(Secret, PathBuf)>,
}

impl HttpClient {
    /// The server that these options mean, and the token that they name.
    ///
    /// # Errors
    /// If no server is found, or the token cannot be read: it says what to do.
    pub fn of(options: &ServerOptions) -> Result<HttpClient, Failure> {
        let data = &options.data.file;
        let (server, file) = match (&options.server, &options.token_file) {
            // The file beside a database is for the server of that one.
            (Some(_), None) => {
                return Err(Failure::WrongInput(anyhow!(
                    "--server needs --token-file, the file with a token of that server"
                )));
            }
            (Some(server), Some(file)) => (server.clone(), file.clone()),
            (None, file) => {
                let server = found(data)?.ok_or_else(|| nobody(data))?;
                (server, file.clone().unwrap_or_else(|| tokens::file::path(data)))
            }
        };
        let secret = secret(&file)?;
        Ok(HttpClient { token: Some((secret, file)), ..HttpClient::new(server, ANSWER_WITHIN)? })
    }

    /// The server at `server`, for what needs no token. No answer takes longer than
    /// `answer_within`, nor does the server's silence within one.
    ///
    /// # Errors
    /// If this machine cannot speak HTTP at all.
    pub fn new(server: ServerUrl, answer_within: Duration) -> anyhow::Result<HttpClient> {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_WITHIN.min(answer_within))
            .timeout(answer_within)
            .user_agent(concat!("waterwatch/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot speak HTTP")?;
        Ok(HttpClient { client, server, token: None })
    }

    /// Where the server is.
    #[must_use]
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Gets what is at `path`, whose segments may have any letters.
    ///
    /// # Errors
    /// If there is no answer, or it is a problem.
    pub fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, HttpError> {
        self.read(self.request(Method::GET, path, query))
    }

    /// Posts `body` to `path`.
    ///
    /// # Errors
    /// If there is no answer, or it is a problem. [`HttpError::is_open`] says whether it
    /// may have been done all the same.
    pub fn post<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<T, HttpError> {
        self.read(self.request(Method::POST, path, &[]).json(body))
    }

    /// Puts `body` in the place of what is at `path`.
    ///
    /// # Errors
    /// As of [`HttpClient::post`].
    pub fn put<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<T, HttpError> {
        self.read(self.request(Method::PUT, path, &[]).json(body))
    }

    /// The same, but only while what is there has this tag.
    ///
    /// # Errors
    /// As of [`HttpClient::post`]; 412 if it has another one.
    pub fn put_if<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        tag: &str,
        body: &impl Serialize,
    ) -> Result<T, HttpError> {
        let request = self.request(Method::PUT, path, query).header(IF_MATCH, format!("\"{tag}\""));
        self.read(request.json(body))
    }

    /// Deletes what is at `path`.
    ///
    /// # Errors
    /// As of [`HttpClient::post`].
    pub fn delete<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, HttpError> {
        self.read(self.request(Method::DELETE, path, query))
    }

    /// An answer that is well, and whose body is read by the caller.
    ///
    /// # Errors
    /// As of [`HttpClient::get`].
    pub fn open(&self, request: RequestBuilder) -> Result<Response, HttpError> {
        let response = request.send().map_err(|error| HttpError::of_sending(&self.server, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = body(response).unwrap_or_default();
        let token_file = self.token.as_ref().map(|(_, file)| file.clone());
        Err(HttpError::of_answer(&self.server, status.as_u16(), &body, token_file))
    }

    /// A request that is not sent yet.
    pub fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.server.0.clone();
        // It is an http address, which has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.client.request(method, url);
        match &self.token {
            Some((secret, _)) => request.bearer_auth(secret.reveal()),
            None => request,
        }
    }

    fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, HttpError> {
        let response = self.open(request)?;
        let status = response.status().as_u16();
        let server = || self.server.clone();
        let body =
            body(response).map_err(|error| HttpError::Lost { server: server(), why: error.to_string() })?;
        if body.len() as u64 > BODY_BYTES_MAX {
            return Err(HttpError::TooLong { server: server(), bytes_max: BODY_BYTES_MAX });
        }
        serde_json::from_slice(&body).map_err(|_| HttpError::Strange { server: server(), status })
    }
}

/// The body of an answer; a byte more than it may have shows that it has more.
fn body(response: Response) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    response.take(BODY_BYTES_MAX + 1).read_to_end(&mut body)?;
    Ok(body)
}

/// That no server of this database says where it hears HTTP, and what to do.
fn nobody(data: &Path) -> anyhow::Error {
    let shown = data.display();
    if let Some(denial) = access::denial(data) {
        return anyhow!("cannot find the server of the database {shown}: {denial}");
    }
    if !data.exists() {
        return anyhow!(
            "there is no database {shown}: name it with --data, or where its server is with --server"
        );
    }
    anyhow!(
        "no server runs on the database {shown}, or it hears no HTTP (--http off): start it, or say with \
         --server where another one is"
    )
}

fn secret(file: &Path) -> anyhow::Result<Secret> {
    let shown = file.display();
    let line = match small_file::read(file) {
        Ok(Some(line)) => line,
        Ok(None) => bail!(
            "there is no token file {shown}: put a token into one, as `waterwatch token add` prints it, and \
             name it with --token-file"
        ),
        Err(error) => match access::other_owner(file) {
            Some(owner) => bail!(
                "cannot read the token file {shown}: {error}; run as {owner}, or name a file with another token \
                 (--token-file)"
            ),
            None => bail!("cannot read the token file {shown}: {error}"),
        },
    };
    Secret::parse(&line).with_context(|| {
        format!("the file {shown} has no token, which is one line as `waterwatch token add` prints it")
    })
}

#[cfg(test)]
mod tests;
