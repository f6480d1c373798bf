//! A connection URL as libpq reads it, with what the driver does not know of it.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{Roots, Trust};
use crate::ConfigError;
use crate::store::url::{check, decoded, parameters, problem};

/// Where to connect to, and whom to trust there.
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) trust: Trust,
    pub(super) roots: Roots,
    /// A pooler is in between, which gives each transaction another connection to the server.
    pub(super) pooled: bool,
}

/// How long a connection may be idle before the system asks whether the other side is still there: some firewalls
/// forget a connection after a few minutes.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The parameters that there are, each with the values that it takes.
const PARAMETERS: &[(&str, &str)] = &[
    ("application_name", "`application_name` is a text"),
    ("channel_binding", "`channel_binding` is disable, prefer or require"),
    ("connect_timeout", "`connect_timeout` is a number of seconds"),
    ("dbname", "`dbname` is a text"),
    ("host", "`host` is the name of a host, or the folder of a socket"),
    ("hostaddr", "`hostaddr` is an address, or several with commas between"),
    ("keepalives", "`keepalives` is 0 or 1"),
    ("keepalives_idle", "`keepalives_idle` is a number of seconds"),
    ("keepalives_interval", "`keepalives_interval` is a number of seconds"),
    ("keepalives_retries", "`keepalives_retries` is a number"),
    ("load_balance_hosts", "`load_balance_hosts` is disable or random"),
    ("options", "`options` is a text"),
    ("password", "`password` is a text"),
    ("pgbouncer", "`pgbouncer` is true or false"),
    ("pooler", "`pooler` is transaction, statement, session or none"),
    ("port", "`port` is a number, or several with commas between"),
    ("sslmode", SSLMODE),
    ("sslnegotiation", "`sslnegotiation` is postgres or direct"),
    ("sslrootcert", "`sslrootcert` is a file, or `system`"),
    ("target_session_attrs", "`target_session_attrs` is any, read-write or read-only"),
    ("tcp_user_timeout", "`tcp_user_timeout` is a number of seconds"),
    ("user", "`user` is a text"),
];

const SSLMODE: &str = "`sslmode` is disable, allow, prefer, require, verify-ca or verify-full";

/// The names of [`PARAMETERS`], for who wrote another one.
const KNOWN: &str = "`application_name`, `channel_binding`, `connect_timeout`, `dbname`, `host`, `hostaddr`, `keepalives`, \
    `keepalives_idle`, `keepalives_interval`, `keepalives_retries`, `load_balance_hosts`, `options`, `password`, \
    `pgbouncer`, `pooler`, `port`, `sslmode`, `sslnegotiation`, `sslrootcert`, `target_session_attrs`, \
    `tcp_user_timeout` and `user`";

impl Target {
    /// Reads a URL; what it leaves open is chosen so that no call outlasts its deadline by much.
    pub(super) fn parse(url: &str, deadline: Duration) -> Result<Self, ConfigError> {
        check(url)?;
        let parts = Parts::of(url)?;
        let (mut own, mut rest) = (Own::default(), Vec::new());
        for (name, value) in parameters(parts.query) {
            // libpq has another name for it than the driver.
            let name = if name == "keepalives_count" { "keepalives_retries" } else { name };
            let (_, values) = PARAMETERS
                .iter()
                .find(|(known, _)| *known == name)
                .ok_or_else(|| ConfigError::unknown_store_parameter(name, KNOWN))?;
            if own.take(name, value, values)? {
                continue;
            }
            // The driver takes an `@` for the end of a password.
            let parameter = format!("{name}={}", value.replace('@', "%40"));
            format!("postgres://?{parameter}").parse::<Config>().map_err(|_| problem(values))?;
            rest.push(parameter);
        }
        let mut config: Config =
            format!("postgres://{}{}?{}", parts.credentials, parts.place, rest.join("&")).parse().map_err(|_| {
                problem(
                    "it is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE, percent-encoded \
                     where a name or a password has one of `@:/?#`",
                )
            })?;
        let nameless = |host: &Host| matches!(host, Host::Tcp(name) if name.is_empty());
        if config.get_hosts().iter().any(nameless)
            || (config.get_hosts().is_empty() && config.get_hostaddrs().is_empty())
        {
            return Err(problem("it names no host, or one of several is empty"));
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
        if !rest.iter().any(|parameter| parameter.starts_with("keepalives_idle=")) {
            config.keepalives_idle(KEEPALIVE);
        }
        let pooled = own.pooled;
        let (mode, trust, roots) = own.trust()?;
        config.ssl_mode(mode);
        Ok(Self { config, trust, roots, pooled })
    }

    /// Where it leads, without credentials: each host with its port, or the folder of its socket.
    pub(super) fn server(&self) -> String {
        let ports = self.config.get_ports();
        let names: Vec<_> = match self.config.get_hosts() {
            [] => self.config.get_hostaddrs().iter().map(|address| bracketed(&address.to_string())).collect(),
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

/// A URL, taken apart.
struct Parts<'a> {
    /// With the `@` behind them; an `@` in a password is percent-encoded.
    credentials: String,
    /// Hosts and database.
    place: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, ConfigError> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| problem("it must begin with `postgres://` or `postgresql://`"))?;
        let end = end_of_credentials(rest);
        let (credentials, rest) = rest.split_at(end);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if place.contains('@') {
            return Err(problem(
                "in a name or a password, `@`, `/` and `?` are percent-encoded: `%40`, `%2F` and `%3F`",
            ));
        }
        let credentials = match credentials.strip_suffix('@') {
            Some(credentials) => format!("{}@", credentials.replace('@', "%40")),
            None => String::new(),
        };
        Ok(Self { credentials, place, query })
    }
}

/// The place behind the `@` that ends name and password, in which there may be a `?`, `/` or another `@`; 0 if there is
/// none.
fn end_of_credentials(rest: &str) -> usize {
    // An `@` behind the name of a parameter is in its value; behind one that is not known, if there is a host before it
    // and no password.
    let is_value = |at: usize| {
        let Some((place, query)) = rest[..at].split_once('?') else { return false };
        let parameter = query.rsplit('&').next().and_then(|parameter| parameter.split_once('='));
        parameter.is_some_and(|(name, _)| PARAMETERS.iter().any(|(known, _)| *known == name) || is_place(place))
    };
    let Some(mut end) = rest.find('@').filter(|at| !is_value(*at)).map(|at| at + 1) else { return 0 };
    while let Some(more) = rest[end..].split(['/', '?']).next().and_then(|hosts| hosts.find('@')) {
        end += more + 1;
    }
    end
}

/// Whether a text can be hosts and a database only: what follows a colon, which would separate a password, is a port.
fn is_place(text: &str) -> bool {
    let hosts = text.split_once('/').map_or(text, |(hosts, _)| hosts);
    text.contains('/')
        && hosts.split(',').all(|host| {
            let port = if host.starts_with('[') { host.split_once("]:") } else { host.split_once(':') };
            port.is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

/// The parameters that the driver does not know, or of which it knows only some values.
#[derive(Default)]
struct Own {
    mode: Option<String>,
    roots: Option<String>,
    pooled: bool,
}

impl Own {
    /// Whether it is one of them.
    fn take(&mut self, name: &str, value: &str, values: &'static str) -> Result<bool, ConfigError> {
        match name {
            "sslmode" => self.mode = Some(decoded(value)?),
            "sslrootcert" => self.roots = Some(decoded(value)?),
            "pooler" => {
                self.pooled = match value {
                    "transaction" | "statement" | "session" => true,
                    "none" => false,
                    _ => return Err(problem(values)),
                }
            }
            "pgbouncer" => match value {
                "true" => self.pooled = true,
                "false" => {}
                _ => return Err(problem(values)),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What those about TLS mean to libpq.
    fn trust(self) -> Result<(SslMode, Trust, Roots), ConfigError> {
        let system = self.roots.as_deref() == Some("system");
        let trusted = self.roots.is_some();
        let (mode, trust) = match self.mode.as_deref() {
            Some("verify-full") => (SslMode::Require, Trust::Named),
            None if system => (SslMode::Require, Trust::Named),
            Some(_) if system => return Err(problem("`sslrootcert=system` needs `sslmode=verify-full`")),
            Some("verify-ca") => (SslMode::Require, Trust::Signed),
            Some("require") if trusted => (SslMode::Require, Trust::Signed),
            Some("require") => (SslMode::Require, Trust::Anybody),
            Some("prefer" | "allow") | None => (SslMode::Prefer, Trust::Anybody),
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            Some(_) => return Err(problem(SSLMODE)),
        };
        let roots = match self.roots {
            Some(path) if !system => Roots::File(path.into()),
            _ => Roots::System,
        };
        Ok((mode, trust, roots))
    }
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => bracketed(name),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
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
    fn a_url_says_where_and_who() {
        for (url, user, password, name, server) in [
            ("postgres://u:p%40s%2Fs%3Aw%23o%3Frd%25@h/app", "u", "p@s/s:w#o?rd%", "app", "h:5432"),
            ("postgres://u:p@ss@h/app?connect_timeout=1", "u", "p@ss", "app", "h:5432"),
            ("postgres://u:p?a=/@h/app", "u", "p?a=/", "app", "h:5432"),
            ("postgres://u:@h:6543/app", "u", "", "app", "h:6543"),
            ("postgresql://u:p@[::1]:7/app", "u", "p", "app", "[::1]:7"),
            ("postgres://u:p@a:1,b,[::2]:3/app", "u", "p", "app", "a:1,b:5432,[::2]:3"),
            ("postgres://u:p@%2Frun%2Fpg/app", "u", "p", "app", "/run/pg/.s.PGSQL.5432"),
            ("postgres:///app?host=/run/pg&port=7&user=u&password=p", "u", "p", "app", "/run/pg/.s.PGSQL.7"),
            ("postgres://u:p@/app?hostaddr=::1,127.0.0.1", "u", "p", "app", "[::1]:5432,127.0.0.1:5432"),
            ("postgres://u%C3%A4:%C3%A4@h/a%20b", "uä", "ä", "a b", "h:5432"),
            ("postgres://h:1/app?user=u&password=p@ss&dbname=x@y", "u", "p@ss", "x@y", "h:1"),
        ] {
            let target = target(url);
            assert_eq!(target.config.get_user(), Some(user), "{url}");
            assert_eq!(target.config.get_password().unwrap_or_default(), password.as_bytes(), "{url}");
            assert_eq!((target.config.get_dbname(), target.server().as_str()), (Some(name), server), "{url}");
        }
    }

    #[test]
    fn a_pooler_is_told_by_the_url() {
        for (query, pooled) in [
            ("", false),
            ("?pooler=transaction", true),
            ("?pooler=statement&sslmode=require", true),
            ("?pooler=session", true),
            ("?pooler=none", false),
            ("?sslmode=disable&pgbouncer=true", true),
            ("?pgbouncer=false", false),
        ] {
            assert_eq!(target(&format!("postgres://u:p@h/app{query}")).pooled, pooled, "{query}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_being_repeated() {
        for (url, words) in [
            ("postgres://", "no host"),
            ("postgres://user:secret@/name", "no host"),
            ("postgres://user:secret@a,/name", "empty"),
            ("postgres://user:secret@host:port/name", "form"),
            ("postgres://user:secret@host:99999/name", "form"),
            ("postgres://user:secret@[::1/name", "form"),
            ("postgres://user:se@c/ret@host/name", "percent-encoded"),
            ("host=h user=user password=secret", "must begin"),
            ("mysql://user:secret@host/name", "must begin"),
            ("postgres:user:secret@host/name", "must begin"),
            ("postgres://user:secret@host/name\n", "white space"),
            ("\tpostgres://user:secret@host/name", "white space"),
            ("postgres://user:sec\nret@host/name", "control"),
            ("postgres://user:secret@host/name?sslmode=secret", "`sslmode` is"),
            ("postgres://user:secret@host/name?sslmode", "`sslmode` is"),
            ("postgres://user:secret@host/name?sslmode=require&sslrootcert=system", "needs"),
            ("postgres://user:secret@host/name?sslrootcert=%ff", "percent"),
            ("postgres://user:secret@host/name?pooler=secret", "`pooler` is"),
            ("postgres://user:secret@host/name?pgbouncer", "`pgbouncer` is"),
            ("postgres://user:secret@host/name?connect_timeout=secret", "`connect_timeout` is"),
            ("postgres://user:secret@host/name?port=secret", "`port` is"),
            ("postgres://user:secret@host/name?hostaddr=secret", "`hostaddr` is"),
            ("postgres://user:secret@host/name?channel_binding=secret", "`channel_binding` is"),
            ("postgres://user:secret@host/name?target_session_attrs=secret", "`target_session_attrs` is"),
            ("postgres://user:secret@host/name?keepalives_idle=secret", "`keepalives_idle` is"),
        ] {
            let error = Target::parse(url, SECOND).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(error.to_string().contains(words), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{url}: {error:?}");
        }
    }

    /// What Prisma, SQLAlchemy, Django, Rails, JDBC, Go and libpq itself have in their URLs.
    #[test]
    fn a_parameter_that_is_not_known_is_named_without_its_value() {
        for parameter in [
            "schema",
            "connection_limit",
            "pool_timeout",
            "pool_size",
            "pool",
            "max_overflow",
            "socket_timeout",
            "statement_cache_size",
            "sslcert",
            "sslkey",
            "sslpassword",
            "sslidentity",
            "sslaccept",
            "ssl",
            "sslmode2",
            "currentSchema",
            "search_path",
            "statement_timeout",
            "encoding",
            "client_encoding",
            "gssencmode",
            "prepareThreshold",
            "binary_parameters",
            "pool_max_conns",
            "default_query_exec_mode",
            "conn_max_age",
            "SSLMODE",
            "service",
            "passfile",
            "timezone",
        ] {
            for url in [
                format!("postgres://u:secret@h/app?{parameter}=secret"),
                format!("postgres://u:secret@h/app?sslmode=require&{parameter}=secret"),
                format!("postgres://u:secret@h/app?{parameter}"),
                format!("postgres://h/app?{parameter}=secret@x"),
                format!("postgres://h:5432,[::1]:5433/app?{parameter}=secret@x/y"),
            ] {
                let error = Target::parse(&url, SECOND).err().unwrap_or_else(|| panic!("{url} is taken")).to_string();
                assert!(error.contains(&format!("`{parameter}`")) && !error.contains("secret"), "{url}: {error}");
                assert!(PARAMETERS.iter().all(|(known, _)| error.contains(&format!("`{known}`"))), "{url}: {error}");
            }
        }
        let same = target("postgres://h/app?keepalives_count=3").config;
        assert_eq!(same.get_keepalives_retries(), Some(3));
    }
}
