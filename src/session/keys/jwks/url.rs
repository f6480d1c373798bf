//! Which URLs keys are fetched from.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;

use crate::ConfigError;

/// Reads the URL of a key server: https, unless the server is on this machine or the danger was accepted.
pub(super) fn parse(url: &str, allow_http: bool) -> Result<Uri, ConfigError> {
    let refused = |problem| Err(ConfigError::JwksUrl { problem });
    let Ok(uri) = url.trim().parse::<Uri>() else { return refused("it is malformed") };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return refused("it does not begin with `https://` and a host");
    };
    if authority.as_str().contains('@') {
        return refused("it holds credentials, which would be sent in the clear or not at all");
    }
    if authority.host().is_empty() {
        return refused("it has no host");
    }
    match scheme {
        "https" => Ok(uri),
        "http" if allow_http || is_loopback(authority.host()) => Ok(uri),
        "http" => refused("keys come by https, or by http from a loopback address"),
        _ => refused("its scheme is not `https`"),
    }
}

/// The URLs of the key sets of a SuperTokens core, from its connection URI: one or several hosts with an optional path,
/// separated by semicolons.
pub(super) fn of_supertokens_core(connection_uri: &str) -> impl Iterator<Item = String> {
    let hosts = connection_uri.split(';').map(str::trim).filter(|host| !host.is_empty());
    hosts.map(|host| format!("{}/.well-known/jwks.json", host.trim_end_matches('/')))
}

/// The URL as it may be logged: without its query, which may hold a key to the key server.
pub(super) fn shown(uri: &Uri) -> String {
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |a| a.as_str()));
    format!("{scheme}://{authority}{}", uri.path())
}

fn is_loopback(host: &str) -> bool {
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match ipv6 {
        Some(address) => address.parse() == Ok(Ipv6Addr::LOCALHOST),
        None => host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_or_loopback() {
        for url in [
            "https://auth.example.com/.well-known/jwks.json",
            "HTTPS://auth.example.com",
            "http://127.0.0.1:3567/jwks",
            "http://127.8.9.10/",
            "http://[::1]:3567/",
            "http://localhost",
            "http://LocalHost:1/x?y=z",
        ] {
            assert!(parse(url, false).is_ok(), "{url}");
        }
        for url in [
            "",
            "/jwks.json",
            "auth.example.com",
            "auth.example.com/jwks.json",
            "http://auth.example.com/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example.com/",
            "http://127.1/",
            "http://localhost.example.com/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
            "https://user:password@auth.example.com/",
            "https://user@127.0.0.1/",
            "http://127.0.0.1:80@example.com/",
            "file:///etc/passwd",
            "ftp://127.0.0.1/",
            "https://",
            "https:///jwks.json",
            "https://auth.example.com/a b",
            "https://auth.example.com/\n.",
        ] {
            assert!(parse(url, false).is_err(), "{url}");
        }
        assert!(parse("http://auth.example.com/", true).is_ok());
        assert!(parse("http://user@auth.example.com/", true).is_err());
        assert!(parse("ftp://auth.example.com/", true).is_err());
    }

    #[test]
    fn queries_are_not_shown() {
        let url = parse("https://auth.example.com:8443/jwks?key=secret", false).expect("a URL");
        assert_eq!(shown(&url), "https://auth.example.com:8443/jwks");
    }

    #[test]
    fn connection_uris_of_supertokens() {
        let urls: Vec<_> = of_supertokens_core("http://localhost:3567/appid-a/ ; https://core.example.com;").collect();
        assert_eq!(
            urls,
            ["http://localhost:3567/appid-a/.well-known/jwks.json", "https://core.example.com/.well-known/jwks.json"]
        );
    }
}
