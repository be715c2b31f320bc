//! A program that uses the HTTP API, as an integrator's would.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::harness::{PATIENCE, Server, wait_for};

/// Who asks, and where.
#[derive(Clone)]
pub struct Api {
    /// Where it is.
    pub address: SocketAddr,
    client: Client,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; null if it is no JSON.
    pub body: Value,
    /// The media type.
    pub media_type: String,
}

impl Api {
    /// Whoever has this token.
    pub fn new(address: SocketAddr, token: Option<&str>) -> Api {
        let client = Client::builder().timeout(PATIENCE + Duration::from_secs(10)).build().expect("a client");
        Api { address, client, token: token.map(str::to_owned) }
    }

    /// The same with another token, or with none.
    pub fn with_token(&self, token: Option<&str>) -> Api {
        Api { token: token.map(str::to_owned), ..self.clone() }
    }

    /// A request that is not sent yet.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request.
    pub fn send(request: RequestBuilder) -> Answer {
        let response = request.send().expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().expect("a body");
        let media_type = headers.get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(media_type, "application/problem+json", "{status}: {text}");
        }
        Answer { status: status.as_u16(), body: serde_json::from_str(&text).unwrap_or_default(), media_type }
    }

    /// Gets a page.
    pub fn get(&self, path: &str) -> Answer {
        Api::send(self.request(Method::GET, path))
    }

    /// What Prometheus sees.
    pub fn metrics(&self) -> String {
        let response = self.request(Method::GET, "/metrics").send().expect("an answer");
        assert_eq!(response.status(), 200);
        let media_type = response.headers()["content-type"].to_str().unwrap();
        assert!(media_type.starts_with("application/openmetrics-text; version=1.0.0"), "{media_type}");
        response.text().expect("a text")
    }

    /// One value of that; `None` if it is not there.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let text = self.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map(|value| value.parse().expect("a number"))
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        Api::send(self.request(Method::POST, path).json(body))
    }

    /// Puts JSON.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        Api::send(self.request(Method::PUT, path).json(body))
    }

    /// Deletes a thing.
    pub fn delete(&self, path: &str) -> Answer {
        Api::send(self.request(Method::DELETE, path))
    }
}

impl Answer {
    /// The body of an answer that is well.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK.as_u16(), "{}", self.body);
        self.body
    }

    /// The detail of a problem with this status.
    pub fn problem(&self, status: u16) -> &str {
        assert_eq!(
            (self.status, self.body["status"].as_u64()),
            (status, Some(status.into())),
            "{}",
            self.body
        );
        let kind = self.body["type"].as_str().expect("a type");
        assert!(kind.starts_with("urn:waterwatch:problem:"), "{kind}");
        self.body["detail"].as_str().expect("a detail")
    }
}

impl Server {
    /// Its HTTP API, as the admin whose token the first start made.
    pub fn api(&self) -> Api {
        let address = wait_for("the server to listen for HTTP", || {
            let printed = self.running.printed();
            let address = printed.lines().find_map(|line| line.strip_prefix("listening http "));
            address.map(str::to_owned)
        });
        let token = self.token();
        Api::new(address.parse().expect("an address"), Some(&token))
    }

    /// The secret of that token.
    pub fn token(&self) -> String {
        let mut path = self.data.clone().into_os_string();
        path.push(".token");
        std::fs::read_to_string(path).expect("a token").trim().to_owned()
    }
}
