//! A connection URL, with what the driver does not know of it.

use std::path::Path;

use mysql_async::{Opts, OptsBuilder, SslOpts};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::{ConfigError, tls};

/// How many prepared statements a connection keeps: those of this store, and one for each power of two in `get_many`.
const STATEMENTS: usize = 32;

/// Reads `mariadb://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE`; `mysql://` means the same.
pub(super) fn parse(url: &str) -> Result<Opts, ConfigError> {
    let rest = url.strip_prefix("mariadb://").or_else(|| url.strip_prefix("mysql://"));
    let rest = rest.ok_or_else(|| refused("it must begin with `mariadb://` or `mysql://`"))?;
    let (target, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let opts = Opts::from_url(&format!("mysql://{target}"))
        .map_err(|_| refused("it is not of the form mariadb://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE"))?;
    if opts.db_name().is_none_or(str::is_empty) {
        return Err(refused("it names no database"));
    }
    let parameters = Parameters::parse(parameters)?;
    let builder = OptsBuilder::from_opts(opts)
        .stmt_cache_size(STATEMENTS)
        .tcp_nodelay(true)
        // Else the driver leaves a connection over TCP for one over a socket by itself.
        .prefer_socket(false)
        .socket(parameters.socket.clone())
        .ssl_opts(parameters.tls()?);
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

fn refused(problem: &'static str) -> ConfigError {
    ConfigError::StoreUrl { problem }
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
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut parameters = Self::default();
        for parameter in text.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = decoded(value).ok_or_else(|| refused("a parameter is not percent-encoded UTF-8"))?;
            match name {
                "ssl-mode" => parameters.mode = Mode::parse(&value)?,
                "ssl-ca" => parameters.roots = Some(value),
                "socket" => parameters.socket = Some(value),
                _ => return Err(refused("its parameters can be ssl-mode, ssl-ca and socket")),
            }
        }
        match (parameters.mode, &parameters.roots) {
            (Mode::VerifyIdentity, _) | (_, None) => Ok(parameters),
            _ => Err(refused("`ssl-ca` needs `ssl-mode=verify-identity`")),
        }
    }

    fn tls(&self) -> Result<Option<SslOpts>, ConfigError> {
        if self.mode == Mode::Disabled {
            return Ok(None);
        }
        // The driver asks rustls for the provider of the process and takes no other; rustls panics where two are compiled in
        // and none is installed. An error says that somebody installed one meanwhile.
        let _ = CryptoProvider::install_default(CryptoProvider::clone(&*tls::provider()?));
        let opts = match self.mode {
            Mode::VerifyIdentity => {
                let roots = self.roots()?.iter().map(|root| root.to_vec().into()).collect();
                SslOpts::default().with_disable_built_in_roots(true).with_root_certs(roots)
            }
            _ => SslOpts::default().with_danger_accept_invalid_certs(true),
        };
        Ok(Some(opts))
    }

    fn roots(&self) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let roots: Vec<CertificateDer<'static>> = match &self.roots {
            Some(path) => {
                let read = CertificateDer::pem_file_iter(Path::new(path)).and_then(Iterator::collect);
                read.map_err(|_| ConfigError::RootCertificate {
                    problem: "the file of `ssl-ca` cannot be read as PEM",
                })?
            }
            None => rustls_native_certs::load_native_certs().certs,
        };
        if roots.is_empty() {
            return Err(ConfigError::RootCertificate { problem: "there is none to verify the database server with" });
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
            _ => Err(refused("`ssl-mode` is disabled, required or verify-identity")),
        }
    }
}

/// The text that a percent-encoded one stands for.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = (part.get(..2)?, part.get(2..)?);
        if !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> &'static str {
        match parse(url) {
            Err(ConfigError::StoreUrl { problem }) => problem,
            Err(_) => panic!("another error"),
            Ok(_) => panic!("{url} is taken"),
        }
    }

    #[test]
    fn a_url_says_where_and_who() {
        for scheme in ["mariadb", "mysql"] {
            let opts = parse(&format!("{scheme}://a%40b:p%3Fw@[::1]:3307/app")).expect("valid");
            assert_eq!((opts.user(), opts.pass(), opts.db_name()), (Some("a@b"), Some("p?w"), Some("app")));
            assert_eq!((opts.tcp_port(), opts.socket(), opts.prefer_socket()), (3307, None, false));
            assert!(opts.ssl_opts().is_none());
        }
        let opts = parse("mariadb://root@localhost/app?socket=%2Frun%2Fmy%20sql.sock").expect("valid");
        assert_eq!((opts.tcp_port(), opts.socket()), (3306, Some("/run/my sql.sock")));
    }

    #[test]
    fn tls_is_as_strict_as_it_says() {
        let opts = parse("mysql://h/app?ssl-mode=REQUIRED").expect("valid");
        assert!(opts.ssl_opts().expect("TLS").accept_invalid_certs());
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let authority = rcgen::generate_simple_self_signed(["ca".to_owned()]).expect("a certificate");
        let authority = pem::Pem::new("CERTIFICATE", authority.cert.der().to_vec());
        std::fs::write(&file, pem::encode(&authority)).expect("written");
        let opts = parse(&format!("mysql://h/app?ssl-mode=verify-identity&ssl-ca={}", file.display())).expect("valid");
        let tls = opts.ssl_opts().expect("TLS");
        assert!(!tls.accept_invalid_certs() && !tls.skip_domain_validation() && tls.disable_built_in_roots());
        assert_eq!(tls.root_certs().len(), 1);
        std::fs::write(&file, "nothing").expect("written");
        let empty = parse(&format!("mysql://h/app?ssl-mode=verify-identity&ssl-ca={}", file.display()));
        assert!(matches!(empty, Err(ConfigError::RootCertificate { .. })));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(problem("postgres://h/app").contains("must begin"));
        assert!(problem("mysql://h:port/app").contains("form"));
        assert!(problem("mysql://h").contains("no database") && problem("mysql://h/").contains("no database"));
        assert!(problem("mysql://h/app?pool_max=3").contains("can be"));
        assert!(problem("mysql://h/app?ssl-mode=preferred").contains("`ssl-mode` is"));
        assert!(problem("mysql://h/app?ssl-ca=x").contains("needs"));
        assert!(problem("mysql://h/app?socket=%2").contains("percent"));
        assert!(problem("mysql://h/app?socket=%ff").contains("percent"));
    }
}
