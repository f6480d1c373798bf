//! Finds the token of a request in its headers, or says why there is none.

use memchr::memchr;

use super::anti_csrf::AntiCsrf;
use super::authorization::{after_scheme, bare, is_token_character};
use super::cookie::CookieName;
use super::headers::Headers;
use super::{AuthError, AuthErrorKind as Kind};
use crate::ConfigError;

/// The longest `Cookie` header by default, in bytes: twice what browsers send for one site in practice.
const MAX_COOKIE_BYTES: usize = 16 * 1024;

/// One place where a token may be.
///
/// ```
/// use tower_user_metadata::session::{AntiCsrf, TokenSource};
///
/// let bearer = TokenSource::bearer();
/// let cookie = TokenSource::cookie("sAccessToken", AntiCsrf::ViaCustomHeader)?;
/// let proxy = TokenSource::header("x-forwarded-access-token")?;
/// let older_clients = TokenSource::scheme("Token")?;
/// assert!(TokenSource::cookie("a b", AntiCsrf::ViaCustomHeader).is_err());
/// # Ok::<(), tower_user_metadata::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenSource(Place);

#[derive(Clone, Debug)]
enum Place {
    Bearer,
    Scheme { name: Box<str> },
    Cookie { name: CookieName, anti_csrf: AntiCsrf },
    Header { name: Box<str> },
}

impl TokenSource {
    /// `Authorization: Bearer TOKEN` (RFC 6750 section 2.1); the scheme is case-insensitive (RFC 9110 section 11.1).
    #[must_use]
    pub fn bearer() -> Self {
        Self(Place::Bearer)
    }

    /// `Authorization: SCHEME TOKEN` with a scheme of another name, such as `Token` or `JWT`; letter case does not count, and
    /// the same is refused as with [`bearer`](Self::bearer). A service whose clients use several names lists a source for
    /// each.
    ///
    /// The `WWW-Authenticate` of a refusal says `Bearer` all the same: clients of such services do not look at it, and
    /// `Token` is in no registry.
    ///
    /// ```
    /// use tower_user_metadata::session::{TokenSource, TokenSources};
    ///
    /// let sources = TokenSources::new([TokenSource::bearer(), TokenSource::scheme("Token")?]);
    /// assert!(TokenSource::scheme("Token:").is_err());
    /// # drop(sources);
    /// # Ok::<(), tower_user_metadata::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The name is not a token in the sense of RFC 9110 section 5.6.2, as schemes are (section 11.1).
    pub fn scheme(name: &str) -> Result<Self, ConfigError> {
        if name.is_empty() || !name.bytes().all(is_token_character) {
            return Err(ConfigError::InvalidScheme { scheme: name.to_owned() });
        }
        Ok(Self(Place::Scheme { name: name.into() }))
    }

    /// A cookie. Browsers send it with requests that other sites start, so it needs a policy against that.
    ///
    /// # Errors
    ///
    /// The name is not a token in the sense of RFC 6265 section 4.1.1.
    pub fn cookie(name: &str, anti_csrf: AntiCsrf) -> Result<Self, ConfigError> {
        // The token characters of RFC 9110 are exactly what a header name may hold.
        match http::HeaderName::from_bytes(name.as_bytes()) {
            Ok(_) => Ok(Self(Place::Cookie { name: CookieName::new(name), anti_csrf })),
            Err(_) => Err(ConfigError::InvalidCookieName { name: name.to_owned() }),
        }
    }

    /// A header whose value is the token, or `Bearer` and the token: both are in use, for example in `X-Auth-Token`,
    /// `Cf-Access-Jwt-Assertion` and `X-Serverless-Authorization`.
    ///
    /// The name may be `Authorization`, for clients that send the token alone. There a value that names another scheme, such
    /// as `Basic`, is nothing of ours, and the next place is looked at; in every other header it is refused.
    ///
    /// ```
    /// use tower_user_metadata::session::{TokenSource, TokenSources};
    ///
    /// // `Authorization: TOKEN`, `Authorization: Bearer TOKEN` or `Authorization: Token TOKEN`.
    /// let sources = TokenSources::new([TokenSource::header("Authorization")?, TokenSource::scheme("Token")?]);
    /// # drop(sources);
    /// # Ok::<(), tower_user_metadata::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The name is not that of a header.
    pub fn header(name: &str) -> Result<Self, ConfigError> {
        match http::HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Ok(Self(Place::Header { name: name.as_str().into() })),
            Err(_) => Err(ConfigError::InvalidHeaderName { name: name.to_owned() }),
        }
    }
}

/// The places where a token may be, the first of which that holds anything decides.
///
/// One rule for several: places are looked at in order, and what stands in the first that is not empty is used or
/// refused. A later place is never a fallback for a bad token in an earlier one.
///
/// ```
/// use tower_user_metadata::session::{AntiCsrf, TokenSource, TokenSources};
///
/// let cookie = TokenSource::cookie("session", AntiCsrf::ViaCustomHeader)?;
/// let sources = TokenSources::new([TokenSource::bearer(), cookie]).with_max_cookie_bytes(4 * 1024);
/// assert_eq!(sources.max_cookie_bytes(), 4_096);
/// # Ok::<(), tower_user_metadata::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenSources {
    places: Vec<TokenSource>,
    max_cookie_bytes: usize,
}

impl TokenSources {
    /// Takes the places in the order in which they win.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = TokenSource>) -> Self {
        Self { places: sources.into_iter().collect(), max_cookie_bytes: MAX_COOKIE_BYTES }
    }

    /// `Authorization: Bearer`, then the cookie `sAccessToken`: the places of SuperTokens, where the header wins.
    #[must_use]
    pub fn supertokens(anti_csrf: AntiCsrf) -> Self {
        let cookie = TokenSource(Place::Cookie { name: CookieName::new("sAccessToken"), anti_csrf });
        Self::new([TokenSource::bearer(), cookie])
    }

    /// Sets the largest `Cookie` header that is searched, in bytes; where HTTP/2 splits it, all parts count together.
    /// Default 16,384, twice what browsers send for one site in practice. A request with more is refused as
    /// [`MalformedCredentials`](super::AuthErrorKind::MalformedCredentials), unless an earlier place decides. It does
    /// not matter where no place is a cookie.
    #[must_use]
    pub fn with_max_cookie_bytes(mut self, bytes: usize) -> Self {
        self.max_cookie_bytes = bytes;
        self
    }

    /// The largest `Cookie` header that is searched, in bytes.
    #[must_use]
    pub fn max_cookie_bytes(&self) -> usize {
        self.max_cookie_bytes
    }

    /// The token of a request and, where it came in a cookie, the policy that the request must satisfy.
    pub(crate) fn find<'a>(&'a self, headers: &'a dyn Headers) -> Result<Found<'a>, AuthError> {
        for place in &self.places {
            let (value, anti_csrf) = match &place.0 {
                Place::Bearer => (after_scheme(headers, "bearer")?, None),
                Place::Scheme { name } => (after_scheme(headers, name)?, None),
                Place::Header { name } => (bare(headers, name)?, None),
                Place::Cookie { name, anti_csrf } => (name.value(headers, self.max_cookie_bytes)?, Some(anti_csrf)),
            };
            if let Some(value) = value {
                return Ok(Found { value, anti_csrf });
            }
        }
        Err(AuthError::because(Kind::MissingCredentials, self.why_nothing(headers)))
    }

    fn why_nothing(&self, headers: &dyn Headers) -> &'static str {
        let is_there = |name| {
            let mut there = false;
            headers.visit(name, &mut |_| there = true);
            there
        };
        let looks_at = |place: fn(&Place) -> bool| self.places.iter().any(|TokenSource(looked)| place(looked));
        if looks_at(|place| matches!(place, Place::Bearer | Place::Scheme { .. })) && is_there("authorization") {
            "Authorization has another scheme than the one that is looked for"
        } else if looks_at(|place| matches!(place, Place::Cookie { .. })) && is_there("cookie") {
            "none of the cookies is that of the session"
        } else {
            "no token where one is looked for"
        }
    }
}

/// What stands in the place that decides, and the policy that comes with a cookie.
pub(crate) struct Found<'a> {
    /// As it came: looked up among known tokens, it need not be looked at first.
    pub(crate) value: &'a [u8],
    pub(crate) anti_csrf: Option<&'a AntiCsrf>,
}

impl<'a> Found<'a> {
    /// The token, if what was found is one word and not too long.
    pub(crate) fn token(&self, max_bytes: usize) -> Result<Token<'a>, AuthError> {
        let too_large = || AuthError::because(Kind::MalformedToken, "the token is too large");
        // A cookie has a limit of its own, and may be escaped: then it is longer than its token.
        if self.anti_csrf.is_none() && self.value.len() > max_bytes {
            return Err(too_large());
        }
        let token = match visible(self.value) {
            Some(value) if self.anti_csrf.is_some() => unescape(value),
            Some(value) => Token::Plain(value),
            None => {
                return Err(AuthError::because(
                    Kind::MalformedCredentials,
                    "the token is not one word of visible ASCII",
                ));
            }
        };
        if token.as_str().len() > max_bytes { Err(too_large()) } else { Ok(token) }
    }
}

pub(crate) enum Token<'a> {
    Plain(&'a str),
    Unescaped(String),
}

impl Token<'_> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Plain(token) => token,
            Self::Unescaped(token) => token,
        }
    }
}

impl std::fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A value as text if it is one word of visible ASCII.
fn visible(value: &[u8]) -> Option<&str> {
    // No early end, so that many bytes are looked at at once.
    let graphic = value.iter().fold(true, |graphic, byte| graphic & byte.is_ascii_graphic());
    if graphic && !value.is_empty() { std::str::from_utf8(value).ok() } else { None }
}

/// SuperTokens escapes cookie values as JavaScript's `encodeURIComponent` does; of the characters of a token this
/// touches `+`, `/` and `=`, which only tokens of version 2 have. Nothing else is decoded.
fn unescape(value: &str) -> Token<'_> {
    if memchr(b'%', value.as_bytes()).is_none() {
        return Token::Plain(value);
    }
    let mut parts = value.split('%');
    let mut token = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or(("", part));
        let character = match code {
            "2B" | "2b" => '+',
            "2F" | "2f" => '/',
            "3D" | "3d" => '=',
            _ => return Token::Plain(value),
        };
        token.push(character);
        token.push_str(rest);
    }
    Token::Unescaped(token)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn find(lines: &[(&'static str, &[u8])]) -> Result<String, Kind> {
        find_in(&TokenSources::supertokens(AntiCsrf::ViaCustomHeader), lines)
    }

    fn find_in(sources: &TokenSources, lines: &[(&'static str, &[u8])]) -> Result<String, Kind> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_bytes(value).expect("a header value"));
        }
        let token = sources.find(&headers).and_then(|found| found.token(20_000)).map_err(|error| error.kind())?;
        Ok(token.as_str().to_owned())
    }

    #[test]
    fn the_first_place_that_holds_anything_decides() {
        let cookie = ("cookie", &b"a=1; sAccessToken=C; b=2"[..]);
        assert_eq!(find(&[cookie]), Ok("C".to_owned()));
        assert_eq!(find(&[cookie, ("authorization", b"bearer  H")]), Ok("H".to_owned()));
        assert_eq!(find(&[cookie, ("authorization", b"Basic xyz")]), Ok("C".to_owned()));
        for malformed in
            ["Bearer", "Bearer ", "Bearer\tH", "Bearer \tH", "Bearer H ", "Bearer H\t", "Bearer:H", "Bearer H H"]
        {
            let found = find(&[cookie, ("authorization", malformed.as_bytes())]);
            assert_eq!(found, Err(Kind::MalformedCredentials), "{malformed:?}");
        }
        assert_eq!(find(&[("cookie", b"a=1")]), Err(Kind::MissingCredentials));
        assert_eq!(find(&[("cookie", b"sAccessToken=")]), Err(Kind::MissingCredentials));
    }

    #[test]
    fn a_header_of_a_proxy_has_the_token_with_or_without_its_scheme() {
        let sources = TokenSources::new([TokenSource::header("X-Token").expect("a name"), TokenSource::bearer()]);
        let token =
            |value: &'static str| find_in(&sources, &[("x-token", value.as_bytes()), ("authorization", b"Bearer A")]);
        for value in ["H", "Bearer H", "bearer  H", "BEARER H"] {
            assert_eq!(token(value), Ok("H".to_owned()), "{value}");
        }
        for value in ["", "Bearer ", "Bearer\tH", "Basic H", "H H", "Bearer H H", "Bearer Bearer H"] {
            assert_eq!(token(value), Err(Kind::MalformedCredentials), "{value}");
        }
        assert_eq!(token("Bearer"), Ok("Bearer".to_owned()), "a token may be this word");
        assert_eq!(find_in(&sources, &[("authorization", b"Bearer A")]), Ok("A".to_owned()));
    }

    #[test]
    fn a_scheme_of_another_name_is_as_strict_as_bearer() {
        let sources = TokenSources::new([
            TokenSource::scheme("Token").expect("a scheme"),
            TokenSource::scheme("JWT").expect("a scheme"),
            TokenSource::cookie("s", AntiCsrf::ViaCustomHeader).expect("a cookie"),
        ]);
        let cookie = ("cookie", &b"s=C"[..]);
        let token = |value: &'static str| find_in(&sources, &[("authorization", value.as_bytes()), cookie]);
        for value in ["Token H", "token   H", "TOKEN H", "JWT H", "jwt H"] {
            assert_eq!(token(value), Ok("H".to_owned()), "{value}");
        }
        for value in
            ["Token", "Token ", "Token\tH", "Token: H", "Token=H", "Token H H", "Token H\t", "JWT", "JWT Token H"]
        {
            assert_eq!(token(value), Err(Kind::MalformedCredentials), "{value}");
        }
        for value in ["", "Tok", "Bearer H", "Basic H", "Tokens H", "Token-X H", "JWT_H", "H"] {
            assert_eq!(token(value), Ok("C".to_owned()), "{value}");
        }
        let twice = [("authorization", &b"Token H"[..]), ("authorization", &b"Token H"[..]), cookie];
        assert_eq!(find_in(&sources, &twice), Err(Kind::MalformedCredentials));
    }

    #[test]
    fn a_scheme_is_a_token_of_http() {
        for name in ["", " ", "Token ", "To ken", "Token:", "Tok\u{e9}n", "Token\r\n", "\"Token\"", "a/b"] {
            let refused = TokenSource::scheme(name).expect_err(name);
            assert!(matches!(&refused, ConfigError::InvalidScheme { scheme } if scheme == name), "{refused}");
        }
    }

    #[test]
    fn authorization_may_have_the_token_alone() {
        let header = || TokenSource::header("Authorization").expect("a name");
        let sources = TokenSources::new([header(), TokenSource::scheme("Token").expect("a scheme")]);
        let token = |value: &'static str| find_in(&sources, &[("authorization", value.as_bytes())]);
        for value in ["H", "Bearer H", "bearer  H", "Token H", "token H"] {
            assert_eq!(token(value), Ok("H".to_owned()), "{value}");
        }
        for value in ["", "Basic H", "Digest a=b, c=d", "H H", "Negotiate H"] {
            assert_eq!(token(value), Err(Kind::MissingCredentials), "{value}");
        }
        for value in ["Bearer ", "Bearer\tH", "Bearer H H", "Token ", "Token\tH", "Token H H", "a=b c"] {
            assert_eq!(token(value), Err(Kind::MalformedCredentials), "{value}");
        }
        let next = TokenSources::new([header(), TokenSource::header("X-Auth-Token").expect("a name")]);
        let token = |value: &'static str| {
            find_in(&next, &[("authorization", b"Basic a:b"), ("x-auth-token", value.as_bytes())])
        };
        assert_eq!(token("H"), Ok("H".to_owned()));
        assert_eq!(token("Bearer H"), Ok("H".to_owned()));
        assert_eq!(token("Token H"), Err(Kind::MalformedCredentials));
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name_and_only_once() {
        for line in ["SACCESSTOKEN=C", "sAccessTokenx=C", "sAccessToken[]=C", "x=sAccessToken=C", "a=1, sAccessToken=C"]
        {
            assert_eq!(find(&[("cookie", line.as_bytes())]), Err(Kind::MissingCredentials), "{line}");
        }
        assert_eq!(find(&[("cookie", b"x=\xff;\tsAccessToken=C ;")]), Ok("C".to_owned()));
        assert_eq!(find(&[("cookie", b"sAccessToken=C; sAccessToken=C")]), Err(Kind::AmbiguousCredentials));
        assert_eq!(
            find(&[("cookie", b"sAccessToken=C"), ("cookie", b"sAccessToken=D")]),
            Err(Kind::AmbiguousCredentials)
        );
    }

    /// Against the definition: the pairs between the semicolons, without the white space around them.
    #[test]
    fn cookies_are_the_pairs_between_semicolons() {
        let defined = |line: &str| {
            let values: Vec<_> = line
                .split(';')
                .filter_map(|pair| pair.trim_ascii().strip_prefix("sAccessToken=").map(str::to_owned))
                .collect();
            match values.as_slice() {
                [] => Err(Kind::MissingCredentials),
                [value] if value.is_empty() => Err(Kind::MissingCredentials),
                [value] if visible(value.as_bytes()).is_none() => Err(Kind::MalformedCredentials),
                [value] => Ok(value.clone()),
                _ => Err(Kind::AmbiguousCredentials),
            }
        };
        let parts = [";", "; ", " ", "\t", "sAccessToken=", "sAccessToken", "=", "C"];
        for number in 0..parts.len().pow(5) {
            let line: String = (0..5).map(|place| parts[number / parts.len().pow(place) % parts.len()]).collect();
            // HTTP takes off what surrounds a value.
            let line = line.trim_ascii();
            assert_eq!(find(&[("cookie", line.as_bytes())]), defined(line), "{line:?}");
        }
    }

    #[test]
    fn cookies_are_searched_up_to_the_limit() {
        let limited = TokenSources::supertokens(AntiCsrf::ViaCustomHeader).with_max_cookie_bytes(20);
        let exact = ("cookie", &b"sAccessToken=C; a=bc"[..]);
        assert_eq!(find_in(&limited, &[exact]), Ok("C".to_owned()));
        assert_eq!(find_in(&limited, &[("cookie", b"sAccessToken=C; a=bcd")]), Err(Kind::MalformedCredentials));
        assert_eq!(find_in(&limited, &[("cookie", b"sAccessToken=C"), ("cookie", b"a=bcde")]), Ok("C".to_owned()));
        // The parts count together, and the token does not win because it stands in the first one.
        assert_eq!(
            find_in(&limited, &[("cookie", b"sAccessToken=C"), ("cookie", b"a=bcdef")]),
            Err(Kind::MalformedCredentials)
        );
        // Where the header decides, cookies are not looked at.
        assert_eq!(find_in(&limited, &[("authorization", b"Bearer H"), ("cookie", &[b'='; 21])]), Ok("H".to_owned()));
        assert_eq!(find_in(&limited.clone().with_max_cookie_bytes(0), &[]), Err(Kind::MissingCredentials));

        let mut longest = b"sAccessToken=C; a=".to_vec();
        longest.resize(16_384, b'x');
        assert_eq!(find(&[("cookie", &longest)]), Ok("C".to_owned()));
        longest.push(b'x');
        assert_eq!(find(&[("cookie", &longest)]), Err(Kind::MalformedCredentials));
    }

    #[test]
    fn only_what_supertokens_escapes_is_decoded() {
        assert_eq!(unescape("a%2Bb%2fc%3D").as_str(), "a+b/c=");
        for value in ["a%2Eb", "a%", "a%2", "%252B", "a%é"] {
            assert_eq!(unescape(value).as_str(), value);
        }
    }
}
