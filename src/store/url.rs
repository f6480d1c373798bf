//! What the URLs of all stores over a network have in common.

use crate::ConfigError;

/// Refuses what is around a URL in a file or a variable by mistake, and is a part of no URL.
pub(super) fn check(url: &str) -> Result<(), ConfigError> {
    if url.trim() != url {
        return Err(problem("it has white space or a line end around it"));
    }
    if url.contains(char::is_control) {
        return Err(problem("it has a line end or another control character in it"));
    }
    Ok(())
}

pub(super) fn problem(problem: &'static str) -> ConfigError {
    ConfigError::StoreUrl { problem }
}

/// The parameters behind the question mark, with their values as they are.
#[cfg(any(feature = "mariadb-no-provider", feature = "postgres-no-provider"))]
pub(super) fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

/// The text that a percent-encoded one stands for.
#[cfg(any(feature = "mariadb-no-provider", feature = "postgres-no-provider"))]
pub(super) fn decoded(text: &str) -> Result<String, ConfigError> {
    let malformed = || problem("a part of it is not percent-encoded UTF-8");
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2).ok_or_else(malformed)?;
        if !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        bytes.push(u8::from_str_radix(hex, 16).map_err(|_| malformed())?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

#[cfg(all(test, any(feature = "mariadb-no-provider", feature = "postgres-no-provider")))]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_is_a_mistake_is_refused() {
        for url in
            [" postgres://h", "postgres://h ", "postgres://h\n", "postgres://h\r\n", "\tmysql://h", "mysql://h\n/app"]
        {
            assert!(matches!(check(url), Err(ConfigError::StoreUrl { .. })), "{url:?}");
        }
        assert!(check("postgres://h/app?options=-c a=b").is_ok());
    }

    #[test]
    fn values_are_percent_encoded() {
        assert_eq!(decoded("a%20b%3f%C3%A4").expect("encoded"), "a b?ä");
        for malformed in ["%", "%2", "%zz", "%+1", "%ff", "%ä"] {
            assert!(decoded(malformed).is_err(), "{malformed}");
        }
        assert_eq!(parameters("a=1&&b&c=d=e").collect::<Vec<_>>(), [("a", "1"), ("b", ""), ("c", "d=e")]);
    }
}
