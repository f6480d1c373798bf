//! Where one server listens.

use std::fmt;

use redis::ConnectionAddr;

/// Where one server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp(String, u16),
    #[cfg(unix)]
    Socket(std::path::PathBuf),
}

impl Address {
    /// `None`: no server that can be reached on this system.
    pub(super) fn new(address: &ConnectionAddr) -> Option<Self> {
        match address {
            ConnectionAddr::Tcp(host, port) => Some(Self::Tcp(host.clone(), *port)),
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => Some(Self::Socket(path.clone())),
            _ => None,
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

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_not_told_is_the_one_that_was_asked() {
        let tcp = |host: &str, port| Address::Tcp(host.to_owned(), port);
        assert!(Address::named("", 2, &tcp("a", 1)) == Some(tcp("a", 2)));
        assert!(Address::named("b", 2, &tcp("a", 1)) == Some(tcp("b", 2)));
        assert!(Address::named("?", 2, &tcp("a", 1)).is_none());
    }

    #[test]
    fn an_address_is_shown_as_it_is_written() {
        assert_eq!(Address::Tcp("::1".to_owned(), 1).to_string(), "[::1]:1");
        assert_eq!(Address::Tcp("a".to_owned(), 1).to_string(), "a:1");
    }
}
