//! Reads the URL of a store: the servers, whether they speak TLS, and the login.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

use super::address::Address;
use crate::ConfigError;

/// The servers that a URL names.
#[derive(Clone, PartialEq)]
pub(super) enum Target {
    One(Address),
    /// Some servers of a Cluster, by which the others are found.
    Cluster(Vec<Address>),
}

/// What a URL says.
pub(super) struct Location {
    pub(super) target: Target,
    pub(super) tls: bool,
    /// Name, password and database.
    pub(super) login: RedisConnectionInfo,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(server) => server.fmt(f),
            Self::Cluster(seeds) => {
                let seeds = seeds.iter().map(Address::to_string).collect::<Vec<_>>();
                f.write_str(&seeds.join(","))
            }
        }
    }
}

impl Location {
    pub(super) fn parse(url: &str) -> Result<Self, ConfigError> {
        if url.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(problem(
                "it has white space, a line end or a control character; in a name, a password or a path these are \
                 percent-encoded",
            ));
        }
        let (scheme, rest) = url.split_once("://").ok_or(problem("it must begin with `redis://` or a like scheme"))?;
        let (cluster, tls) = match scheme {
            "redis" | "redis+unix" => (false, false),
            "rediss" => (false, true),
            "redis+cluster" => (true, false),
            "rediss+cluster" => (true, true),
            _ => return Err(problem("its scheme is none of Redis")),
        };
        if rest.contains('#') {
            return Err(problem("a `#` is not allowed; in a password it is `%23`"));
        }
        if scheme == "redis+unix" {
            return Self::socket(rest);
        }
        let (before, rest) = match rest.rsplit_once('@') {
            Some((user, _)) if user.contains(['/', '?']) => {
                return Err(problem("it has a `/` or `?` before its last `@`; in a password they are `%2F` and `%3F`"));
            }
            Some((user, rest)) => (format!("{user}@"), rest),
            None => (String::new(), rest),
        };
        let (hosts, query) = rest.split_once('?').unwrap_or((rest, ""));
        let known = if cluster { "`protocol`" } else { "`db` and `protocol`" };
        let mut database = None;
        for (name, value) in parameters(query) {
            match name {
                "protocol" => check_protocol(value)?,
                "db" if value.is_empty() => return Err(problem("the parameter `db` has no number")),
                "db" if !cluster && database.is_none() => database = Some(value),
                "db" if !cluster => return Err(problem("the parameter `db` is there twice")),
                _ => return Err(unknown(name, known)),
            }
        }
        let parse = |host: &str| {
            let server = format!("redis://{before}{host}").into_connection_info();
            server.map_err(|_| problem("a host, port, name, password or database in it is malformed"))
        };
        if cluster {
            return Self::cluster(&hosts.split(',').map(parse).collect::<Result<Vec<_>, _>>()?, tls);
        }
        if hosts.contains(',') {
            return Err(problem("several servers are for `redis+cluster:` or `rediss+cluster:`"));
        }
        let host = match database {
            None => hosts.to_owned(),
            Some(_) if hosts.trim_end_matches('/').contains('/') => {
                return Err(problem("it names the database twice, in the path and by `db`"));
            }
            Some(database) => format!("{}/{database}", hosts.trim_end_matches('/')),
        };
        Self::one(&parse(&host)?, tls)
    }

    fn socket(rest: &str) -> Result<Self, ConfigError> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !path.starts_with('/') {
            return Err(problem("the path of a socket is absolute: `redis+unix:///path`"));
        }
        for (name, value) in parameters(query) {
            match name {
                "protocol" => check_protocol(value)?,
                "db" | "user" | "pass" => {}
                _ => return Err(unknown(name, "`db`, `user`, `pass` and `protocol`")),
            }
        }
        let server = format!("redis+unix://{rest}").into_connection_info();
        Self::one(&server.map_err(|_| problem("the path or a parameter of it is malformed"))?, false)
    }

    fn one(server: &ConnectionInfo, tls: bool) -> Result<Self, ConfigError> {
        Ok(Self { target: Target::One(address(server)?), tls, login: login(server) })
    }

    fn cluster(servers: &[ConnectionInfo], tls: bool) -> Result<Self, ConfigError> {
        if servers.iter().any(|server| server.redis_settings().db() != 0) {
            return Err(problem("a Cluster has one database only, so none can be named"));
        }
        let seeds = servers.iter().map(address).collect::<Result<_, _>>()?;
        let login = servers.first().map(login).unwrap_or_default();
        Ok(Self { target: Target::Cluster(seeds), tls, login })
    }
}

fn address(server: &ConnectionInfo) -> Result<Address, ConfigError> {
    Address::new(server.addr()).ok_or(problem("it names no server that can be reached on this system"))
}

fn login(server: &ConnectionInfo) -> RedisConnectionInfo {
    server.redis_settings().clone().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name()
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

/// Other clients are told by it what to speak. Here each connection speaks what it needs, so that the choice has no effect.
fn check_protocol(value: &str) -> Result<(), ConfigError> {
    match value {
        "2" | "3" | "resp2" | "resp3" => Ok(()),
        _ => Err(problem("`protocol` is `resp2` or `resp3`")),
    }
}

fn unknown(name: &str, known: &'static str) -> ConfigError {
    ConfigError::unknown_store_parameter(name, known)
}

fn problem(problem: &'static str) -> ConfigError {
    ConfigError::StoreUrl { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    fn target(url: &str) -> Option<Target> {
        Location::parse(url).ok().map(|location| location.target)
    }

    #[test]
    fn a_url_names_servers() {
        assert!(target("redis://localhost") == Some(Target::One(tcp("localhost", 6379))));
        assert!(target("rediss://[::1]:7000/3") == Some(Target::One(tcp("::1", 7000))));
        let several = target("redis+cluster://u:p@a:1,b:2,[::1]:3");
        assert!(several == Some(Target::Cluster(vec![tcp("a", 1), tcp("b", 2), tcp("::1", 3)])));
        #[cfg(unix)]
        {
            let socket = Target::One(Address::Socket("/run/redis.sock".into()));
            assert!(target("redis+unix:///run/redis.sock") == Some(socket));
        }
        for url in [
            "redis:",
            "redis://",
            "http://localhost",
            "redis://a,b",
            "rediss://a#insecure",
            "redis://:pass#word@a",
            "redis://a/x",
            "redis+cluster://a,b/1",
            "redis+cluster://a,,b",
        ] {
            assert!(matches!(Location::parse(url), Err(ConfigError::StoreUrl { .. })), "{url}");
        }
    }

    #[test]
    fn a_login_is_decoded() {
        let location = Location::parse("rediss://al%69ce:p%40%23@a:1/2").expect("a location");
        assert_eq!((location.login.username(), location.login.password()), (Some("alice"), Some("p@#")));
        assert_eq!((location.login.db(), location.tls), (2, true));
        let location = Location::parse("redis+cluster://:p@a,b").expect("a location");
        assert_eq!((location.login.password(), location.tls), (Some("p"), false));
    }

    #[test]
    fn a_parameter_is_known_or_named() {
        let database = |url: &str| Location::parse(url).expect("a location").login.db();
        assert_eq!(database("redis://a?db=3"), 3);
        assert_eq!(database("redis://:p@a:1/?db=3&protocol=resp3"), 3);
        assert_eq!(database("redis://a/4?protocol=2&"), 4);
        assert_eq!(database("redis+unix:///run/redis.sock?db=5&user=a&pass=b&protocol=resp2"), 5);
        assert!(Location::parse("redis+cluster://a,b?protocol=resp3").is_ok());
        for (url, name) in [
            ("rediss://:secret@a?ssl_cert_reqs=none", "ssl_cert_reqs"),
            ("redis://a/0?timeout=secret", "timeout"),
            ("redis://a?db=1&DB=2", "DB"),
            ("redis://a?pass=secret", "pass"),
            ("redis+cluster://a,b?db=1", "db"),
            ("redis+unix:///run/redis.sock?password=secret", "password"),
            ("redis+unix:///run/redis.sock?socket_timeout", "socket_timeout"),
            ("redis://a?sec%72et=1", "another"),
        ] {
            let error = Location::parse(url).err().expect(url);
            let shown = format!("{error} {error:?}");
            assert!(matches!(error, ConfigError::UnknownStoreParameter { .. }), "{url}: {shown}");
            assert!(shown.contains(name) && shown.contains("protocol") && !shown.contains("secret"), "{shown}");
        }
        for url in
            ["redis://a/1?db=2", "redis://a?db=1&db=2", "redis://a?db=x", "redis://a?protocol=4", "redis://a?db="]
        {
            assert!(matches!(Location::parse(url), Err(ConfigError::StoreUrl { .. })), "{url}");
        }
    }

    #[test]
    fn nothing_but_graphic_characters_is_taken_and_no_password_is_shown() {
        for url in [
            "redis://localhost\n",
            "redis://localhost ",
            " redis://localhost",
            "redis://local\thost",
            "redis://localhost\r\n",
            "redis://localhost/0\n",
            "redis://:secret\n@localhost",
            "redis://:sec ret@localhost",
            "redis://localhost\0",
            "redis://localhost\u{a0}",
            "redis+unix:///run/redis.sock\n",
            "redis+unix:///run/my secret/redis.sock",
            "redis+unix://run/redis.sock",
            "redis+cluster://a, b",
            "redis://:sec?ret@localhost",
            "redis://:sec/ret@localhost",
            "redis://u:secret@localhost:99999",
            "redis://u:secret@",
            "redis://u:secret",
        ] {
            let error = Location::parse(url).err().expect(url);
            let shown = format!("{error} {error:?}");
            assert!(matches!(error, ConfigError::StoreUrl { .. }) && !shown.contains("sec"), "{url:?}: {shown}");
        }
    }
}
