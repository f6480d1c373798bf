//! A connection URL, with what the driver does not know of it.

use std::path::Path;

use mysql_async::{Opts, OptsBuilder, SslOpts};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::store::url::{self, check, decoded, problem};
use crate::{ConfigError, tls};

/// How many prepared statements a connection keeps: those of this store, and one for each power of two in `get_many`.
const STATEMENTS: usize = 32;

/// The parameters that there are.
const KNOWN: &str = "`ssl-mode`, `ssl-ca` and `socket`";

/// Reads `mariadb://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE`; `mysql://` means the same. Trusts these
/// certificates, in PEM, beside the others.
pub(super) fn parse(url: &str, certificates: &[Vec<u8>]) -> Result<Opts, ConfigError> {
    check(url)?;
    let rest = url.strip_prefix("mariadb://").or_else(|| url.strip_prefix("mysql://"));
    let rest = rest.ok_or_else(|| problem("it must begin with `mariadb://` or `mysql://`"))?;
    let (target, query) = rest.split_once('?').unwrap_or((rest, ""));
    if query.contains('@') || target.contains('#') {
        return Err(problem(
            "in a name, a password or a value, `@`, `/`, `?` and `#` are percent-encoded: `%40`, `%2F`, `%3F` and `%23`",
        ));
    }
    let parameters = Parameters::parse(query)?;
    // With a socket there need be no host.
    let host = if target.starts_with('/') && parameters.socket.is_some() { "localhost" } else { "" };
    let opts = Opts::from_url(&format!("mysql://{host}{target}")).map_err(|_| {
        problem(
            "it is not of the form mariadb://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE, with one host, and              percent-encoded where a name or a password has one of `@:/?#`",
        )
    })?;
    if opts.ip_or_hostname().contains(',') {
        return Err(problem("it names several hosts, and there can be one"));
    }
    let database = opts.db_name().unwrap_or_default();
    if database.is_empty() {
        return Err(problem("it names no database"));
    }
    if let Some((name, _)) = database.split('&').nth(1).and_then(|parameter| parameter.split_once('=')) {
        // The first parameter follows a `?`, not an `&`.
        return Err(ConfigError::unknown_store_parameter(name, "none before a `?`"));
    }
    // An address of IPv6, which the driver would look up with its brackets as a name.
    let address = opts.ip_or_hostname().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
    let (host, port) = (address.unwrap_or_else(|| opts.ip_or_hostname().to_owned()), opts.tcp_port());
    let builder = OptsBuilder::from_opts(opts)
        .ip_or_hostname(host)
        .tcp_port(port)
        .stmt_cache_size(STATEMENTS)
        .tcp_nodelay(true)
        // Else the driver leaves a connection over TCP for one over a socket by itself.
        .prefer_socket(false)
        .ssl_opts(parameters.tls(certificates)?)
        .socket(parameters.socket);
    Ok(builder.into())
}

/// Where a URL leads, without credentials: host and port, or a socket.
pub(super) fn server(opts: &Opts) -> String {
    match (opts.socket(), opts.ip_or_hostname()) {
        (Some(socket), _) => socket.to_owned(),
        (None, host) if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{}", opts.tcp_port()),
        (None, host) => format!("{host}:{}", opts.tcp_port()),
    }
}

#[derive(Default)]
struct Parameters {
    mode: Mode,
    roots: Option<String>,
    socket: Option<String>,
}

/// Whom to trust, by the names that the client of MariaDB has for it.
#[derive(Clone, Copy, Default, PartialEq)]
enum Mode {
    #[default]
    Disabled,
    Required,
    VerifyIdentity,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, ConfigError> {
        let mut parameters = Self::default();
        for (name, value) in url::parameters(query) {
            match name {
                "ssl-mode" => parameters.mode = Mode::parse(&decoded(value)?)?,
                "ssl-ca" => parameters.roots = Some(decoded(value)?),
                "socket" => parameters.socket = Some(decoded(value)?),
                _ => return Err(ConfigError::unknown_store_parameter(name, KNOWN)),
            }
        }
        match (parameters.mode, &parameters.roots) {
            (Mode::VerifyIdentity, _) | (_, None) => Ok(parameters),
            _ => Err(problem("`ssl-ca` needs `ssl-mode=verify-identity`")),
        }
    }

    fn tls(&self, certificates: &[Vec<u8>]) -> Result<Option<SslOpts>, ConfigError> {
        if self.mode != Mode::VerifyIdentity && !certificates.is_empty() {
            let problem = "the URL does not say `ssl-mode=verify-identity`, so no certificate would be looked at";
            return Err(ConfigError::StoreOption { option: "with_root_certificate", problem });
        }
        if self.mode == Mode::Disabled {
            return Ok(None);
        }
        // The driver asks rustls for the provider of the process and takes no other; rustls panics where two are compiled in
        // and none is installed. An error says that somebody installed one meanwhile.
        let _ = CryptoProvider::install_default(CryptoProvider::clone(&*tls::provider()?));
        let opts = match self.mode {
            Mode::VerifyIdentity => {
                let roots = self.roots(certificates)?.iter().map(|root| root.to_vec().into()).collect();
                SslOpts::default().with_disable_built_in_roots(true).with_root_certs(roots)
            }
            _ => SslOpts::default().with_danger_accept_invalid_certs(true),
        };
        Ok(Some(opts))
    }

    fn roots(&self, certificates: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let invalid = |problem| ConfigError::RootCertificate { problem };
        let mut roots: Vec<CertificateDer<'static>> = match &self.roots {
            Some(path) => {
                let read = CertificateDer::pem_file_iter(Path::new(path)).and_then(Iterator::collect);
                read.map_err(|_| invalid("the file of `ssl-ca` cannot be read as PEM"))?
            }
            None => rustls_native_certs::load_native_certs().certs,
        };
        for pem in certificates {
            let before = roots.len();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots.push(certificate.map_err(|_| invalid("what `with_root_certificate` was given is not PEM"))?);
            }
            if roots.len() == before {
                return Err(invalid("what `with_root_certificate` was given has no certificate in PEM"));
            }
        }
        if roots.is_empty() {
            return Err(invalid("there is none to verify the database server with"));
        }
        Ok(roots)
    }
}

impl Mode {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        match text.to_ascii_lowercase().as_str() {
            "disabled" => Ok(Self::Disabled),
            "required" => Ok(Self::Required),
            "verify-identity" | "verify_identity" => Ok(Self::VerifyIdentity),
            _ => Err(problem("`ssl-mode` is disabled, required or verify-identity")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Opts {
        parse(url, &[]).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn refusal(url: &str) -> String {
        parse(url, &[]).err().unwrap_or_else(|| panic!("{url} is taken")).to_string()
    }

    #[test]
    fn a_url_says_where_and_who() {
        for scheme in ["mariadb", "mysql"] {
            let opts = read(&format!("{scheme}://a%40b:p%3Fw@[::1]:3307/app"));
            assert_eq!((opts.user(), opts.pass(), opts.db_name()), (Some("a@b"), Some("p?w"), Some("app")));
            assert_eq!((opts.tcp_port(), opts.socket(), opts.prefer_socket()), (3307, None, false));
            assert!(opts.ssl_opts().is_none());
            assert_eq!(server(&opts), "[::1]:3307");
        }
        for (url, name, password) in [
            ("mysql://u:p%40s%2Fs%3Aw%23o%3Frd%25@h/app", "u", Some("p@s/s:w#o?rd%")),
            ("mysql://u:p@ss@h/app", "u", Some("p@ss")),
            ("mysql://u:@h/app", "u", None),
            ("mysql://u@h/app", "u", None),
            ("mysql://u%C3%A4:%C3%A4@h/app", "uä", Some("ä")),
        ] {
            let opts = read(url);
            assert_eq!((opts.user(), opts.pass().filter(|pass| !pass.is_empty())), (Some(name), password), "{url}");
            assert_eq!(server(&opts), "h:3306", "{url}");
        }
        for url in
            ["mariadb://root@localhost/app?socket=%2Frun%2Fmy%20sql.sock", "mysql:///app?socket=/run/my%20sql.sock"]
        {
            let opts = read(url);
            assert_eq!((opts.tcp_port(), opts.socket(), opts.db_name()), (3306, Some("/run/my sql.sock"), Some("app")));
            assert_eq!(server(&opts), "/run/my sql.sock");
        }
    }

    #[test]
    fn tls_is_as_strict_as_it_says() {
        let opts = read("mysql://h/app?ssl-mode=REQUIRED");
        assert!(opts.ssl_opts().expect("TLS").accept_invalid_certs());
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let authority = rcgen::generate_simple_self_signed(["ca".to_owned()]).expect("a certificate");
        let authority = pem::encode(&pem::Pem::new("CERTIFICATE", authority.cert.der().to_vec()));
        std::fs::write(&file, &authority).expect("written");
        let url = format!("mysql://h/app?ssl-mode=verify-identity&ssl-ca={}", file.display());
        let strict = |opts: Opts| {
            let tls = opts.ssl_opts().expect("TLS");
            assert!(!tls.accept_invalid_certs() && !tls.skip_domain_validation() && tls.disable_built_in_roots());
            tls.root_certs().len()
        };
        assert_eq!(strict(read(&url)), 1);
        assert_eq!(strict(parse(&url, &[authority.clone().into()]).expect("both")), 2);
        std::fs::write(&file, "nothing").expect("written");
        assert!(matches!(parse(&url, &[]), Err(ConfigError::RootCertificate { .. })));
        let verified = "mysql://h/app?ssl-mode=verify-identity";
        for pem in [&b"nothing"[..], b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(parse(verified, &[pem.into()]), Err(ConfigError::RootCertificate { .. })));
        }
        for lax in ["mysql://h/app", "mysql://h/app?ssl-mode=required"] {
            let error = parse(lax, &[authority.clone().into()]).expect_err("nothing is verified");
            assert!(matches!(error, ConfigError::StoreOption { option: "with_root_certificate", .. }), "{error}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (url, words) in [
            ("postgres://u:secret@h/app", "must begin"),
            ("mysql:u:secret@h/app", "must begin"),
            ("mysql://u:secret@h:port/app", "form"),
            ("mysql://u:secret@a,b/app", "several hosts"),
            ("mysql://u:secret@a:1,b:2/app", "form"),
            ("mysql:///app", "form"),
            ("mysql://u:secret@h", "no database"),
            ("mysql://u:secret@h/", "no database"),
            ("mysql://u:secret@h/?socket=/s", "no database"),
            ("mysql://u:secret?@h/app", "percent-encoded"),
            ("mysql://u:secret#@h/app", "percent-encoded"),
            ("mysql://u:secret/x@h/app", "percent-encoded"),
            ("mysql://u:secret@h/app?ssl-mode=secret", "`ssl-mode` is"),
            ("mysql://u:secret@h/app?ssl-mode=preferred", "`ssl-mode` is"),
            ("mysql://u:secret@h/app?ssl-mode", "`ssl-mode` is"),
            ("mysql://u:secret@h/app?ssl-ca=secret", "needs"),
            ("mysql://u:secret@h/app?socket=%2", "percent"),
            ("mysql://u:secret@h/app?socket=%ff", "percent"),
            ("mysql://u:secret@h/app\n", "white space"),
            (" mysql://u:secret@h/app", "white space"),
            ("mysql://u:sec\nret@h/app", "control"),
        ] {
            let error = refusal(url);
            assert!(error.contains(words) && !error.contains("secret"), "{url:?}: {error}");
        }
    }

    /// What Prisma, SQLAlchemy, Django, Rails, JDBC, Go and the drivers of Node have in their URLs.
    #[test]
    fn a_parameter_that_is_not_known_is_named_without_its_value() {
        for parameter in [
            "connection_limit",
            "pool_timeout",
            "pool_size",
            "pool",
            "pool_max",
            "schema",
            "charset",
            "characterEncoding",
            "serverTimezone",
            "useSSL",
            "allowPublicKeyRetrieval",
            "sslMode",
            "sslmode",
            "sslaccept",
            "sslcert",
            "ssl_ca",
            "ssl",
            "tls",
            "parseTime",
            "reconnect",
            "encoding",
            "connect_timeout",
            "timezone",
            "unix_socket",
            "SSL-MODE",
        ] {
            for url in [
                format!("mysql://u:secret@h/app?{parameter}=secret"),
                format!("mysql://u:secret@h/app?ssl-mode=required&{parameter}=secret"),
                format!("mysql://u:secret@h/app?{parameter}"),
                format!("mysql://u:secret@h/app&{parameter}=secret"),
            ] {
                let error = refusal(&url);
                assert!(error.contains(&format!("`{parameter}`")) && !error.contains("secret"), "{url}: {error}");
                assert!(url.contains('&') || error.contains("`ssl-mode`, `ssl-ca` and `socket`"), "{url}: {error}");
            }
        }
    }
}
