//! Where the server is: a host and a port, as a person writes them.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// A server's `HOST:PORT`. The host may be a name, which is looked up for
/// each connection: the server may move while a station runs for years.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

/// Why a text is no [`ServerAddress`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; write it like 127.0.0.1:54321")]
pub struct WrongServerAddress {
    reason: &'static str,
}

impl FromStr for ServerAddress {
    type Err = WrongServerAddress;

    fn from_str(text: &str) -> Result<ServerAddress, WrongServerAddress> {
        parse(text).map_err(|reason| WrongServerAddress { reason })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn parse(text: &str) -> Result<ServerAddress, &'static str> {
    if text.ends_with(']') || text.parse::<Ipv6Addr>().is_ok() {
        return Err("no port, or an IPv6 address without brackets as in [::1]:54321");
    }
    let (host, port) = text.rsplit_once(':').ok_or("no port")?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or("the bracket is not closed")?,
        None if host.contains("//") => return Err("only a host and a port are meant, no URL"),
        None if host.contains(':') => return Err("an IPv6 address needs brackets as in [::1]:54321"),
        None => host,
    };
    if host.is_empty() {
        return Err("no host");
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err("the host is neither a name nor an address");
    }
    if port.is_empty() {
        return Err("no port");
    }
    let port = Some(port)
        .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|port| port.parse().ok())
        .filter(|&port| port != 0)
        .ok_or("the port is not a number from 1 to 65535")?;
    Ok(ServerAddress { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_addresses() {
        for (text, host, port) in [
            ("127.0.0.1:54321", "127.0.0.1", 54321),
            ("water.example:1", "water.example", 1),
            ("[::1]:65535", "::1", 65535),
            ("[fe80::1%eth0]:54321", "fe80::1%eth0", 54321),
        ] {
            let address: ServerAddress = text.parse().unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, reason) in [
            ("", "no port"),
            ("water.example", "no port"),
            ("water.example:", "no port"),
            (":54321", "no host"),
            ("[]:54321", "no host"),
            ("::1", "IPv6"),
            ("[::1]", "IPv6"),
            ("fe80::1%eth0:54321", "IPv6"),
            ("[::1:54321", "bracket"),
            ("water.example:0", "from 1 to 65535"),
            ("water.example:65536", "from 1 to 65535"),
            ("water.example:+1", "from 1 to 65535"),
            ("water.example:http", "from 1 to 65535"),
            ("http://water.example:80", "no URL"),
            ("water example:54321", "neither a name"),
        ] {
            let error = text.parse::<ServerAddress>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
