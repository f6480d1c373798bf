//! The URLs that name servers, and what they say.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

use crate::ConfigError;

/// Where one server listens.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp(String, u16),
    #[cfg(unix)]
    Socket(std::path::PathBuf),
}

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

impl Location {
    pub(super) fn parse(url: &str) -> Result<Self, ConfigError> {
        let (scheme, rest) = url.split_once("://").ok_or(problem("it must begin with `redis://` or a like scheme"))?;
        let (cluster, tls, scheme) = match scheme {
            "redis" => (false, false, "redis"),
            "rediss" => (false, true, "redis"),
            "redis+cluster" => (true, false, "redis"),
            "rediss+cluster" => (true, true, "redis"),
            "redis+unix" => (false, false, "redis+unix"),
            _ => return Err(problem("its scheme is none of Redis")),
        };
        if rest.contains('#') {
            return Err(problem("a `#` is not allowed; in a password it is `%23`"));
        }
        let (before, hosts) = match rest.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), rest),
        };
        let parse = |host: &str| {
            let server = format!("{scheme}://{before}{host}").into_connection_info();
            server.map_err(|_| problem("a host, port, name, password or database in it is malformed"))
        };
        let (target, login) = if cluster {
            let servers = hosts.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
            let seeds = servers.iter().map(|server| Address::new(server.addr())).collect::<Result<_, _>>()?;
            let mut logins = servers.iter().map(ConnectionInfo::redis_settings);
            if logins.any(|login| login.db() != 0) {
                return Err(problem("a Cluster has one database only, so none can be named"));
            }
            let login = servers.first().map(ConnectionInfo::redis_settings).cloned().unwrap_or_default();
            (Target::Cluster(seeds), login)
        } else {
            if hosts.contains(',') {
                return Err(problem("several servers are for `redis+cluster:` or `rediss+cluster:`"));
            }
            let server = parse(hosts)?;
            (Target::One(Address::new(server.addr())?), server.redis_settings().clone())
        };
        let login = login.set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
        Ok(Self { target, tls, login })
    }
}

impl Address {
    fn new(address: &ConnectionAddr) -> Result<Self, ConfigError> {
        match address {
            ConnectionAddr::Tcp(host, port) => Ok(Self::Tcp(host.clone(), *port)),
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => Ok(Self::Socket(path.clone())),
            _ => Err(problem("it names no server that can be reached on this system")),
        }
    }

    /// The server that another one of a Cluster names; a host that is not told is the one that was asked.
    pub(super) fn named(host: &str, port: u16, asked: &Self) -> Option<Self> {
        match (host, asked) {
            // What a Cluster calls a server whose name it does not know.
            ("?", _) => None,
            ("", Self::Tcp(host, _)) => Some(Self::Tcp(host.clone(), port)),
            #[cfg(unix)]
            ("", Self::Socket(_)) => None,
            (host, _) => Some(Self::Tcp(host.to_owned(), port)),
        }
    }
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
    fn a_host_that_is_not_told_is_the_one_that_was_asked() {
        assert!(Address::named("", 2, &tcp("a", 1)) == Some(tcp("a", 2)));
        assert!(Address::named("b", 2, &tcp("a", 1)) == Some(tcp("b", 2)));
        assert!(Address::named("?", 2, &tcp("a", 1)).is_none());
    }
}
