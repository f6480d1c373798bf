//! A connection URL as libpq reads it, with what the driver does not know of it.

use std::borrow::Cow;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{Roots, Trust};
use crate::ConfigError;

/// Where to connect to, and whom to trust there.
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) trust: Trust,
    pub(super) roots: Roots,
}

/// How long a connection may be idle before the system asks whether the other side is still there: some firewalls
/// forget a connection after a few minutes.
const KEEPALIVE: Duration = Duration::from_secs(60);

impl Target {
    /// Reads a URL; what it leaves open is chosen so that no call outlasts its deadline by much.
    pub(super) fn parse(url: &str, deadline: Duration) -> Result<Self, ConfigError> {
        let mut tls = Tls::default();
        let mut config: Config = tls.take_out_of(url)?.parse().map_err(|_| ConfigError::StoreUrl {
            problem: "it is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE",
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(ConfigError::StoreUrl { problem: "it names no host" });
        }
        if config.get_application_name().is_none() {
            config.application_name("tower-user-metadata");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(deadline);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(deadline);
        }
        if !url.contains("keepalives_idle") {
            config.keepalives_idle(KEEPALIVE);
        }
        let (mode, trust, roots) = tls.meaning()?;
        config.ssl_mode(mode);
        Ok(Self { config, trust, roots })
    }

    /// Where it leads, without credentials: each host with its port, or the folder of its socket.
    pub(super) fn server(&self) -> String {
        let ports = self.config.get_ports();
        let hosts = self.config.get_hosts();
        let names: Vec<_> = match hosts {
            [] => self.config.get_hostaddrs().iter().map(ToString::to_string).collect(),
            hosts => hosts.iter().map(name).collect(),
        };
        let with_port = |(n, name): (usize, String)| {
            let port = ports.get(n).or(ports.first()).copied().unwrap_or(5432);
            if name.starts_with('/') { format!("{name}/.s.PGSQL.{port}") } else { format!("{name}:{port}") }
        };
        names.into_iter().enumerate().map(with_port).collect::<Vec<_>>().join(",")
    }

    /// Has the server end what takes longer than a call may take; else it would go on for somebody who has left, and
    /// hold its locks.
    pub(super) fn limit_statements(&mut self, deadline: Duration) {
        let options = self.config.get_options().unwrap_or_default();
        if let (false, Ok(deadline)) = (options.contains("statement_timeout"), i32::try_from(deadline.as_millis())) {
            let options = format!("{options} -c statement_timeout={}", deadline.max(1));
            self.config.options(options.trim_start());
        }
    }
}

/// The parameters of a URL that say whom to trust; the driver knows only some values of them.
#[derive(Default)]
struct Tls<'a> {
    mode: Option<Cow<'a, str>>,
    roots: Option<Cow<'a, str>>,
}

impl<'a> Tls<'a> {
    /// The URL without these parameters.
    fn take_out_of(&mut self, url: &'a str) -> Result<String, ConfigError> {
        // A password may hold a question mark, and must not hold an at sign.
        let credentials = url.find('@').map_or(0, |at| at + 1);
        let Some(question) = url[credentials..].find('?').map(|at| credentials + at) else { return Ok(url.to_owned()) };
        let (target, query) = (&url[..question], &url[question + 1..]);
        let mut rest = Vec::new();
        for parameter in query.split('&') {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => self.mode = Some(decoded(value)?),
                Some(("sslrootcert", value)) => self.roots = Some(decoded(value)?),
                _ => rest.push(parameter),
            }
        }
        Ok(if rest.is_empty() { target.to_owned() } else { format!("{target}?{}", rest.join("&")) })
    }

    /// What the parameters mean to libpq.
    fn meaning(self) -> Result<(SslMode, Trust, Roots), ConfigError> {
        let system = self.roots.as_deref() == Some("system");
        let trusted = self.roots.is_some();
        let (mode, trust) = match self.mode.as_deref() {
            Some("verify-full") => (SslMode::Require, Trust::Named),
            None if system => (SslMode::Require, Trust::Named),
            Some(_) if system => {
                return Err(ConfigError::StoreUrl { problem: "`sslrootcert=system` needs `sslmode=verify-full`" });
            }
            Some("verify-ca") => (SslMode::Require, Trust::Signed),
            Some("require") if trusted => (SslMode::Require, Trust::Signed),
            Some("require") => (SslMode::Require, Trust::Anybody),
            Some("prefer" | "allow") | None => (SslMode::Prefer, Trust::Anybody),
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            Some(_) => {
                let problem = "`sslmode` is disable, allow, prefer, require, verify-ca or verify-full";
                return Err(ConfigError::StoreUrl { problem });
            }
        };
        let roots = match self.roots {
            Some(path) if !system => Roots::File(path.into_owned().into()),
            _ => Roots::System,
        };
        Ok((mode, trust, roots))
    }
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(name) if name.contains(':') => format!("[{name}]"),
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    }
}

/// The text that a percent-encoded one stands for.
fn decoded(text: &str) -> Result<Cow<'_, str>, ConfigError> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| ConfigError::StoreUrl { problem: "a parameter is not percent-encoded UTF-8" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn target(url: &str) -> Target {
        Target::parse(url, SECOND).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn meaning(query: &str) -> (SslMode, Trust, Roots) {
        let target = target(&format!("postgres://user:p?ss@host/name{query}"));
        assert_eq!(target.config.get_password(), Some(&b"p?ss"[..]), "{query}");
        assert_eq!(target.config.get_dbname(), Some("name"), "{query}");
        (target.config.get_ssl_mode(), target.trust, target.roots)
    }

    #[test]
    fn whom_to_trust_is_as_libpq_has_it() {
        let file = |path: &str| Roots::File(path.into());
        for (query, mode, trust, roots) in [
            ("", SslMode::Prefer, Trust::Anybody, Roots::System),
            ("?sslmode=disable", SslMode::Disable, Trust::Anybody, Roots::System),
            ("?sslmode=allow", SslMode::Prefer, Trust::Anybody, Roots::System),
            ("?sslmode=prefer&connect_timeout=3", SslMode::Prefer, Trust::Anybody, Roots::System),
            ("?connect_timeout=3&sslmode=require", SslMode::Require, Trust::Anybody, Roots::System),
            ("?sslmode=require&sslrootcert=/a%20b.pem", SslMode::Require, Trust::Signed, file("/a b.pem")),
            ("?sslmode=verify-ca", SslMode::Require, Trust::Signed, Roots::System),
            ("?sslrootcert=ca.pem&sslmode=verify-full", SslMode::Require, Trust::Named, file("ca.pem")),
            ("?sslmode=verify-full", SslMode::Require, Trust::Named, Roots::System),
            ("?sslrootcert=system", SslMode::Require, Trust::Named, Roots::System),
        ] {
            assert_eq!(meaning(query), (mode, trust, roots), "{query}");
        }
    }

    #[test]
    fn what_is_left_open_is_bounded_and_what_is_said_stays() {
        let open = target("postgresql://host").config;
        assert_eq!(open.get_application_name(), Some("tower-user-metadata"));
        assert_eq!(open.get_connect_timeout(), Some(&SECOND));
        assert_eq!(open.get_tcp_user_timeout(), Some(&SECOND));
        assert_eq!(open.get_keepalives_idle(), KEEPALIVE);
        let said = "postgres://host?application_name=x&connect_timeout=7&tcp_user_timeout=8&keepalives_idle=9";
        let said = target(said).config;
        assert_eq!(said.get_application_name(), Some("x"));
        assert_eq!(said.get_connect_timeout(), Some(&Duration::from_secs(7)));
        assert_eq!(said.get_tcp_user_timeout(), Some(&Duration::from_secs(8)));
        assert_eq!(said.get_keepalives_idle(), Duration::from_secs(9));
    }

    #[test]
    fn statements_end_with_the_deadline_unless_the_url_says_when() {
        for (query, options) in [
            ("", "-c statement_timeout=1000"),
            ("?options=-c%20search_path%3Dapp", "-c search_path=app -c statement_timeout=1000"),
            ("?options=-c%20statement_timeout%3D7", "-c statement_timeout=7"),
        ] {
            let mut target = target(&format!("postgres://host/name{query}"));
            target.limit_statements(SECOND);
            assert_eq!(target.config.get_options(), Some(options));
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_being_repeated() {
        for url in [
            "postgres://",
            "postgres://user:secret@/name",
            "postgres://user:secret@host:port/name",
            "postgres://user:secret@host/name?sslmode=secret",
            "postgres://user:secret@host/name?secret=1",
            "postgres://user:secret@host/name?sslmode=require&sslrootcert=system",
            "postgres://user:secret@host/name?sslrootcert=%ff",
        ] {
            let error = Target::parse(url, SECOND).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(!format!("{error} {error:?}").contains("secret"), "{url}: {error:?}");
        }
    }
}
